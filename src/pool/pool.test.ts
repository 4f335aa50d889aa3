import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import { decode, encode } from '../codec/cbor-schema.ts'
import { hash, keyed } from '../codec/hash.ts'
import { folder, Peers, type TestPeer } from '../../test/sim/pools.ts'
import type { RemoteStore } from './remote-store.ts'
import { chunksAsked, notice, offer } from './wire.ts'

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

test('chunks of priority files get the most copies, and before others', async () => {
  const all = new Peers(14)
  const [a] = await all.addAll(['a', 'b', 'c', 'd', 'e', 'f'])
  await all.advance(1_000)
  const ids = await a!.write(300)
  const chosen = new Set(ids.slice(100, 110))
  for (const { store } of all.peers.values()) for (const id of chosen) store.priority.add(id)
  const order: ChunkId[] = []
  all.world.tap = (from, _to, name, bytes) => {
    if (from === a!.id && name === 'chunks.offer' && bytes.byteLength > 5)
      order.push(...decode(offer, bytes, 'an offer', limits.requestBodyBytes).chunks.map(([id]) => id))
  }
  a!.pool.wantsChanged()
  await all.advance(60_000)
  for (const id of ids) assert.equal(all.holders(id).length, chosen.has(id) ? 5 : 3)
  assert.ok(order.slice(0, chosen.size * 2).every((id) => chosen.has(id)))
  assert.equal(a!.pool.mending(), undefined)
  await all.close()
})

test('what has the fewest copies left is mended first', async () => {
  const all = new Peers(15)
  const [a, b] = await all.addAll(['a', 'b', 'c', 'd'])
  await all.advance(700_000)
  const ids = await a!.write(60)
  const two = new Set(ids.slice(0, 30))
  for (const id of two) await b!.store.put([{ id, bytes: a!.store.bytes.get(id)!, pins: [a!.pin] }])
  b!.pool.announce()
  await all.advance(1_000)
  const order: ChunkId[] = []
  all.world.tap = (from, _to, name, bytes) => {
    if (from === a!.id && name === 'chunks.offer' && bytes.byteLength > 5)
      order.push(...decode(offer, bytes, 'an offer', limits.requestBodyBytes).chunks.map(([id]) => id))
  }
  a!.pool.wantsChanged()
  await all.advance(60_000)
  for (const id of ids) assert.equal(all.holders(id).length, 3)
  const firstOfTwo = order.findIndex((id) => two.has(id))
  assert.ok(
    order.slice(0, 30).every((id) => !two.has(id)),
    `a chunk with two copies came at ${firstOfTwo}`,
  )
  await all.close()
})

test('a revoked peer is no holder: its copies are made anew at once', async () => {
  const all = new Peers(5)
  const [a, b, c, d] = await all.addAll(['a', 'b', 'c', 'd'])
  await all.advance(1_000)
  const ids = await a!.upload(60)
  await all.advance(5_000)
  const lost = ids.filter((id) => all.holders(id).includes('b')).length
  let offered = 0
  all.world.tap = (_from, _to, name, bytes) => {
    // A request is longer than a line of its answer.
    if (name === 'chunks.offer' && bytes.byteLength > 5)
      offered += decode(offer, bytes, 'an offer', limits.requestBodyBytes).chunks.length
  }
  all.revoke(b!)
  await b!.crash()
  await all.advance(60_000)
  for (const id of ids) {
    const live = [a!, c!, d!].filter(({ store }) => store.bytes.has(id)).length
    assert.equal(live, 3)
  }
  // One holder saw to each chunk, the others left it to him.
  assert.equal(offered, lost)
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
  await all.advance(24 * 3600_000 - 60_000)
  assert.deepEqual(
    ids.map((id) => all.holders(id).length),
    before,
  )
  await all.advance(2 * 60_000)
  for (const id of ids) assert.equal(all.holders(id).filter((name) => name !== 'b').length, 3)
  await all.close()
})

