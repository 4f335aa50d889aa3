import assert from 'node:assert/strict'
import test from 'node:test'
import { realClock, timeText } from './clock.ts'

test('the real clock sleeps, and stops sleeping when told to', async () => {
  const before = realClock.monotonicMs()
  await realClock.sleep(5)
  assert.ok(realClock.monotonicMs() > before)
  await assert.rejects(realClock.sleep(60_000, AbortSignal.abort()), { name: 'AbortError' })
})

test('after runs once, and not when cancelled', async () => {
  let runs = 0
  realClock.after(1, () => (runs += 1))
  realClock.after(1, () => (runs += 100))()
  await realClock.sleep(30)
  assert.equal(runs, 1)
})

test('times are RFC 3339 in UTC', () => {
  assert.equal(timeText(Date.UTC(2026, 10, 21, 13, 4, 5, 6)), '2026-11-21T13:04:05.006Z')
})
