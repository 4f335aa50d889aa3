/** What must not be forgotten while feeds are read: told changes, missing records. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peers, type TestPeer } from '../../test/sim/pools.ts'
import { fail } from '../base/errors.ts'
import type { RecordHash } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Batch } from '../codec/record.ts'
import { notice } from './wire.ts'

const minute = 60_000

async function pairOf(seed: number): Promise<{ all: Peers; a: TestPeer; b: TestPeer }> {
  const all = new Peers(seed, { delayMs: [1, 1] })
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(10_000)
  return { all, a: a!, b: b! }
}

/** Until the returned function is called, `peer` cannot read this batch from its disk. */
function damage(peer: TestPeer, last: RecordHash): () => void {
  const { store } = peer
  const whole = store.batch.bind(store)
  store.batch = (hash): Promise<Batch> =>
    hash === last
      ? Promise.reject(fail('SEGMENT_DAMAGED', { name: 'seg-00000001.log', offset: 0 }))
      : whole(hash)
  return () => (store.batch = whole)
}

test('records that a peer could not read are asked for again, and what follows them waits', async (t) => {
  const { all, a, b } = await pairOf(1)
  t.after(() => all.close())
  const writing = a.record()
  const first = await writing
  const mend = damage(a, first)
  const trust = (): number => b.pool.health().find(({ peer }) => peer === a.id)!.reputation
  const before = trust()
  const second = await a.record()
  const [chunk] = await a.write(1)
  a.pool.announce()
  await all.advance(10_000)
  assert.deepEqual([b.hasRecord(first), b.hasRecord(second)], [false, false])
  // What else the feed says arrives all the same, and nobody is blamed.
  assert.ok(b.backing.read.holders([chunk!]).get(chunk!)!.includes(a.id))
  assert.ok(trust() >= before)
  mend()
  await all.advance(2 * minute)
  assert.deepEqual([b.hasRecord(first), b.hasRecord(second)], [true, true])
})

test('what is missing is asked for again after a restart', async (t) => {
  const { all, a, b } = await pairOf(2)
  t.after(() => all.close())
  const first = await a.record()
  const mend = damage(a, first)
  await all.advance(10_000)
  await b.crash()
  mend()
  await b.start()
  await all.advance(10_000)
  assert.equal(b.hasRecord(first), true)
})

test('a notice that was overtaken by a later one takes nothing back', async (t) => {
  const { all, a, b } = await pairOf(3)
  t.after(() => all.close())
  const { database } = a.backing
  all.world.delayMs = [50, 50]
  await a.record()
  const before = a.backing.read.lastChange()
  // By now `b` has the page of changes and is fetching the record.
  await all.advance(130)
  const [chunk] = await a.write(1)
  const change = a.backing.read.lastChange()
  const told = [change, before].map((change) =>
    a.network.request(b.id, 'feed.notify', encode(notice, { database, change })),
  )
  await all.clock.until(Promise.all(told))
  await all.advance(1_000)
  assert.ok(b.backing.read.holders([chunk!]).get(chunk!)!.includes(a.id))
})

test('a feed that could not be read whole is read whole soon', async (t) => {
  const { all, a, b } = await pairOf(4)
  t.after(() => all.close())
  const first = await a.record()
  await all.advance(10_000)
  // The index of `b` forgets what it holds, behind the position to which it has read.
  b.store.batches.delete(first)
  const request = b.network.request.bind(b.network)
  b.network.request = (peer, name, ...more) =>
    name === 'feed.changes'
      ? Promise.reject(fail('TIMED_OUT', { what: 'the request', timeoutMs: 1 }))
      : request(peer, name, ...more)
  await all.advance(31 * 3600_000)
  assert.equal(b.hasRecord(first), false)
  b.network.request = request
  await all.advance(20 * minute)
  assert.equal(b.hasRecord(first), true)
})
