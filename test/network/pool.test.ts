/** The pool over real sockets and disks: what the simulator cannot show. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashHex } from '../../src/codec/hash.ts'
import { folder, realPool, write } from './real-pool.ts'

test('chunks reach two others, and are read back after the writer is gone', async (t) => {
  const [a, b, c] = await realPool(t, 3)
  const large = await write(a!, 24, 500_000)
  const small = await write(a!, 600, 500)
  const ids = [...large, ...small]
  a!.pool.replicate(folder, ids)
  assert.equal(await a!.pool.durable(ids, 3, 60_000), 3)
  for (const peer of [b!, c!]) assert.ok((await peer.store.chunks.has(ids)).every((is) => is))
  await a!.stop()
  for (const id of large.slice(0, 12)) await b!.store.commit({ drops: [id] })
  const got = []
  for await (const { id, bytes } of b!.pool.getAll(ids)) {
    assert.equal(hashHex(bytes), id)
    got.push(id)
  }
  assert.deepEqual(got, ids)
})
