/** Many reads: ranges in the middle of a large file, small files by the thousand, a hundred clients at once. */
import { execFile } from 'node:child_process'
import { Agent, get } from 'node:http'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { curlUp, GiB, makeWorkplace, MiB, nginx, randomFile } from './fixtures.ts'
import { type Contender, type Workload, over } from './harness.ts'
import { memory } from './process-meter.ts'
import { nodeStreams } from './servers.ts'

const rangeReads = 200
const clients = 100
const clientBytes = 10 * MiB

const range: Workload = {
  name: 'range',
  about: `1 MiB from the middle of a 1 GiB file, ${rangeReads} places one after the other, one connection`,
  reach: { p50Ms: { atMost: 5 }, p99Ms: { atMost: 25 } },
  async prepare() {
    const workplace = await makeWorkplace()
    const source = join(workplace.folder, 'random')
    await randomFile(source, GiB)
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await curlUp(`${url}/files/files/random`, source, token)
    const reader = (name: string, at: string, token: string | undefined, pid: number): Contender => ({
      name,
      run: () => readRanges(at, token),
      pids: () => [pid],
    })
    const contenders = [
      ...over(await nginx(workplace, workplace.folder), (server) =>
        reader('nginx', `${server.url}/random`, undefined, server.pid),
      ),
      reader('PeerStor', `${url}/files/files/random`, token, peer.pid!),
    ]
    return { contenders, close: () => workplace.close() }
  },
}

async function readRanges(url: string, token: string | undefined): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  for (let read = 0; read < rangeReads; read++) {
    const first = GiB / 4 + ((read * 7919) % 500) * MiB + 4321
    const began = performance.now()
    await readRange(agent, url, token, first)
    times.push(performance.now() - began)
  }
  agent.destroy()
  times.sort((a, b) => a - b)
  return { p50Ms: times[rangeReads / 2]!, p99Ms: times[Math.floor(rangeReads * 0.99)]! }
}

function readRange(agent: Agent, url: string, token: string | undefined, first: number): Promise<void> {
  const headers = {
    range: `bytes=${first}-${first + MiB - 1}`,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  return new Promise((resolve, reject) => {
    get(url, { agent, headers }, (response) => {
      let bytes = 0
      response.on('data', (piece: Buffer) => (bytes += piece.length))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 206 && bytes === MiB) resolve()
        else reject(new Error(`${url} answered ${response.statusCode} with ${bytes} bytes`))
      })
    }).on('error', reject)
  })
}

const gets: Workload = {
  name: 'gets',
  about: 'GETs of a 10 KB file per second, by wrk with 32 connections',
  reach: { getsPerSecond: { atLeast: 5000 } },
  async prepare() {
    const workplace = await makeWorkplace()
    const source = join(workplace.folder, 'small')
    await randomFile(source, 10_000)
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await curlUp(`${url}/files/files/small`, source, token)
    const node = await nodeStreams(workplace, workplace.folder)
    const contenders: Contender[] = [
      { name: 'bare node:http streams', run: () => wrk(`${node.url}/small`), pids: () => [node.pid] },
      ...over(await nginx(workplace, workplace.folder), ({ url }) => ({
        name: 'nginx',
        run: () => wrk(`${url}/small`),
      })),
      { name: 'PeerStor', run: () => wrk(`${url}/files/files/small`, token), pids: () => [peer.pid!] },
    ]
    return { contenders, close: () => workplace.close() }
  },
}

async function wrk(url: string, token?: string): Promise<Record<string, number>> {
  const headers = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]
  const execute = promisify(execFile)
  const done = await execute('wrk', ['-t1', '-c32', '-d5', ...headers, url]).catch((thrown: unknown) => {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown
    console.error('wrk is not installed: GETs are not measured')
    return undefined
  })
  if (done === undefined) return {}
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(done.stdout)?.[1]
  if (bad !== undefined) throw new Error(`${bad} requests were refused`)
  return { getsPerSecond: Number(/Requests\/sec: +([\d.]+)/.exec(done.stdout)?.[1]) }
}

const hundred: Workload = {
  name: 'clients',
  about: `${clients} clients at once, 10 MiB each, all different files, to /dev/null`,
  bytes: clients * clientBytes,
  limits: { PeerStor: 1.67 },
  reach: { rssMB: { atMost: 450 } },
  async prepare() {
    const workplace = await makeWorkplace()
    const files = join(workplace.folder, 'files')
    await mkdir(files)
    const names = Array.from({ length: clients }, (_, index) => `f${index}`)
    for (const name of names) await randomFile(join(files, name), clientBytes)
    const peer = await workplace.peer('peer')
    const { url, token } = peer.started
    await peer.run(['put', '-r', files, '--quiet'])
    const node = await nodeStreams(workplace, files)
    const fetchAll = async (name: string, at: string, token: string | undefined): Promise<void> => {
      const config = join(workplace.folder, name)
      await writeFile(config, names.map((file) => `url = "${at}/${file}"\noutput = /dev/null\n`).join(''))
      const headers = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]
      const all = ['-sS', '--fail', '-Z', '--parallel-immediate', '--parallel-max', String(clients)]
      await promisify(execFile)('curl', [...all, ...headers, '-K', config])
    }
    const ours: Contender = {
      name: 'PeerStor',
      async run() {
        await fetchAll('ours.curl', `${url}/files/files/files`, token)
        return { rssMB: (memory(peer.pid!).peakRss ?? 0) / 1e6 }
      },
      pids: () => [peer.pid!],
    }
    const bare: Contender = {
      name: 'bare node:http streams',
      run: () => fetchAll('node.curl', node.url, undefined),
      pids: () => [node.pid],
    }
    return { contenders: [bare, ours], close: () => workplace.close() }
  },
}

export const workloads = [range, gets, hundred]
