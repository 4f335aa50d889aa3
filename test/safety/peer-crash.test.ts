/**
 * kill -9 at random points while a real peer takes files: nothing acknowledged is lost, nothing half
 * is visible, the next start takes under five seconds. Each of two homes goes through half of the rounds.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { createPeer } from '../../src/peer/create-peer.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import { contentFor, settings } from './peer-writer.ts'

const rounds = 50
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

interface Acknowledged {
  path: string
  size: number
}

/** Runs the writer on `home` and kills it after a random time from its first file on. */
async function writeAndKill(home: string, round: number, random: SeededRandom): Promise<Acknowledged[]> {
  const program = fileURLToPath(new URL('peer-writer.ts', import.meta.url))
  // Most of a round is loading the program: its compiled code is kept between rounds.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'peerstor-test-compiled') }
  const child = spawn(process.execPath, [program, home, String(round)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const acknowledged: Acknowledged[] = []
  let errors = ''
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()))
  const lines = createInterface({ input: child.stdout })
  const closed = once(lines, 'close')
  let timer: NodeJS.Timeout | undefined
  lines.on('line', (line) => {
    // A line cut by the kill was never acknowledged.
    const told = parsed(line)
    if (told !== undefined && 'ready' in told) {
      const waitMs = random.number() * 400
      timer = setTimeout(() => child.kill('SIGKILL'), waitMs)
    } else if (told !== undefined) acknowledged.push(told as Acknowledged)
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(timer)
  await closed
  assert.equal(signal, 'SIGKILL', `the writer ended by itself: ${errors}`)
  return acknowledged
}

function parsed(line: string): object | undefined {
  try {
    return JSON.parse(line) as object
  } catch {
    return undefined
  }
}

/** Everything acknowledged is there, byte-identical; everything visible is whole. */
async function check(home: string, acknowledged: readonly Acknowledged[]): Promise<number> {
  const startedAt = performance.now()
  const peer = await createPeer({ home, settings, onLog: () => undefined })
  await peer.start()
  const startMs = performance.now() - startedAt
  try {
    for (const { path, size } of acknowledged) {
      const place = peer.files.has(path) ? path : `${path}-moved`
      const { bytes } = await peer.files.get(place)
      const content = Buffer.concat(await Array.fromAsync(bytes))
      assert.ok(content.equals(contentFor(path, size)), `${place} differs`)
    }
    let cursor: string | undefined
    do {
      const page = await peer.files.list('files', { recursive: true, cursor })
      for (const { path, size } of page.entries) {
        if (path === 'files/same') continue
        const { bytes } = await peer.files.get(path)
        const content = Buffer.concat(await Array.fromAsync(bytes))
        assert.ok(content.equals(contentFor(path.replace(/-moved$/, ''), size)), `${path} is half`)
      }
      cursor = page.next
    } while (cursor !== undefined)
    // What was just checked is removed, so that every round checks only its own.
    if (acknowledged.length > 0) await peer.files.remove('files', { recursive: true })
  } finally {
    await peer.stop()
  }
  return startMs
}

/** One home through half of the rounds. */
async function crashHome(random: SeededRandom, home: string, count: number): Promise<Seen> {
  const seen: Seen = { kills: 0, files: 0, slowest: 0 }
  let pending: Acknowledged[] = []
  for (let round = 0; round < count; round++) {
    const acknowledged = await writeAndKill(home, round, random)
    seen.kills += 1
    seen.files += acknowledged.length
    pending.push(...acknowledged)
    if (round % 9 !== 8 && round !== count - 1) continue
    seen.slowest = Math.max(seen.slowest, await check(home, pending))
    pending = []
  }
  return seen
}

interface Seen {
  kills: number
  files: number
  slowest: number
}

test(`${rounds} kills while files are put lose nothing (SEED=${seed})`, { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const random = new SeededRandom(seed)
  const halves = await Promise.all(
    ['one', 'two'].map((name) => crashHome(random.fork(), join(folder, name), rounds / 2)),
  )
  const sum = (key: 'kills' | 'files'): number => halves.reduce((all, half) => all + half[key], 0)
  const [kills, files] = [sum('kills'), sum('files')]
  const slowest = Math.max(...halves.map((half) => half.slowest))
  t.diagnostic(`${kills} kills, ${files} files acknowledged, slowest start ${Math.round(slowest)} ms`)
  // Two or three a kill; far fewer on a machine that does much else.
  assert.ok(files > rounds / 5, `only ${files} files were acknowledged`)
  assert.ok(slowest < 5000, `a start took ${slowest} ms`)
})
