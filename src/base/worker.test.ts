import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { fail } from './errors.ts'
import { createLog, silentLog } from './log.ts'
import { WorkerRunner, type Worker, type WorkResult } from './worker.ts'

type Step = (count: number, clock: ManualClock, signal: AbortSignal) => Promise<WorkResult> | WorkResult

/** A worker that notes the time of each step and does what `step` says. */
function noting(clock: ManualClock, step: Step) {
  const times: number[] = []
  const worker: Worker = {
    name: 'noting',
    work: async (signal) => {
      times.push(clock.monotonicMs())
      return step(times.length, clock, signal)
    },
    status: () => `${times.length} steps`,
  }
  return { worker, times }
}

function run(step: Step) {
  const clock = new ManualClock()
  const { worker, times } = noting(clock, step)
  const runner = new WorkerRunner(clock, silentLog)
  runner.add(worker)
  return { clock, times, runner }
}

test('works at once while there is more, then waits as long as the worker says', async () => {
  const { clock, times, runner } = run((count) => (count < 4 ? 'more' : { waitMs: 1000 }))
  await clock.advance(2500)
  assert.deepEqual(times, [0, 0, 0, 0, 1000, 2000])
  assert.deepEqual(runner.list(), [{ name: 'noting', state: 'waiting', status: '6 steps', steps: 6 }])
  await runner.stop()
  assert.equal(clock.waiting, 0)
})

test('wake ends a wait; one for an unknown worker does nothing', async () => {
  const { clock, times, runner } = run(() => ({ waitMs: 60_000 }))
  await clock.advance(100)
  runner.wake('nobody')
  runner.wake('noting')
  await clock.advance(59_999)
  assert.deepEqual(times, [0, 100])
  await runner.stop()
})

test('a wake during a step is not lost, and works once', async () => {
  const { clock, times, runner } = run(async (_, clock) => {
    await clock.sleep(10)
    return { waitMs: 60_000 }
  })
  await clock.advance(5)
  runner.wake('noting')
  runner.wake('noting')
  await clock.advance(1000)
  assert.deepEqual(times, [0, 10])
  await runner.stop()
})

test('a paused worker rests until it goes on, even when it is woken', async () => {
  const { clock, times, runner } = run(() => ({ waitMs: 100 }))
  await clock.advance(150)
  runner.pause('noting', true)
  await clock.advance(1000)
  runner.wake('noting')
  await clock.advance(1000)
  assert.deepEqual(times, [0, 100])
  assert.equal(runner.list()[0]?.state, 'paused')
  runner.pause('noting', false)
  await clock.advance(50)
  assert.deepEqual(times, [0, 100, 2150])
  await runner.stop()
})

test('a pause during a step lets the step end and starts no other', async () => {
  const { clock, times, runner } = run(async (_, clock): Promise<WorkResult> => {
    await clock.sleep(10)
    return 'more'
  })
  await clock.advance(5)
  runner.pause('noting', true)
  await clock.advance(1000)
  assert.deepEqual(times, [0])
  await runner.stop()
})

test('a failing step is logged, shown, and tried again later', async () => {
  const clock = new ManualClock()
  const lines: string[] = []
  const runner = new WorkerRunner(
    clock,
    createLog((level, message, fields) => lines.push(`${level} ${message} ${String(fields['code'])}`)),
  )
  const { worker, times } = noting(clock, (count) => {
    if (count === 1) throw fail('DISK_FULL', { path: '/data' })
    return { waitMs: 60_000 }
  })
  runner.add(worker)
  await clock.advance(1)
  assert.deepEqual(runner.list(), [
    {
      name: 'noting',
      state: 'failed',
      status: '1 steps',
      steps: 0,
      lastError: 'the disk that holds /data is full',
    },
  ])
  assert.deepEqual(lines, ['warn worker step failed DISK_FULL'])
  await clock.advance(10_000)
  assert.deepEqual(times, [0, 5000])
  assert.deepEqual(runner.list(), [{ name: 'noting', state: 'waiting', status: '2 steps', steps: 1 }])
  await runner.stop()
})

test('stop aborts the step in flight, waits for it, and starts nothing more', async () => {
  let ended = false
  const { clock, times, runner } = run(async (_, clock, signal) => {
    await assert.rejects(clock.sleep(60_000, signal))
    ended = true
    throw new Error('aborted')
  })
  await clock.advance(10)
  await runner.stop()
  assert.equal(ended, true)
  await clock.advance(120_000)
  assert.deepEqual(times, [0])
  assert.equal(runner.list()[0]?.lastError, undefined)
})

test('stop ends waits and pauses of all workers', async () => {
  const { clock, runner } = run(() => ({ waitMs: 60_000 }))
  runner.add({ ...noting(clock, () => 'more').worker, name: 'paused', work: async () => ({ waitMs: 1 }) })
  await clock.advance(10)
  runner.pause('paused', true)
  await clock.advance(10)
  await runner.stop()
  assert.equal(clock.waiting, 0)
})

test('a paused worker takes no step until it is resumed; run asks for a round at once', async () => {
  const clock = new ManualClock()
  const { worker, times } = noting(clock, () => ({ waitMs: 60_000 }))
  let hurried = 0
  const runner = new WorkerRunner(clock, silentLog, ['noting', 'somebody who is not here'])
  runner.add({ ...worker, hurry: () => (hurried += 1) })
  await clock.advance(100)
  assert.deepEqual([times, runner.paused()], [[], ['noting']])
  assert.throws(() => runner.run('noting'), { code: 'WORKER_PAUSED' })
  assert.throws(() => runner.pause('nobody', true), { code: 'WORKER_UNKNOWN' })
  runner.pause('noting', false)
  await clock.advance(50)
  runner.run('noting')
  await clock.advance(50)
  assert.deepEqual([times, hurried, runner.paused()], [[100, 150], 1, []])
  await runner.stop()
})
