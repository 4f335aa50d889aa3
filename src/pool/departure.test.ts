import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkId } from '../base/words.ts'
import { Peers, type TestPeer } from '../../test/sim/pools.ts'

/** Chunks of a peer that too few others have, by the index or proved. */
async function lackingOf(peer: TestPeer, proved: boolean): Promise<number> {
  const { departure } = peer.pool
  let lacking = 0
  let after: ChunkId | undefined
  do {
    const looking = proved ? departure.prove(after, new AbortController().signal) : departure.look(after)
    const looked = await peer.all.clock.until(looking, 60_000)
    lacking += looked.lacking
    after = looked.next
  } while (after !== undefined)
  return lacking
}

function retire(peer: TestPeer): void {
  const { all } = peer
  all.members.set(peer.id, { ...all.members.get(peer.id)!, keeps: false })
  all.changed()
}

test('a device that goes brings all it keeps to others, at once and by itself', async () => {
  const all = new Peers(31)
  const [a, b, c, d] = await all.addAll(['a', 'b', 'c', 'd'])
  await all.advance(1_000)
  const ids = await a!.upload(700)
  await all.advance(10_000)
  const mine = ids.filter((id) => all.holders(id).includes('b')).length
  assert.equal(await lackingOf(b!, false), mine)
  retire(b!)
  await all.advance(60_000)
  assert.equal(await lackingOf(b!, false), 0)
  assert.equal(await lackingOf(b!, true), 0)
  for (const id of ids)
    for (const peer of [a!, c!, d!]) assert.ok(peer.store.bytes.has(id), `${peer.name} lacks a chunk`)
  await all.close()
})

test('who has lost a chunk that he was known for proves nothing, and it is copied again', async () => {
  const all = new Peers(32)
  const [a, b, c] = await all.addAll(['a', 'b', 'c'])
  await all.advance(1_000)
  const ids = await a!.upload(40)
  await all.advance(10_000)
  retire(b!)
  await all.advance(60_000)
  const [gone, rotten] = [ids[3]!, ids[5]!]
  c!.store.bytes.delete(gone)
  c!.store.bytes.get(rotten)![0]! ^= 1
  assert.equal(await lackingOf(b!, false), 0)
  assert.equal(await lackingOf(b!, true), 2)
  assert.equal(await lackingOf(b!, false), 2)
  await all.close()
})

test('of chunks that only go once others prove to have them, those that are not there are named', async () => {
  const all = new Peers(34)
  const [a, , c] = await all.addAll(['a', 'b', 'c'])
  await all.advance(1_000)
  const ids = await a!.upload(40)
  await all.advance(10_000)
  const unproved = (others: number): Promise<ChunkId[]> =>
    all.clock.until(a!.pool.unproved(ids, others), 60_000)
  assert.deepEqual(await unproved(2), [])
  // It says that it keeps them, and does not.
  c!.store.bytes.delete(ids[3]!)
  c!.store.bytes.delete(ids[17]!)
  assert.deepEqual(new Set(await unproved(2)), new Set([ids[3], ids[17]]))
  assert.deepEqual(await unproved(1), [])
  await all.close()
})

test('while others cannot be reached nothing counts as moved', async () => {
  const all = new Peers(33)
  const [a, b, c] = await all.addAll(['a', 'b', 'c'])
  await all.advance(1_000)
  const ids = await a!.upload(20)
  await all.advance(10_000)
  retire(b!)
  await all.advance(60_000)
  all.world.cut(b!.id, c!.id)
  await all.advance(60_000)
  assert.equal(await lackingOf(b!, false), ids.length)
  const last = await a!.record()
  await all.advance(5_000)
  const signal = new AbortController().signal
  assert.equal(await all.clock.until(b!.pool.departure.hasBatch(a!.id, last, signal)), true)
  const own = await b!.record()
  all.world.cut(a!.id, b!.id)
  await assert.rejects(all.clock.until(b!.pool.departure.hasBatch(a!.id, own, signal), 120_000))
  await all.close()
})
