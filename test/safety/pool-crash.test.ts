/**
 * kill -9 of whole processes in every stage of a pool's life: while copies are sent and kept, while a
 * device joins, is revoked, and while copies are mended. What was acknowledged is
 * read back from every peer, nothing half shows, nothing is doubled, a start costs under five seconds.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { PeerProcess } from '../../src/cli/peer-process.ts'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import { contentFor } from './peer-writer.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const random = new SeededRandom(seed)

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** What a process has cost so far: the clock on the wall tells more of the machine's other work. */
function cpuMs(pid: number | undefined): number {
  if (process.platform !== 'linux') return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

interface Line {
  path: string
  size: number
  copies: { have: number; want: number }
}

/** A pool of processes, and every file that was acknowledged. */
class CrashPool {
  readonly peers: PeerProcess[] = []
  readonly acknowledged = new Map<string, string>()
  readonly #folder: string
  slowest = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  device(name: string): PeerProcess {
    return new PeerProcess(program, name, join(this.#folder, name))
  }

  async add(name: string): Promise<PeerProcess> {
    const peer = this.device(name)
    const [first] = this.peers
    this.peers.push(peer)
    if (first === undefined) await peer.start()
    else await peer.start(undefined, (await first.json<{ code: string }>(['invite'])).code)
    return peer
  }

  /** Puts a file; what is acknowledged counts, what failed may be there or not, but never half. */
  async put(peer: PeerProcess, name: string, size: number): Promise<void> {
    const content = contentFor(name, size)
    const answer = await fetch(`${peer.started.url}/files/files/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${peer.started.token}` },
      body: content as Uint8Array<ArrayBuffer>,
    }).catch(() => undefined)
    if (answer?.ok === true) this.acknowledged.set(`files/${name}`, sha256(content))
    else if (answer !== undefined) assert.fail(`${name}: ${answer.status} ${await answer.text()}`)
  }

  async kill(peer: PeerProcess): Promise<void> {
    await peer.kill()
    await peer.start()
    this.slowest = Math.max(this.slowest, cpuMs(peer.pid))
  }

  async read(peer: PeerProcess, path: string): Promise<string> {
    const answer = await fetch(`${peer.started.url}/files/${path}`, {
      headers: { authorization: `Bearer ${peer.started.token}` },
    })
    assert.equal(answer.status, 200, `${path} on ${peer.name}: ${answer.status}`)
    return sha256(new Uint8Array(await answer.arrayBuffer()))
  }

  async list(peer: PeerProcess): Promise<Line[]> {
    const answer = await fetch(`${peer.started.url}/api/v1/list/files?recursive=1`, {
      headers: { authorization: `Bearer ${peer.started.token}` },
    })
    return answer.ok ? ((await answer.json()) as { entries: Line[] }).entries : []
  }

  /** Waits until every file has `copies` copies as `peer` sees it. */
  async safe(peer: PeerProcess, copies: number): Promise<void> {
    const holds = async (): Promise<boolean> => {
      const entries = await this.list(peer)
      const paths = new Set(entries.map(({ path }) => path))
      return (
        [...this.acknowledged.keys()].every((path) => paths.has(path)) &&
        entries.every(({ copies: { have } }) => have >= copies)
      )
    }
    await eventually(`${copies} copies of everything as ${peer.name} sees it`, holds, 240_000)
  }

  /** Every acknowledged file is whole on `peer`, every shown one too, none twice. */
  async check(peer: PeerProcess): Promise<void> {
    const entries = await this.list(peer)
    assert.equal(new Set(entries.map(({ path }) => path)).size, entries.length, 'nothing is doubled')
    for (const { path, size } of entries)
      assert.equal(
        await this.read(peer, path),
        sha256(contentFor(path.slice(6), size)),
        `${path} on ${peer.name}`,
      )
    for (const [path, hash] of this.acknowledged) assert.equal(await this.read(peer, path), hash, path)
    const { files } = await peer.json<{ files: { count: number } }>(['status'])
    assert.equal(files.count, entries.length)
  }
}

function startPool(t: TestContext, folder: string): CrashPool {
  const pool = new CrashPool(folder)
  t.after(() => Promise.all(pool.peers.map((peer) => peer.kill())))
  return pool
}

test(`killed while copies are sent and kept (SEED=${seed})`, async (t) => {
  const pool = startPool(t, await temporaryFolder(t))
  const sender = await pool.add('sender')
  const receiver = await pool.add('receiver')
  await pool.add('third')
  for (let round = 0; round < 3; round += 1) {
    const puts = [7_000_000, 300_000, 12].map((size, index) =>
      pool.put(sender, `round-${round}-${index}`, size),
    )
    await pause(random.number() * 600)
    await pool.kill(round % 2 === 0 ? receiver : sender)
    await Promise.all(puts)
  }
  for (const peer of pool.peers) await pool.safe(peer, 3)
  for (const peer of pool.peers) await pool.check(peer)
  t.diagnostic(`${pool.acknowledged.size} files, slowest start ${Math.round(pool.slowest)} ms of CPU`)
  assert.ok(pool.acknowledged.size > 0)
  assert.ok(pool.slowest < 5000, `a start cost ${pool.slowest} ms`)
})

test(`killed while a device joins (SEED=${seed})`, async (t) => {
  const folder = await temporaryFolder(t)
  const pool = startPool(t, folder)
  const first = await pool.add('first')
  await pool.put(first, 'before', 2_000_000)
  let joined = 0
  for (let round = 0; round < 2; round += 1) {
    const { code } = await first.json<{ code: string }>(['invite'])
    const newcomer = pool.device(`newcomer-${round}`)
    pool.peers.push(newcomer)
    const starting = newcomer.start(undefined, code).catch(() => undefined)
    await pause(300 + random.number() * 900)
    if (round === 1) await pool.kill(first)
    else await newcomer.kill()
    await starting
    await newcomer.kill()
    // Whole or not at all: a home with a pool has this one, another joins with a new code.
    if (existsSync(join(newcomer.home, 'keys', 'pool.json'))) await newcomer.start()
    else await newcomer.start(undefined, (await first.json<{ code: string }>(['invite'])).code)
    const { pool: own } = await newcomer.json<{ pool: { id: string } }>(['status'])
    const { pool: other } = await first.json<{ pool: { id: string } }>(['status'])
    if (own.id === other.id) joined += 1
    else assert.fail(`newcomer ${round} is in a pool of its own`)
    await eventually('the file', async () => (await pool.list(newcomer)).length === 1)
    await pool.check(newcomer)
    await newcomer.stop()
  }
  assert.equal(joined, 2)
})

test(`killed while a device is revoked and copies are mended (SEED=${seed})`, async (t) => {
  const folder = await temporaryFolder(t)
  const pool = startPool(t, folder)
  const [a, b, c, d] = [
    await pool.add('a'),
    await pool.add('b'),
    await pool.add('c'),
    await pool.add('d'),
  ] as const
  const tree = join(folder, 'tree')
  mkdirSync(tree)
  for (let number = 0; number < 20; number += 1) {
    const name = `file-${number}`
    const content = contentFor(`tree/${name}`, number % 5 === 0 ? 2_000_000 : 5000)
    writeFileSync(join(tree, name), content)
    pool.acknowledged.set(`files/tree/${name}`, sha256(content))
  }
  await a.run(['put', '-r', tree])
  await pool.safe(a, 3)
  await d.kill()
  const revoking = a.run(['device', 'revoke', 'd']).catch(() => undefined)
  await pause(random.number() * 250)
  await pool.kill(a)
  await revoking
  // Acknowledged or not: it is revoked or it is not, for everybody; once more makes it sure.
  await a.run(['device', 'revoke', 'd']).catch(() => undefined)
  await pause(random.number() * 300)
  await pool.kill(b)
  await pause(random.number() * 300)
  await pool.kill(c)
  for (const peer of [a, b, c]) await pool.safe(peer, 3)
  for (const peer of [a, b, c]) await pool.check(peer)
  const { devices } = await b.json<{ devices: { name: string; state: string }[] }>(['device', 'list'])
  assert.equal(devices.find(({ name }) => name === 'd')?.state, 'revoked')
  t.diagnostic(`slowest start ${Math.round(pool.slowest)} ms of CPU`)
  assert.ok(pool.slowest < 5000, `a start cost ${pool.slowest} ms`)
})
