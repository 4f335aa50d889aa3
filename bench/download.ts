/** The same large file by curl to a file. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { curlDown, curlUp, largeBytes, makeWorkplace, nginx, randomFile, run } from './fixtures.ts'
import { type Contender, type Workload, over } from './harness.ts'
import { samba } from './servers.ts'

export const workload: Workload = {
  name: 'download',
  about: 'curl of a 1 GiB file to a file, against nginx serving the plain file, and smbclient get',
  bytes: largeBytes,
  limits: { 'PeerStor, curl': 2.2 },
  async prepare() {
    const workplace = await makeWorkplace()
    const { folder } = workplace
    const source = join(folder, 'random')
    const output = join(folder, 'out')
    await randomFile(source, largeBytes)
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await curlUp(`${url}/files/files/random`, source, token)
    const before = (): Promise<void> => rm(output, { force: true })
    const ours: Contender = {
      name: 'PeerStor, curl',
      before,
      run: () => curlDown(`${url}/files/files/random`, output, token),
      pids: () => [peer.pid!],
    }
    const contenders = [
      ...over(await nginx(workplace, folder), (server) => ({
        name: 'nginx, curl',
        before,
        run: () => curlDown(`${server.url}/random`, output),
      })),
      ...over(await samba(workplace, folder), (server) => ({
        name: 'smbclient get',
        before,
        run: () => server.client('get random out'),
      })),
      ours,
      { name: 'cp', before, run: async () => void (await run('cp', [source, output])) },
    ]
    return { contenders, close: () => workplace.close() }
  },
}
