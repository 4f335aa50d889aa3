/** A large random file to a durable acknowledgement, by curl. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  curlUp,
  largeBytes,
  makeWorkplace,
  randomFile,
  rcloneWebdav,
  run,
  startedOver,
  type Workplace,
} from './fixtures.ts'
import { type Contender, type Workload, over } from './harness.ts'
import { samba } from './servers.ts'

interface Files {
  workplace: Workplace
  source: string
  /** Where the others' servers put it. */
  shared: string
}

export const workloads: Workload[] = [
  upload('upload', 'cp and fsync, and rclone serve webdav', 3.5, async (files) => [
    copied(files),
    await ours(files),
    ...(await byRclone(files)),
  ]),
  upload('upload-samba', 'smbclient put and sync -f', 3, async (files) => [
    ...(await bySamba(files)),
    await ours(files),
  ]),
]

function upload(
  name: string,
  against: string,
  limit: number,
  contendersOf: (files: Files) => Promise<Contender[]>,
): Workload {
  return {
    name,
    about: `curl -T of a 1 GiB random file to its durable acknowledgement, against ${against}`,
    bytes: largeBytes,
    limits: { 'PeerStor, curl -T': limit },
    async prepare() {
      const workplace = await makeWorkplace()
      const source = join(workplace.folder, 'random')
      const shared = join(workplace.folder, 'shared')
      await mkdir(shared)
      await randomFile(source, largeBytes)
      const contenders = await contendersOf({ workplace, source, shared })
      return { contenders, close: () => workplace.close() }
    },
  }
}

async function ours({ workplace, source }: Files): Promise<Contender> {
  const peer = await workplace.peer('peer')
  return {
    name: 'PeerStor, curl -T',
    before: () => startedOver(workplace, peer),
    run: () => curlUp(`${peer.started.url}/files/files/random`, source, peer.started.token),
    pids: () => [peer.pid!],
  }
}

function copied({ workplace, source }: Files): Contender {
  const target = join(workplace.folder, 'copy')
  return {
    name: 'cp and fsync',
    before: () => rm(target, { force: true }),
    run: async () => void (await run('sh', ['-c', `cp ${source} ${target} && sync ${target}`])),
  }
}

async function bySamba({ workplace, shared }: Files): Promise<Contender[]> {
  return over(await samba(workplace, shared), (server) => ({
    name: 'smbclient put, sync -f',
    before: () => rm(join(shared, 'random'), { force: true }),
    async run() {
      await server.client('put random random', workplace.folder)
      await run('sync', ['-f', shared])
    },
  }))
}

async function byRclone({ workplace, source, shared }: Files): Promise<Contender[]> {
  return over(await rcloneWebdav(workplace, shared), (server) => ({
    name: 'rclone serve webdav, curl -T',
    before: () => rm(join(shared, 'random'), { force: true }),
    run: () => curlUp(`${server.url}/random`, source),
  }))
}
