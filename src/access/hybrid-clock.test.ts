import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { HybridClock } from './hybrid-clock.ts'

const start = Date.UTC(2026, 0, 1)

test('times only grow, also when the wall clock stands or jumps back', async () => {
  const wall = new ManualClock(start)
  const time = new HybridClock(wall)
  assert.deepEqual(time.next(), { ms: start, counter: 0 })
  assert.deepEqual(time.next(), { ms: start, counter: 1 })
  wall.jump(-1000)
  assert.deepEqual(time.next(), { ms: start, counter: 2 })
  await wall.advance(5000)
  assert.deepEqual(time.next(), { ms: start + 4000, counter: 0 })
})

test('a time is later than all observed, but the future leads nowhere', () => {
  const time = new HybridClock(new ManualClock(start))
  time.observe({ ms: start + limits.clockAheadMs, counter: 0xffff })
  assert.deepEqual(time.next(), { ms: start + limits.clockAheadMs + 1, counter: 0 })
  const future = { ms: start + limits.clockAheadMs + 1, counter: 0 }
  assert(time.isFuture(future))
  assert.equal(time.untilPresent(future), 1)
  const fresh = new HybridClock(new ManualClock(start))
  fresh.observe({ ms: start + 1e9, counter: 0 })
  assert.deepEqual(fresh.next(), { ms: start, counter: 0 })
})
