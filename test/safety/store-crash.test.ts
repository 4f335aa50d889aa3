/** Real processes that are killed, or whose system calls fail: nothing acknowledged is lost, nothing is half visible. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import type { ChunkId } from '../../src/base/words.ts'
import { digestsOf, readAll } from '../conformance/chunk-store.ts'
import { StoreHome } from '../store-fixture.ts'
import { findTool, needsTool } from '../tools.ts'
import { chunksOf, type WriterJob } from './store-writer.ts'

const writer = join(import.meta.dirname, 'store-writer.ts')
const kills = 56
const restartMs = 5000

interface Run {
  acknowledged: { n: number; segment: number; end: number }[]
  failed: string[]
  done: boolean
}

/** Runs the writer, under `strace` with `options` when given; `onAck` may kill it. */
async function run(
  job: WriterJob,
  strace: string[] = [],
  onAck?: (count: number, kill: () => void) => void,
): Promise<Run> {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', writer, JSON.stringify(job)]
  const [program, ...args] = strace.length === 0 ? command : [findTool('strace')!, ...strace, ...command]
  const child = spawn(program!, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, UV_THREADPOOL_SIZE: strace.length === 0 ? '4' : '1' },
  })
  const result: Run = { acknowledged: [], failed: [], done: false }
  const closed = once(child, 'close')
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, ...rest] = line.split(' ')
    if (word === 'failed') result.failed.push(line)
    if (word === 'done') result.done = true
    if (word !== 'ack') continue
    const [n, segment, end] = rest.map(Number)
    result.acknowledged.push({ n: n!, segment: segment!, end: end! })
    onAck?.(result.acknowledged.length, () => child.kill('SIGKILL'))
  }
  await closed
  return result
}

/** Opens the store and compares all it shows with what was written. */
async function expectWhole(home: StoreHome, seed: number, acknowledged: ReadonlySet<number>): Promise<void> {
  const started = performance.now()
  const store = await home.open()
  assert(performance.now() - started < restartMs, 'a restart takes under 5 s')
  const seen = new Set<number>()
  for (const record of store.read.recordsOf(['version'])) {
    const { records } = await store.batch(record.batch)
    const { n, ids } = JSON.parse(Buffer.from(records[0]!.body!).toString()) as { n: number; ids: ChunkId[] }
    seen.add(n)
    const expected = new Map(chunksOf(seed, n).map(({ id, bytes }) => [id, bytes]))
    assert.deepEqual([...expected.keys()], ids)
    const found = digestsOf(await readAll(store.chunks, ids))
    assert.deepEqual(found, digestsOf(expected), `commit ${n} is whole`)
  }
  for (const n of acknowledged) assert(seen.has(n), `commit ${n} was acknowledged and is lost`)
  assert.deepEqual(
    home.lines.filter(({ level }) => level === 'error'),
    [],
  )
  await store.close()
}

async function homeOf(t: TestContext): Promise<StoreHome> {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  return home
}

const jobOf = (home: StoreHome, seed: number, more: Partial<WriterJob> = {}): WriterJob => ({
  home: home.home,
  seed,
  from: 0,
  to: 60,
  parallel: 8,
  threaded: true,
  ...more,
})

test(`killed at ${kills} random points, nothing acknowledged is lost and nothing is half visible`, async (t) => {
  const seed = Number(process.env['PEERSTOR_SEED'] ?? Math.floor(Math.random() * 1e9))
  t.diagnostic(`seed ${seed}`)
  const random = randomOf(seed)
  const home = await homeOf(t)
  const acknowledged = new Set<number>()
  let from = 0
  for (let kill = 0; kill < kills; kill += 1) {
    const to = from + 400
    const after = 1 + Math.floor(random() * 40)
    const delayMs = random() * 12
    const job = jobOf(home, seed, {
      from,
      to,
      threaded: kill % 4 !== 0,
      parallel: 1 + Math.floor(random() * 24),
    })
    const { acknowledged: acks, done } = await run(job, [], (count, end) => {
      if (count === after) setTimeout(end, delayMs)
    })
    assert(!done, 'it was killed before it was done')
    for (const { n } of acks) acknowledged.add(n)
    from = to
    if (kill % 8 === 7 || kill === kills - 1) await expectWhole(home, seed, acknowledged)
  }
  t.diagnostic(`${acknowledged.size} commits acknowledged, ${kills} kills`)
})

