import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from './manual-clock.ts'

test('timers run by time, then by age, and see their own time', async () => {
  const clock = new ManualClock(1000)
  const seen: string[] = []
  clock.after(20, () => seen.push(`c ${clock.now()}`))
  clock.after(10, () => seen.push(`a ${clock.now()}`))
  clock.after(10, () => seen.push(`b ${clock.monotonicMs()}`))
  await clock.advance(15)
  assert.deepEqual(seen, ['a 1010', 'b 10'])
  assert.equal(clock.now(), 1015)
  await clock.advance(5)
  assert.deepEqual(seen, ['a 1010', 'b 10', 'c 1020'])
})

test('timers that timers set run within the same advance', async () => {
  const clock = new ManualClock()
  const seen: number[] = []
  const loop = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(3)
      seen.push(clock.monotonicMs())
    }
  }
  void loop()
  await clock.advance(10)
  assert.deepEqual(seen, [3, 6, 9])
})

test('a cancelled timer does not run; an aborted sleep rejects with the reason and leaves nothing', async () => {
  const clock = new ManualClock()
  let ran = false
  const cancel = clock.after(5, () => (ran = true))
  cancel()
  cancel()
  const abort = new AbortController()
  const sleeping = assert.rejects(clock.sleep(5, abort.signal), /no more/)
  abort.abort(new Error('no more'))
  await sleeping
  await assert.rejects(clock.sleep(5, abort.signal), /no more/)
  assert.equal(clock.waiting, 0)
  await clock.advance(10)
  assert.equal(ran, false)
})

test('runUntilIdle ends at the last timer, or at its limit', async () => {
  const clock = new ManualClock()
  await Promise.all([clock.sleep(7_000), clock.sleep(86_400_000), clock.runUntilIdle()])
  assert.equal(clock.monotonicMs(), 86_400_000)
  const again = (): void => void clock.after(100, again)
  again()
  assert.equal(await clock.runUntilIdle(1_000), false)
  assert.equal(clock.monotonicMs(), 86_401_000)
})

test('until moves time no further than a promise needs', async () => {
  const clock = new ManualClock()
  clock.after(9_000, () => undefined)
  assert.equal(await clock.until(clock.sleep(50).then(() => 'done')), 'done')
  assert.equal(clock.monotonicMs(), 50)
  await assert.rejects(clock.until(Promise.reject(new Error('broken'))), /broken/)
  await assert.rejects(clock.until(new Promise(() => undefined), 10), /not settled after 10 ms/)
})

test('the wall clock jumps without moving timers', async () => {
  const clock = new ManualClock(0)
  let ran = false
  clock.after(100, () => (ran = true))
  clock.jump(-3_600_000)
  assert.equal(clock.now(), -3_600_000)
  await clock.advance(99)
  assert.equal(ran, false)
  await clock.advance(1)
  assert.equal(ran, true)
})
