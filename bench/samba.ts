/** The same files through samba, as people keep them at home: large ones both ways, small ones by the thousand. */
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  curlDown,
  curlUp,
  GiB,
  makeWorkplace,
  nginx,
  randomFile,
  run,
  startedOver,
  type Workplace,
} from './fixtures.ts'
import type { Contender, Workload } from './harness.ts'
import { samba } from './servers.ts'

const small = { files: 10_000, bytes: 10_000, folders: 100 }

const largeUp: Workload = {
  name: 'samba-up',
  about: 'a 1 GiB random file by curl -T to its durable acknowledgement, against smbclient put and sync -f',
  bytes: GiB,
  limits: { 'PeerStor, curl -T': 3 },
  async prepare() {
    const workplace = await makeWorkplace()
    const { folder } = workplace
    const source = join(folder, 'random')
    const shared = join(folder, 'shared')
    await mkdir(shared)
    await randomFile(source, GiB)
    const peer = await workplace.peer('peer')
    const server = await samba(workplace, shared)
    const theirs: Contender[] =
      server === undefined
        ? []
        : [
            {
              name: 'smbclient put, sync -f',
              before: () => rm(join(shared, 'random'), { force: true }),
              async run() {
                await server.client('put random random', folder)
                await run('sync', ['-f', shared])
              },
              pids: () => [server.pid],
            },
          ]
    const ours: Contender = {
      name: 'PeerStor, curl -T',
      before: () => startedOver(workplace, peer),
      run: () => curlUp(`${peer.started.url}/files/files/random`, source, peer.started.token),
      pids: () => [peer.pid!],
    }
    return { contenders: [...theirs, ours], close: () => workplace.close() }
  },
}

const largeDown: Workload = {
  name: 'samba-down',
  about: 'a 1 GiB file to a file, against smbclient get',
  bytes: GiB,
  limits: { 'PeerStor, curl': 1 },
  async prepare() {
    const workplace = await makeWorkplace()
    const { folder } = workplace
    const source = join(folder, 'random')
    const output = join(folder, 'out')
    await randomFile(source, GiB)
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await curlUp(`${url}/files/files/random`, source, token)
    const server = await samba(workplace, folder)
    const before = (): Promise<void> => rm(output, { force: true })
    const theirs: Contender[] =
      server === undefined
        ? []
        : [
            {
              name: 'smbclient get',
              before,
              run: () => server.client('get random out'),
              pids: () => [server.pid],
            },
          ]
    const ours: Contender = {
      name: 'PeerStor, curl',
      before,
      run: () => curlDown(`${url}/files/files/random`, output, token),
      pids: () => [peer.pid!],
    }
    return { contenders: [...theirs, ours], close: () => workplace.close() }
  },
}

/** The names of the small files, their folder in front. */
const names = Array.from({ length: small.files }, (_, index) => `${index % small.folders}/${index}.bin`)

async function smallTree(folder: string): Promise<string> {
  const tree = join(folder, 'tree')
  for (let part = 0; part < small.folders; part++) await mkdir(join(tree, String(part)), { recursive: true })
  for (const name of names) await writeFile(join(tree, name), randomBytes(small.bytes))
  return tree
}

/** All small files by one curl, eight connections. */
async function curlEach(
  workplace: Workplace,
  lines: (name: string) => string,
  token?: string,
): Promise<void> {
  const config = join(workplace.folder, 'each.curl')
  await writeFile(config, names.map(lines).join(''))
  const headers = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]
  await run('curl', ['-sS', '--fail', '-Z', '--parallel-max', '8', ...headers, '-K', config], {
    maxBuffer: 2 ** 28,
  })
}

const up = (from: string, url: string) => (name: string) =>
  `upload-file = "${from}/${name}"\nurl = "${url}/${name}"\noutput = /dev/null\n`
const down = (url: string, to: string) => (name: string) =>
  `url = "${url}/${name}"\noutput = "${to}/${name}"\n`

const smallUp: Workload = {
  name: 'small-up',
  about: '10,000 files of 10 KB, each acknowledged: curl -Z with 8 connections and put -r, nginx, samba mput',
  bytes: small.files * small.bytes,
  limits: { 'PeerStor, curl -Z': 1.3 },
  rounds: 3,
  async prepare() {
    const workplace = await makeWorkplace()
    const tree = await smallTree(workplace.folder)
    const shared = join(workplace.folder, 'shared')
    const clean = async (): Promise<void> => {
      await rm(shared, { recursive: true, force: true })
      await mkdir(shared)
    }
    await clean()
    const peer = await workplace.peer('peer')
    const server = await nginx(workplace, shared)
    const smb = await samba(workplace, shared)
    const before = (): Promise<void> => startedOver(workplace, peer)
    const sync = async (): Promise<void> => void (await run('sync', ['-f', shared]))
    const contenders: Contender[] = [
      ...(server === undefined
        ? []
        : [
            {
              name: 'nginx, curl -Z, sync -f',
              before: clean,
              run: () => curlEach(workplace, up(tree, server.url)).then(sync),
              pids: () => [server.pid],
            },
          ]),
      ...(smb === undefined
        ? []
        : [
            {
              name: 'samba mput, sync -f',
              before: clean,
              run: () => smb.client('mput *', tree).then(sync),
              pids: () => [smb.pid],
            },
          ]),
      {
        name: 'PeerStor, curl -Z',
        before,
        run: () => curlEach(workplace, up(tree, `${peer.started.url}/files/files/tree`), peer.started.token),
        pids: () => [peer.pid!],
      },
      {
        name: 'PeerStor, put -r',
        before,
        run: async () => void (await peer.run(['put', '-r', tree, '--quiet'])),
        pids: () => [peer.pid!],
      },
    ]
    return { contenders, close: () => workplace.close() }
  },
}

const smallDown: Workload = {
  name: 'small-down',
  about: '10,000 files of 10 KB to files: curl -Z with 8 connections and get -r, nginx, samba mget',
  bytes: small.files * small.bytes,
  limits: { 'PeerStor, curl -Z': 1.3 },
  rounds: 3,
  async prepare() {
    const workplace = await makeWorkplace()
    const tree = await smallTree(workplace.folder)
    const output = join(workplace.folder, 'out')
    const before = async (): Promise<void> => {
      await rm(output, { recursive: true, force: true })
      for (let part = 0; part < small.folders; part++)
        await mkdir(join(output, String(part)), { recursive: true })
    }
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await peer.run(['put', '-r', tree, '--quiet'])
    const server = await nginx(workplace, tree)
    const smb = await samba(workplace, tree)
    const contenders: Contender[] = [
      ...(server === undefined
        ? []
        : [
            {
              name: 'nginx, curl -Z',
              before,
              run: () => curlEach(workplace, down(server.url, output)),
              pids: () => [server.pid],
            },
          ]),
      ...(smb === undefined
        ? []
        : [{ name: 'samba mget', before, run: () => smb.client('mget *', output), pids: () => [smb.pid] }]),
      {
        name: 'PeerStor, curl -Z',
        before,
        run: () => curlEach(workplace, down(`${url}/files/files/tree`, output), token),
        pids: () => [peer.pid!],
      },
      {
        name: 'PeerStor, get -r',
        before: () => rm(output, { recursive: true, force: true }),
        run: async () => void (await peer.run(['get', '-r', 'files/tree', '-o', output, '--quiet'])),
        pids: () => [peer.pid!],
      },
    ]
    return { contenders, close: () => workplace.close() }
  },
}

export const workloads = [largeUp, largeDown, smallUp, smallDown]
