import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { inOrder } from './in-order.ts'

test('results come in order, several at once, never more than the width', async () => {
  const clock = new ManualClock()
  let running = 0
  let most = 0
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, ++running)
    await clock.sleep(10 - item)
    running -= 1
    return item * 2
  }
  const results = await clock.until(Array.fromAsync(inOrder([0, 1, 2, 3, 4, 5, 6], 3, work)))
  assert.deepEqual(results, [0, 2, 4, 6, 8, 10, 12])
  assert.equal(most, 3)
})

test('an error ends it when all in flight has ended, and takes no more items', async () => {
  const clock = new ManualClock()
  let taken = 0
  let ended = 0
  const items = function* (): Generator<number> {
    for (let item = 0; item < 100; item++) {
      taken += 1
      yield item
    }
  }
  const work = async (item: number): Promise<number> => {
    await clock.sleep(item === 1 ? 1 : 50)
    ended += 1
    if (item === 1) throw new Error('broken')
    return item
  }
  const all = Array.fromAsync(inOrder(items(), 4, work))
  await assert.rejects(clock.until(all), /broken/)
  assert.equal(ended, taken)
  assert.ok(taken < 8)
})

test('a reader that stops early leaves nothing running', async () => {
  const clock = new ManualClock()
  let ended = 0
  const read = async (): Promise<void> => {
    for await (const _ of inOrder([1, 2, 3, 4, 5, 6], 3, async () => {
      await clock.sleep(5)
      ended += 1
    }))
      break
  }
  await clock.until(read())
  assert.equal(ended, 3)
})
