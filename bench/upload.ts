/** A 1 GiB random file to a durable acknowledgement, by curl. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { curlUp, GiB, makeWorkplace, randomFile, rcloneWebdav, run, startedOver } from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'

export const workload: Workload = {
  name: 'upload',
  about: 'curl -T of a 1 GiB random file to its durable acknowledgement, against cp and fsync',
  bytes: GiB,
  limits: { 'PeerStor, curl -T': 3.5 },
  async prepare() {
    const workplace = await makeWorkplace()
    const { folder } = workplace
    const source = join(folder, 'random')
    await randomFile(source, GiB)
    const peer = await workplace.peer('peer')
    const copy: Contender = {
      name: 'cp and fsync',
      before: () => rm(join(folder, 'copy'), { force: true }),
      run: async () => void (await run('sh', ['-c', `cp ${source} ${folder}/copy && sync ${folder}/copy`])),
    }
    const ours: Contender = {
      name: 'PeerStor, curl -T',
      before: () => startedOver(workplace, peer),
      run: () => curlUp(`${peer.started.url}/files/files/random`, source, peer.started.token),
      pids: () => [peer.pid!],
    }
    await mkdir(join(folder, 'dav'))
    const rclone = await rcloneWebdav(workplace, join(folder, 'dav'))
    const theirs: Contender[] =
      rclone === undefined
        ? []
        : [
            {
              name: 'rclone serve webdav, curl -T',
              before: () => rm(join(folder, 'dav', 'random'), { force: true }),
              run: () => curlUp(`${rclone.url}/random`, source),
              pids: () => [rclone.pid],
            },
          ]
    return { contenders: [copy, ours, ...theirs], close: () => workplace.close() }
  },
}
