/** A large random file to a durable acknowledgement, by curl. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { curlUp, largeBytes, makeWorkplace, randomFile, rcloneWebdav, run, startedOver } from './fixtures.ts'
import { type Contender, type Workload, over } from './harness.ts'
import { samba } from './servers.ts'

export const workload: Workload = {
  name: 'upload',
  about: 'curl -T of a 1 GiB random file to its durable acknowledgement, against smbclient put and sync -f',
  bytes: largeBytes,
  limits: { 'PeerStor, curl -T': 3 },
  async prepare() {
    const workplace = await makeWorkplace()
    const { folder } = workplace
    const source = join(folder, 'random')
    const copied = join(folder, 'copy')
    const shared = join(folder, 'shared')
    await mkdir(shared)
    await randomFile(source, largeBytes)
    const peer = await workplace.peer('peer')
    const before = (): Promise<void> => rm(join(shared, 'random'), { force: true })
    const ours: Contender = {
      name: 'PeerStor, curl -T',
      before: () => startedOver(workplace, peer),
      run: () => curlUp(`${peer.started.url}/files/files/random`, source, peer.started.token),
      pids: () => [peer.pid!],
    }
    const contenders = [
      ...over(await samba(workplace, shared), (server) => ({
        name: 'smbclient put, sync -f',
        before,
        async run() {
          await server.client('put random random', folder)
          await run('sync', ['-f', shared])
        },
      })),
      ours,
      ...over(await rcloneWebdav(workplace, shared), (server) => ({
        name: 'rclone serve webdav, curl -T',
        before,
        run: () => curlUp(`${server.url}/random`, source),
      })),
      {
        name: 'cp and fsync',
        before: () => rm(copied, { force: true }),
        run: async () => void (await run('sh', ['-c', `cp ${source} ${copied} && sync ${copied}`])),
      },
    ]
    return { contenders, close: () => workplace.close() }
  },
}