for (const k of [1, 2, 3, 5, 8]) {
  test(
    `fdatasync number ${k} fails with EIO: all is acknowledged from a new segment`,
    needsTool('strace'),
    async (t) => {
      const home = await homeOf(t)
      const log = join(home.home, 'strace.log')
      const segment = join(home.home, 'segments', 'seg-00000001.log')
      const inject = [
        '-f',
        '--seccomp-bpf',
        '-o',
        log,
        '-P',
        segment,
        '-e',
        `inject=fdatasync:error=EIO:when=${k}`,
      ]
      const { acknowledged, failed, done } = await run(jobOf(home, k, { to: 40, parallel: 2 }), [
        ...inject,
        '-e',
        'trace=fdatasync',
      ])
      assert.deepEqual([failed, done, acknowledged.length], [[], true, 40])
      const calls = (await readFile(log, 'utf8')).match(/fdatasync\(.*/g) ?? []
      assert.match(calls.at(-1)!, /EIO/, 'after its failure the segment was never synced again')
      await expectWhole(home, k, new Set(acknowledged.map(({ n }) => n)))
    },
  )
}

for (const k of [1, 2, 7]) {
  test(
    `write number ${k} finds the disk full: that commit fails, what was acknowledged stays`,
    needsTool('strace'),
    async (t) => {
      const home = await homeOf(t)
      const segment = join(home.home, 'segments', 'seg-00000001.log')
      const calls = 'pwrite64,pwritev'
      const inject = ['-f', '--seccomp-bpf', '-o', '/dev/null', '-P', segment, '-e', `trace=${calls}`]
      const options = [...inject, '-e', `inject=${calls}:error=ENOSPC:when=${k}`]
      const { acknowledged, failed } = await run(jobOf(home, k, { to: 30, parallel: 1 }), options)
      // strace counts the two calls apart.
      assert(failed.length === 1 || failed.length === 2, `${failed.length} failed`)
      for (const line of failed) assert.match(line, /is full/)
      assert.equal(acknowledged.length + failed.length, 30)
      await expectWhole(home, k, new Set(acknowledged.map(({ n }) => n)))
      const rest = await run(jobOf(home, k, { from: 100, to: 120 }))
      assert.equal(rest.acknowledged.length, 20)
      await expectWhole(home, k, new Set([...acknowledged, ...rest.acknowledged].map(({ n }) => n)))
    },
  )
}

test(
  'with slow syncs many commits share one; each is synced before it is acknowledged',
  needsTool('strace'),
  async (t) => {
    const home = await homeOf(t)
    const log = join(home.home, 'strace.log')
    const trace = [
      '-f',
      '-y',
      '--seccomp-bpf',
      '-o',
      log,
      '-s',
      '60',
      '-e',
      'trace=pwrite64,pwritev,fdatasync,write',
    ]
    const slow = ['-e', 'inject=fdatasync:delay_enter=5000']
    const { acknowledged, done } = await run(jobOf(home, 1, { to: 600, parallel: 64 }), [...trace, ...slow])
    assert.deepEqual([done, acknowledged.length], [true, 600])
    const calls = callsOf(await readFile(log, 'utf8'))
    const syncs = calls.filter(
      ({ name, begun, path }) => begun && name === 'fdatasync' && path.endsWith('.log'),
    )
    t.diagnostic(`${syncs.length} syncs for ${acknowledged.length} commits`)
    assert(syncs.length > 0 && syncs.length < acknowledged.length / 8, `${syncs.length} syncs`)
    expectSyncedBeforeAcknowledged(calls, 600)
  },
)

test(
  'the disk of the index is full for a while: commits fail, then go on; none is lost',
  needsTool('strace'),
  async (t) => {
    const home = await homeOf(t)
    // The pages that a new database begins with are no commits.
    await (await home.open()).close()
    const wal = `${home.options.database}-wal`
    const inject = ['-f', '--seccomp-bpf', '-o', '/dev/null', '-P', wal, '-e', 'trace=pwrite64']
    const options = [...inject, '-e', 'inject=pwrite64:error=ENOSPC:when=120..124']
    const { acknowledged, failed, done } = await run(jobOf(home, 5, { to: 90, parallel: 8 }), options)
    t.diagnostic(`${acknowledged.length} acknowledged, ${failed.length} failed`)
    assert(done && failed.length > 0 && acknowledged.length > 0)
    await expectWhole(home, 5, new Set(acknowledged.map(({ n }) => n)))
  },
)

interface Call {
  name: string
  path: string
  /** The call began with this line; otherwise it ended with it. Most lines are both. */
  begun: boolean
  ended: boolean
  thread: string
  text: string
}

/** Calls of an strace log in order; one that another thread interrupts has a line for its begin and its end. */
function callsOf(log: string): Call[] {
  const open = new Map<string, Call>()
  const calls: Call[] = []
  for (const line of log.split('\n')) {
    const whole = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$/.exec(line)
    const resumed = /^(\d+) +<\.\.\. (\w+) resumed>/.exec(line)
    if (whole !== null) {
      const [, thread, name, path, text] = whole
      const call = {
        thread: thread!,
        name: name!,
        path: path!,
        text: text!,
        begun: true,
        ended: !line.includes('<unfinished'),
      }
      if (!call.ended) open.set(call.thread, call)
      calls.push(call)
    } else if (resumed !== null) {
      const begun = open.get(resumed[1]!)
      if (begun !== undefined) calls.push({ ...begun, begun: false, ended: true, text: line })
    }
  }
  return calls
}

/** Replays the log: what a sync covers is what was written when it began. */
function expectSyncedBeforeAcknowledged(calls: readonly Call[], count: number): void {
  const written = new Map<string, number>()
  const covered = new Map<string, number>()
  const durable = new Map<string, number>()
  const ends = new Map<string, number>()
  let acknowledged = 0
  for (const call of calls) {
    const { name, path, begun, ended, thread, text } = call
    if (name === 'write') {
      const ack = /"ack \d+ (\d+) (\d+)\\n"/.exec(text)
      if (ack === null || !begun) continue
      acknowledged += 1
      const file = `seg-${ack[1]!.padStart(8, '0')}.log`
      const safe = [...durable].find(([name]) => name.endsWith(file))?.[1] ?? 0
      assert(safe >= Number(ack[2]), `acknowledged up to ${ack[2]} while ${safe} was synced`)
    } else if (!path.endsWith('.log')) continue
    else if (name === 'fdatasync') {
      if (begun) covered.set(path, written.get(path) ?? 0)
      if (ended) durable.set(path, covered.get(path) ?? 0)
    } else {
      if (begun) ends.set(thread, endOfWrite(text))
      if (ended) written.set(path, Math.max(written.get(path) ?? 0, endOf(ends.get(thread), text)))
    }
  }
  assert.equal(acknowledged, count)
}

/** Offset of a positional write: its last argument. */
function endOfWrite(text: string): number {
  return Number(/, (\d+)(?:\) += \d+| <unfinished)/.exec(text)?.[1])
}

function endOf(offset: number | undefined, text: string): number {
  return (offset ?? Number.NaN) + Number(/= (\d+)$/.exec(text)?.[1])
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
