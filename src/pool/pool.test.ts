import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkId } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { folder, Peers, type TestPeer } from '../../test/sim/pools.ts'

async function readAll(peer: TestPeer, ids: readonly ChunkId[]): Promise<number> {
  let count = 0
  const reading = (async () => {
    for await (const { id, bytes } of peer.pool.getAll(ids)) {
      assert.equal(id, ids[count])
      assert.equal(hash(bytes).toString('hex'), id)
      count += 1
    }
  })()
  await peer.all.clock.until(reading, 600_000)
  return count
}

test('every chunk gets three copies on distinct devices', async () => {
  const all = new Peers(1)
  const [a] = await all.addAll(['a', 'b', 'c', 'd', 'e'])
  await all.advance(1_000)
  const ids = await a!.upload(300)
  await all.advance(10_000)
  for (const id of ids) assert.equal(all.holders(id).length, 3)
  assert.ok((all.world.asked.get('chunks.offer') ?? 0) <= 16)
  await all.close()
})

test('any two of four peers die and every chunk is read from the others', async () => {
  const all = new Peers(2)
  const names = ['a', 'b', 'c', 'd']
  const peers = await all.addAll(names)
  await all.advance(1_000)
  const ids = (await Promise.all(peers.map((peer) => peer.upload(50)))).flat()
  await all.advance(10_000)
  await peers[0]!.crash()
  await peers[2]!.crash()
  for (const peer of [peers[1]!, peers[3]!]) assert.equal(await readAll(peer, ids), ids.length)
  await all.close()
})

test('holdings and records reach every peer, also when the author never meets it', async () => {
  const all = new Peers(3)
  const [a, b, c] = await all.addAll(['a', 'b', 'c'])
  all.world.cut(a!.id, c!.id)
  await all.advance(15_000)
  const hashes = []
  for (let index = 0; index < 20; index++) hashes.push(await a!.record())
  await all.advance(5_000)
  for (const peer of [b!, c!])
    for (const record of hashes) assert.ok(peer.store.batches.has(record), peer.name)
  await all.close()
})

test('a pool that grows brings old chunks to three copies', async () => {
  const all = new Peers(4)
  const a = await all.add('a')
  const ids = await a.upload(40)
  await all.advance(5_000)
  await all.addAll(['b', 'c', 'd'])
  await all.advance(120_000)
  for (const id of ids) assert.equal(all.holders(id).length, 3)
  await all.close()
})

test('a revoked peer is no holder: its copies are made anew at once', async () => {
  const all = new Peers(5)
  const [a, b, c, d] = await all.addAll(['a', 'b', 'c', 'd'])
  await all.advance(1_000)
  const ids = await a!.upload(60)
  await all.advance(5_000)
  all.revoke(b!)
  await b!.crash()
  await all.advance(60_000)
  for (const id of ids) {
    const live = [a!, c!, d!].filter(({ store }) => store.bytes.has(id)).length
    assert.equal(live, 3)
  }
  await all.close()
})

test('a peer that is away for less than its grace causes no copies, for longer it does', async () => {
  const all = new Peers(6)
  const [a, b] = await all.addAll(['a', 'b', 'c', 'd', 'e'])
  await all.advance(1_000)
  const ids = await a!.upload(60)
  await all.advance(700_000)
  const before = ids.map((id) => all.holders(id).length)
  await b!.crash()
  await all.advance(23 * 3600_000)
  assert.deepEqual(
    ids.map((id) => all.holders(id).length),
    before,
  )
  await all.advance(2 * 3600_000)
  for (const id of ids) assert.equal(all.holders(id).filter((name) => name !== 'b').length, 3)
  await all.close()
})

test('durable waits for holders and reports what was reached', async () => {
  const all = new Peers(7)
  const [a] = await all.addAll(['a', 'b', 'c'])
  await all.advance(1_000)
  const ids = await a!.upload(10)
  assert.equal(await all.clock.until(a!.pool.durable(ids, 3, 30_000)), 3)
  assert.equal(await all.clock.until(a!.pool.durable(ids, 4, 3_000)), 3)
  assert.equal(a!.pool.want(folder), 3)
  await all.close()
})
