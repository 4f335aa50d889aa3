/** Small files by the thousand: up, each acknowledged, and down. */
import { randomFillSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeWorkplace, nginx, run, startedOver, type Workplace } from './fixtures.ts'
import { type Contender, type Workload, over } from './harness.ts'
import { samba } from './servers.ts'

const files = Number(process.env['PEERSTOR_BENCH_FILES'] ?? 10_000)
const fileBytes = 10_000
const folders = 100
/** The names of the files, their folder in front. */
const names = Array.from({ length: files }, (_, index) => `${index % folders}/${index}.bin`)
const bytes = files * fileBytes

function makeTree(folder: string): string {
  const tree = join(folder, 'tree')
  for (let part = 0; part < folders; part++) mkdirSync(join(tree, String(part)), { recursive: true })
  const content = Buffer.alloc(fileBytes)
  for (const name of names) writeFileSync(join(tree, name), randomFillSync(content))
  return tree
}

/** All files by one curl, eight connections. */
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

const putTree: Workload = {
  name: 'small-files',
  about: `${files} files of 10 KB by put -r, each acknowledged, against cp -r and sync`,
  bytes,
  reach: { filesPerSecond: { atLeast: 3000 } },
  async prepare() {
    const workplace = await makeWorkplace()
    const tree = makeTree(workplace.folder)
    const copy = join(workplace.folder, 'copy')
    const peer = await workplace.peer('peer')
    const reference: Contender = {
      name: 'cp -r and sync',
      before: () => rm(copy, { recursive: true, force: true }),
      run: async () => void (await run('sh', ['-c', `cp -r ${tree} ${copy} && sync -f ${copy}`])),
    }
    const ours: Contender = {
      name: 'PeerStor, put -r',
      before: () => startedOver(workplace, peer),
      async run() {
        const began = performance.now()
        await peer.run(['put', '-r', tree, '--quiet'])
        return { filesPerSecond: files / ((performance.now() - began) / 1000) }
      },
      pids: () => [peer.pid!],
    }
    return { contenders: [reference, ours], close: () => workplace.close() }
  },
}

const smallUp: Workload = {
  name: 'small-up',
  about: `${files} files of 10 KB, each acknowledged: curl -Z with 8 connections, nginx, samba mput`,
  bytes,
  limits: { 'PeerStor, curl -Z': 1.3 },
  rounds: 3,
  async prepare() {
    const workplace = await makeWorkplace()
    const tree = makeTree(workplace.folder)
    const shared = join(workplace.folder, 'shared')
    const clean = async (): Promise<void> => {
      await rm(shared, { recursive: true, force: true })
      await mkdir(shared)
    }
    await clean()
    const sync = async (): Promise<void> => void (await run('sync', ['-f', shared]))
    const peer = await workplace.peer('peer')
    const ours: Contender = {
      name: 'PeerStor, curl -Z',
      before: () => startedOver(workplace, peer),
      run: () => curlEach(workplace, up(tree, `${peer.started.url}/files/files/tree`), peer.started.token),
      pids: () => [peer.pid!],
    }
    const contenders = [
      ...over(await nginx(workplace, shared), (server) => ({
        name: 'nginx, curl -Z, sync -f',
        before: clean,
        run: () => curlEach(workplace, up(tree, server.url)).then(sync),
      })),
      ...over(await samba(workplace, shared), (server) => ({
        name: 'samba mput, sync -f',
        before: clean,
        run: () => server.client('mput *', tree).then(sync),
      })),
      ours,
    ]
    return { contenders, close: () => workplace.close() }
  },
}

const smallDown: Workload = {
  name: 'small-down',
  about: `${files} files of 10 KB to files: curl -Z with 8 connections and get -r, nginx, samba mget`,
  bytes,
  limits: { 'PeerStor, curl -Z': 1.3 },
  rounds: 3,
  async prepare() {
    const workplace = await makeWorkplace()
    const tree = makeTree(workplace.folder)
    const output = join(workplace.folder, 'out')
    const before = async (): Promise<void> => {
      await rm(output, { recursive: true, force: true })
      for (let part = 0; part < folders; part++) await mkdir(join(output, String(part)), { recursive: true })
    }
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await peer.run(['put', '-r', tree, '--quiet'])
    const pids = (): number[] => [peer.pid!]
    const contenders: Contender[] = [
      ...over(await nginx(workplace, tree), (server) => ({
        name: 'nginx, curl -Z',
        before,
        run: () => curlEach(workplace, down(server.url, output)),
      })),
      ...over(await samba(workplace, tree), (server) => ({
        name: 'samba mget',
        before,
        run: () => server.client('mget *', output),
      })),
      {
        name: 'PeerStor, curl -Z',
        before,
        run: () => curlEach(workplace, down(`${url}/files/files/tree`, output), token),
        pids,
      },
      {
        name: 'PeerStor, get -r',
        before: () => rm(output, { recursive: true, force: true }),
        run: async () => void (await peer.run(['get', '-r', 'files/tree', '-o', output, '--quiet'])),
        pids,
      },
    ]
    return { contenders, close: () => workplace.close() }
  },
}

export const workloads = [putTree, smallUp, smallDown]
