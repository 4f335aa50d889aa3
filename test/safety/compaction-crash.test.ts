/**
 * kill -9 at random points of a real peer whose segments are compacted all the time: nothing
 * acknowledged is lost, the next start takes under five seconds, and the disk gets back what died.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../peer-fixture.ts'
import { SeededRandom } from '../sim/seeded-random.ts'

const rounds = 20
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

interface Run {
  files: Map<string, number>
  compacted: number
  startMs: number
}

type Line = { startMs?: number; compacted?: number; path?: string; size?: number }

/** Runs the program; `killAfterMs` after the first compaction it is killed, without that it ends by itself. */
async function run(args: readonly string[], killAfterMs?: number): Promise<Run> {
  // Its threads get the small limits too.
  const small = new URL('./small-segments.ts', import.meta.url).href
  const program = fileURLToPath(new URL('compaction-writer.ts', import.meta.url))
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'peerstor-test-compiled') }
  const child = spawn(process.execPath, ['--import', small, program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const found: Run = { files: new Map(), compacted: 0, startMs: 0 }
  const lines = createInterface({ input: child.stdout })
  const closed = once(lines, 'close')
  lines.on('line', (line) => {
    // A line cut by the kill was never acknowledged.
    if (!line.endsWith('}')) return
    const told = JSON.parse(line) as Line
    if (told.path !== undefined) found.files.set(told.path, told.size!)
    if (told.startMs !== undefined) found.startMs = told.startMs
    if (told.compacted === undefined) return
    if (found.compacted === 0 && told.compacted > 0 && killAfterMs !== undefined)
      setTimeout(() => child.kill('SIGKILL'), killAfterMs)
    found.compacted = told.compacted
  })
  const ended = await once(child, 'exit')
  await closed
  assert.deepEqual(ended, killAfterMs === undefined ? [0, null] : [null, 'SIGKILL'])
  return found
}

async function crashHome(home: string, random: SeededRandom): Promise<Run> {
  const all: Run = { files: new Map(), compacted: 0, startMs: 0 }
  for (let round = 0; round < rounds / 2; round++) {
    const found = await run([home, String(round)], random.number() * 300)
    for (const [path, size] of found.files) all.files.set(path, size)
    all.compacted += found.compacted
    if (round % 5 !== 4) continue
    const list = `${home}.json`
    await writeFile(list, JSON.stringify([...all.files]))
    all.startMs = Math.max(all.startMs, (await run([home, 'read', list])).startMs)
  }
  return all
}

test(`${rounds} kills of peers that compact lose nothing (SEED=${seed})`, { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const random = new SeededRandom(seed)
  const halves = await Promise.all(['one', 'two'].map((name) => crashHome(join(folder, name), random.fork())))
  const files = halves.reduce((sum, half) => sum + half.files.size, 0)
  const compacted = halves.reduce((sum, half) => sum + half.compacted, 0)
  const startMs = Math.max(...halves.map((half) => half.startMs))
  t.diagnostic(`${files} files, ${compacted} segments compacted, slowest start ${Math.round(startMs)} ms`)
  assert.ok(compacted > 0, 'no segment was compacted')
  assert.ok(files > rounds, `only ${files} files were acknowledged`)
  assert.ok(startMs < 5000, `a start took ${startMs} ms`)
})
