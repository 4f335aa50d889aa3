/** The same 1 GiB file by curl to a file. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { curlDown, curlUp, GiB, makeWorkplace, nginx, randomFile, run } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

export const workload: Workload = {
  name: 'download',
  about: 'curl of a 1 GiB file to a file, against nginx serving the plain file (without nginx: cp)',
  bytes: GiB,
  limits: { 'PeerStor, curl': 2.2 },
  async prepare() {
    const workplace = await makeWorkplace()
    const { folder } = workplace
    const source = join(folder, 'random')
    const output = join(folder, 'out')
    await randomFile(source, GiB)
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await curlUp(`${url}/files/files/random`, source, token)
    const server = await nginx(workplace, folder)
    const before = (): Promise<void> => rm(output, { force: true })
    const reference: Contender =
      server === undefined
        ? { name: 'cp', before, run: async () => void (await run('cp', [source, output])) }
        : {
            name: 'nginx, curl',
            before,
            run: () => curlDown(`${server.url}/random`, output),
            pids: () => [server.pid],
          }
    const ours: Contender = {
      name: 'PeerStor, curl',
      before,
      run: () => curlDown(`${url}/files/files/random`, output, token),
      pids: () => [peer.pid!],
    }
    return { contenders: [reference, ours], close: () => workplace.close() }
  },
}
