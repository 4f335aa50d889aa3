/** Pools whose peers keep chunks and records on disks that lose power: real store, simulated disk. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkId, RecordHash } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { Peers } from '../../test/sim/pools.ts'

test('peers lose power in turn and nothing that three had is lost or doubled', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const all = new Peers(seed, { disks: true })
    const peers = await all.addAll(['a', 'b', 'c', 'd'])
    const chunks: ChunkId[] = []
    const records: RecordHash[] = []
    await all.advance(2_000)
    for (let round = 0; round < 6; round++) {
      const writer = peers[round % 4]!
      const ids = await writer.upload(40, 700)
      records.push(await writer.record())
      assert.equal(await all.clock.until(writer.pool.durable(ids, 3, 60_000)), 3)
      chunks.push(...ids)
      // In the middle of the next ones, which nobody was promised.
      await writer.upload(40, 700)
      await all.advance(5 + all.random.below(50))
      const victim = all.random.pick(peers)
      await victim.crash()
      await all.advance(30_000)
      await victim.start()
      await all.advance(30_000)
    }
    await all.advance(120_000)
    for (const peer of peers) for (const record of records) assert.ok(peer.hasRecord(record), `seed ${seed}`)
    for (const id of chunks) assert.ok(all.holders(id).length >= 3, `seed ${seed}: ${all.holders(id).join()}`)
    const reading = (async () => {
      let count = 0
      for await (const { id, bytes } of peers[0]!.pool.getAll(chunks)) {
        assert.equal(hash(bytes).toString('hex'), id)
        count += 1
      }
      return count
    })()
    assert.equal(await all.clock.until(reading, 600_000), chunks.length)
    await all.close()
  }
})

test('a chunk that rots on disk is read from another holder and gets a good copy again', async () => {
  const all = new Peers(21, { disks: true })
  const [a, b] = await all.addAll(['a', 'b', 'c'])
  await all.advance(2_000)
  const [id] = await a!.upload(1, 50_000)
  assert.equal(await all.clock.until(a!.pool.durable([id!], 3, 60_000)), 3)
  const path = b!.disk.paths().find((path) => b!.disk.bytesOf(path).length > 50_000)!
  for (let offset = 20_000; offset < 20_064; offset++) b!.disk.flip(path, offset)
  const bytes = await all.clock.until(b!.pool.get(id!))
  assert.equal(hash(bytes).toString('hex'), id)
  await all.advance(60_000)
  assert.deepEqual(all.holders(id!), ['a', 'b', 'c'])
  for await (const found of b!.backing.chunks.get([id!])) assert.equal(hash(found.bytes).toString('hex'), id)
  await all.close()
})

test('the only copy of a chunk stays on disk, damaged as it is', async () => {
  const all = new Peers(23, { disks: true })
  const a = await all.add('a')
  const [id] = await a.upload(1, 50_000)
  await all.advance(1_000)
  const path = a.disk.paths().find((path) => a.disk.bytesOf(path).length > 50_000)!
  a.disk.flip(path, 20_000, 0)
  await assert.rejects(all.clock.until(a.pool.get(id!)), { code: 'CHUNK_UNAVAILABLE' })
  await all.advance(5_000)
  assert.deepEqual(a.backing.verifier.quarantined(), [id])
  a.disk.flip(path, 20_000, 0)
  assert.equal((await all.clock.until(a.pool.scrub([id!]))).damaged, 1)
  assert.equal(hash(await all.clock.until(a.pool.get(id!))).toString('hex'), id)
  await all.close()
})

test('a device without room is passed over, and the others get the copies', async () => {
  const all = new Peers(22)
  const [a, b] = await all.addAll(['a', 'b', 'c', 'd'])
  b!.store.contributed = 20_000
  await all.advance(2_000)
  const ids = await a!.upload(200, 700)
  await all.advance(60_000)
  for (const id of ids) assert.equal(all.holders(id).length, 3)
  assert.ok(b!.store.usedBytes <= 20_000)
  await all.close()
})