test('the grace of an absent device is a setting', async () => {
  const all = new Peers(9)
  all.repairGraceMs = 3_600_000
  const [a, b] = await all.addAll(['a', 'b', 'c', 'd'])
  await all.advance(1_000)
  const ids = await a!.upload(40)
  await all.advance(10_000)
  await b!.crash()
  const live = (id: ChunkId): number => all.holders(id).filter((name) => name !== 'b').length
  await all.advance(3_000_000)
  assert.ok(ids.some((id) => live(id) === 2))
  await all.advance(1_800_000)
  for (const id of ids) assert.equal(live(id), 3)
  await all.close()
})

test('a transfer reads from as many devices at once as it may', async () => {
  for (const most of [1, 2]) {
    const all = new Peers(10)
    all.sourcesAtOnce = () => most
    const [a] = await all.addAll(['a', 'b', 'c'])
    const reader = await all.add('reader', { keeps: false })
    await all.advance(1_000)
    const ids = await a!.upload(400)
    await all.advance(10_000)
    const sources = new Set<string>()
    const reading = Array.fromAsync(reader.pool.getAll(ids, { onSource: (peer) => sources.add(peer) }))
    assert.equal((await all.clock.until(reading, 600_000)).length, ids.length)
    assert.equal(sources.size, most)
    await all.close()
  }
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

test('with one reachable copy left the absent count for ten minutes only', async () => {
  const all = new Peers(8)
  const [a, b, c, d] = await all.addAll(['a', 'b', 'c', 'd'])
  await all.advance(1_000)
  const ids = await a!.upload(60)
  await all.advance(15 * 60_000)
  const alone = ids.filter((id) => all.holders(id).join() === 'a,b,c')
  assert.ok(alone.length > 5)
  await b!.crash()
  await c!.crash()
  await all.advance(9 * 60_000)
  assert.ok(alone.every((id) => !d!.store.bytes.has(id)))
  await all.advance(2 * 60_000)
  assert.ok(alone.every((id) => d!.store.bytes.has(id)))
  await all.close()
})

test('a feed of many pages arrives whole', async () => {
  const all = new Peers(9)
  const a = await all.add('a')
  const first = await a.record()
  const ids = await a.write(20_000, 304)
  const last = await a.record()
  await all.add('s', { keeps: false })
  await all.advance(20_000)
  const s = all.peers.get('s')!
  assert.ok(s.hasRecord(first) && s.hasRecord(last))
  for (const holders of s.store.read.holders(ids).values()) assert.deepEqual(holders, [a.id])
  await all.close()
})

test('an index made anew is read from its beginning, and what the disk lost is known', async () => {
  const all = new Peers(10)
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(1_000)
  const ids = await a!.upload(30)
  await all.advance(2_000)
  await b!.crash()
  const [gone, ...left] = ids
  b!.store.bytes.delete(gone!)
  await b!.forgetIndex()
  // Nothing can be brought back while there is no room: the news alone is looked at.
  b!.store.contributed = b!.store.usedBytes
  await b!.start()
  const own = await b!.record()
  await all.advance(5_000)
  const known = a!.store.read.holders(ids)
  assert.ok(!known.get(gone!)!.includes(b!.id))
  for (const id of left) assert.ok(known.get(id)!.includes(b!.id))
  assert.ok(a!.hasRecord(own))
  await all.close()
})

test('a notice that comes while the feed is read is not forgotten', async () => {
  const all = new Peers(31)
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(2_000)
  for (let round = 0; round < 40; round++) {
    const hashes = []
    for (let index = 0; index < 4; index++) {
      hashes.push(await a!.record())
      await all.advance(5 + Math.floor(all.random.number() * 60))
    }
    // Long enough for every notice, far shorter than the next hello.
    await all.advance(2_000)
    for (const record of hashes) assert.ok(b!.store.batches.has(record), `round ${round}`)
  }
  await all.close()
})

test('hello tells the statements of a whole pool, each as long as may be', async () => {
  const all = new Peers(31)
  const [a, b] = await all.addAll(['a', 'b'])
  const statements = Array.from({ length: limits.peers - 2 }, (_, index) => ({
    device: a!.device,
    bytes: Buffer.alloc(limits.statementBytes, index),
  }))
  a!.store.read.statements = () => statements
  await all.advance(1_000)
  const record = await a!.record()
  await all.advance(5_000)
  assert.ok(b!.hasRecord(record))
  await all.close()
})

test('a device that states something new all the time is passed on a few times a second', async () => {
  const all = new Peers(32)
  const [a, b, c] = await all.addAll(['a', 'b', 'c'])
  await all.advance(20_000)
  const latest = new Map<string, Buffer>()
  const admit = (bytes: Uint8Array): Promise<boolean> => {
    latest.set('a', Buffer.from(bytes))
    return Promise.resolve(true)
  }
  b!.store.read.statements = () => [...latest.values()].map((bytes) => ({ device: a!.device, bytes }))
  b!.admitStatement = admit
  const passed: Uint8Array[] = []
  c!.admitStatement = (bytes) => Promise.resolve(passed.push(bytes) < 0)
  for (let index = 0; index < 100; index++) {
    const head = encode(notice, {
      database: a!.backing.database,
      change: 0,
      statements: [Buffer.alloc(100, index)],
    })
    await all.clock.until(a!.network.request(b!.id, 'feed.notify', head), 10_000)
  }
  await all.advance(1_000)
  assert.ok(passed.length >= 1 && passed.length < 20, `${passed.length} of 100`)
  assert.deepEqual(Buffer.from(passed.at(-1)!), Buffer.alloc(100, 99))
  await all.close()
})

test('the feed of a database restored from an older copy is read from its beginning', async () => {
  const all = new Peers(34)
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(1_000)
  const ids = await a!.upload(20)
  await all.advance(5_000)
  await a!.crash()
  const { database, bytes } = a!.store
  for (const id of ids.slice(10)) bytes.delete(id)
  await a!.forgetIndex()
  Object.assign(a!.store, { database })
  await a!.start()
  await all.advance(5_000)
  const record = await a!.record()
  await all.advance(5_000)
  assert.ok(b!.hasRecord(record))
  await all.close()
})

test('a damaged chunk proves nothing, and leaves the holdings of its holder', async () => {
  const all = new Peers(35)
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(1_000)
  const ids = await a!.upload(2)
  await all.advance(5_000)
  const [good, bad] = ids
  const bytes = b!.store.bytes.get(bad!)!
  b!.store.bytes.set(bad!, Buffer.from(bytes.toReversed()))
  const nonce = all.random.bytes(32)
  const proofs = await all.clock.until((a!.pool.storeOf(b!.id) as RemoteStore).challenge(nonce, ids))
  assert.deepEqual(proofs[0], keyed(nonce, a!.store.bytes.get(good!)!))
  assert.equal(proofs[1], undefined)
  await all.advance(60_000)
  // Mended from the copy that is whole.
  assert.deepEqual(b!.store.bytes.get(bad!), bytes)
  await all.close()
})

test('answers with chunks that one peer reads are counted, prefixes are hex', async () => {
  const all = new Peers(36)
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(1_000)
  const ids = await a!.write(1, 300_000)
  const head = encode(chunksAsked, { ids })
  const answers = []
  const code = async (asking: Promise<unknown>): Promise<string> =>
    all.clock.until(asking).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    )
  for (let count = 0; count < limits.getsPerPeer; count++)
    answers.push(await all.clock.until(b!.network.request(a!.id, 'chunks.get', head)))
  const bodies = answers.map(({ body }) => body[Symbol.asyncIterator]())
  for (const body of bodies) await all.clock.until(body.next())
  assert.equal(await code(b!.network.request(a!.id, 'chunks.get', head)), 'RATE_LIMITED')
  for (const body of bodies) await body.return?.()
  await all.advance(5_000)
  assert.equal(await code(b!.network.request(a!.id, 'chunks.get', head)), 'answered')
  const listed = (prefix: string): Promise<unknown> => Array.fromAsync(b!.pool.storeOf(a!.id).list(prefix))
  assert.equal(await code(listed('zz')), 'BAD_INPUT')
  assert.equal(await code(listed(ids[0]!.slice(0, 3))), 'answered')
  await all.close()
})
