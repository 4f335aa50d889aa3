import assert from 'node:assert/strict'
import test from 'node:test'
import { Budget } from './budget.ts'

test('bytes are taken and given back once', async () => {
  const budget = new Budget(100)
  const give = await budget.take(60)
  assert.equal(budget.free, 40)
  give()
  give()
  assert.equal(budget.free, 100)
})

test('whoever came first is served first, though a later one would fit', async () => {
  const budget = new Budget(100)
  const order: string[] = []
  const give = await budget.take(80)
  const large = budget.take(90).then((back) => (order.push('large'), back))
  const small = budget.take(10).then((back) => (order.push('small'), back))
  await Promise.resolve()
  assert.deepEqual(order, [])
  give()
  const backs = await Promise.all([large, small])
  assert.deepEqual(order, ['large', 'small'])
  assert.equal(budget.free, 0)
  for (const back of backs) back()
  assert.equal(budget.free, 100)
})

test('more than the whole waits for all of it, and does not wait for ever', async () => {
  const budget = new Budget(10)
  const give = await budget.take(1)
  const all = budget.take(1000)
  give()
  const back = await all
  assert.equal(budget.free, 0)
  back()
  assert.equal(budget.free, 10)
})

test('an aborted wait leaves the queue and lets the next one in', async () => {
  const budget = new Budget(10)
  const give = await budget.take(5)
  const stop = new AbortController()
  const large = budget.take(10, stop.signal)
  const small = budget.take(5)
  stop.abort(new Error('enough'))
  await assert.rejects(large, /enough/)
  await small
  give()
  assert.equal(budget.free, 5)
  await assert.rejects(budget.take(1, stop.signal), /enough/)
})

test('use gives back after success and failure', async () => {
  const budget = new Budget(10)
  assert.equal(await budget.use(10, () => Promise.resolve(budget.free)), 0)
  await assert.rejects(
    budget.use(10, () => Promise.reject(new Error('no'))),
    /no/,
  )
  assert.equal(budget.free, 10)
})
