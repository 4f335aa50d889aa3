import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkId } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { Peers, type TestPeer } from '../../test/sim/pools.ts'
import { shardFolder } from './plan-shards.ts'

const chunkBytes = 100_000

/** Peers over disks, in a folder of 2+1 unless said. */
async function peersOf(
  seed: number,
  names: string,
  erasure: { k: number; m: number } | 'none' = { k: 2, m: 1 },
): Promise<{ all: Peers; peers: TestPeer[] }> {
  const all = new Peers(seed, { disks: true })
  if (erasure !== 'none') all.policy = { ...all.policy, erasure }
  const peers = await all.addAll(names.split(' '))
  await all.advance(1_000)
  return { all, peers }
}

async function readAll(peer: TestPeer, ids: readonly ChunkId[]): Promise<void> {
  const reading = (async () => {
    for await (const { id, bytes } of peer.pool.getAll(ids))
      assert.equal(hash(bytes).toString('hex'), id, peer.name)
  })()
  await peer.all.clock.until(reading, 600_000)
}

/** Of each shard of a chunk, the running peers that truly hold it. */
function shardsOf(all: Peers, id: ChunkId): string[][] {
  const any = all.peers.values().find(({ crashed }) => !crashed)
  const [coding] = any!.backing.read.codingsOf(id)
  return (coding?.shards ?? []).map((shard) => all.holders(shard))
}

function assertSharded(all: Peers, ids: readonly ChunkId[], count: number): void {
  for (const id of ids) {
    const shards = shardsOf(all, id)
    assert.equal(shards.length, count)
    for (const holders of shards) assert.ok(holders.length > 0, `${id}: ${JSON.stringify(shards)}`)
    assert.ok(new Set(shards.flat()).size >= count, `${id}: ${JSON.stringify(shards)}`)
    assert.deepEqual(all.holders(id), [], id)
  }
}

test('chunks of an erasure folder become shards on devices of their own, and nothing else stays', async () => {
  const { all, peers } = await peersOf(101, 'a b c d')
  const ids = await peers[0]!.upload(12, chunkBytes)
  const small = await peers[0]!.upload(5)
  await all.advance(30_000)
  assertSharded(all, ids, 3)
  for (const id of small) assert.equal(all.holders(id).length, 2)
  const counted = peers[3]!.pool.countedPeers()
  for (const strength of peers[3]!.pool.strengths([...ids, ...small], counted).values())
    assert.equal(strength, 2)
  for (const peer of peers) await readAll(peer, [...ids, ...small])
  await all.close()
})

test('any m devices fail and every chunk is read from the others; what was revoked is made again', async () => {
  const { all, peers } = await peersOf(102, 'a b c d e f g', { k: 4, m: 2 })
  const ids = await peers[0]!.upload(10, chunkBytes)
  await all.advance(30_000)
  assertSharded(all, ids, 6)
  await peers[0]!.crash()
  await peers[1]!.crash()
  for (const peer of peers.slice(2)) await readAll(peer, ids)
  all.revoke(peers[0]!)
  await all.advance(120_000)
  for (const id of ids) {
    // Of the six devices that are members still one is away, and counts until its grace ends.
    const shards = shardsOf(all, id)
    assert.ok(shards.filter((holders) => holders.length > 0).length >= 5, JSON.stringify(shards))
  }
  await all.close()
})

test('a storage-only device makes missing shards again', async () => {
  const { all, peers } = await peersOf(103, 'a')
  const others = []
  for (const name of ['b', 'c', 'd']) others.push(await all.add(name, { role: 'storage' }))
  await all.advance(2_000)
  const ids = await peers[0]!.upload(8, chunkBytes)
  await all.advance(30_000)
  assertSharded(all, ids, 3)
  await peers[0]!.crash()
  all.revoke(peers[0]!)
  await all.advance(60_000)
  for (const id of ids) {
    const shards = shardsOf(all, id)
    assert.ok(
      shards.every((holders) => holders.length > 0),
      JSON.stringify(shards),
    )
  }
  await readAll(others[0]!, ids)
  await all.close()
})

test('with too few devices a folder keeps copies, and shards once there are enough', async () => {
  const { all, peers } = await peersOf(104, 'a b')
  const [a] = peers
  const ids = await a!.upload(6, chunkBytes)
  await all.advance(30_000)
  assert.equal(a!.pool.scheme(all.policy.id), undefined)
  for (const id of ids) assert.equal(all.holders(id).length, 2)
  await all.addAll(['c', 'd'])
  await all.advance(60_000)
  assert.deepEqual(a!.pool.scheme(all.policy.id), { k: 2, m: 1 })
  assertSharded(all, ids, 3)
  await readAll(a!, ids)
  await all.close()
})

test('back to copies, then to other shards: never less safe on the way', async () => {
  const { all, peers } = await peersOf(105, 'a b c d e')
  const [a] = peers
  const ids = await a!.upload(6, chunkBytes)
  await all.advance(30_000)
  assertSharded(all, ids, 3)
  const least = (): number => Math.min(...a!.pool.strengths(ids, a!.pool.countedPeers()).values())
  const change = async (erasure: { k: number; m: number } | undefined, floor: number): Promise<void> => {
    all.policy = { ...all.policy, erasure }
    all.changed()
    for (let step = 0; step < 240; step++) {
      await all.advance(500)
      assert.ok(least() >= floor, `strength ${least()} below ${floor}`)
    }
  }
  await change(undefined, 2)
  for (const id of ids) {
    assert.equal(all.holders(id).length, 3)
    assert.deepEqual(shardsOf(all, id).flat(), [], 'no shard stays')
  }
  await change({ k: 3, m: 2 }, 3)
  for (const id of ids) {
    const coding = a!.backing.read.codingsOf(id).find(({ scheme }) => scheme.k === 3)
    assert.equal(new Set(coding!.shards.flatMap((shard) => all.holders(shard))).size, 5)
    assert.deepEqual(all.holders(id), [])
  }
  await change({ k: 2, m: 1 }, 2)
  assertSharded(all, ids, 3)
  await readAll(a!, ids)
  await all.close()
})

test('a shard pinned for its folder, as what it needs, is no chunk to be copied or coded', async () => {
  const { all, peers } = await peersOf(108, 'a b c d')
  const ids = [...(await peers[0]!.upload(4, chunkBytes)), ...(await peers[0]!.upload(4, 2 * chunkBytes))]
  await all.advance(30_000)
  assertSharded(all, ids, 3)
  const shards = ids.flatMap((id) => peers[0]!.backing.read.codingsOf(id)[0]!.shards)
  for (const peer of peers) {
    const here = shards.filter((id) => peer.backing.read.hasChunk(id))
    await peer.backing.commit({ pins: here.map((id) => ({ id, pin: peers[0]!.pin })) })
  }
  all.changed()
  await all.advance(120_000)
  for (const shard of shards) {
    assert.equal(all.holders(shard).length, 1)
    assert.deepEqual(peers[0]!.backing.read.codingsOf(shard), [])
  }
  await all.close()
})

test('a damaged shard is mended from the others', async () => {
  const { all, peers } = await peersOf(106, 'a b c')
  const ids = await peers[0]!.upload(4, chunkBytes)
  await all.advance(30_000)
  assertSharded(all, ids, 3)
  const [coding] = peers[1]!.backing.read.codingsOf(ids[0]!)
  const [shard] = coding!.shards
  const holder = [...all.peers.values()].find(({ name }) => name === all.holders(shard!)[0])!
  await holder.backing.commit({ drops: [shard!] })
  holder.pool.announce()
  await all.advance(60_000)
  assert.equal(all.holders(shard!).length, 1)
  await all.close()
})

test('shards that a record names wrongly are found out and count no more', async () => {
  const { all, peers } = await peersOf(107, 'a b c', 'none')
  const [a] = peers
  const [id] = await a!.upload(1, chunkBytes)
  const others = await a!.write(3, chunkBytes / 2)
  await all.advance(10_000)
  const forged = { chunk: id!, length: chunkBytes, scheme: { k: 2, m: 1 }, shards: others }
  await a!.say([forged])
  await all.advance(5_000)
  all.policy = { ...all.policy, erasure: { k: 2, m: 1 } }
  all.changed()
  await all.advance(120_000)
  const found = peers.filter((peer) =>
    peer.backing.read.codingsOf(id!).every(({ shards }) => shards[0] !== others[0]),
  )
  assert.ok(found.length > 0)
  const [coding] = found[0]!.backing.read.codingsOf(id!)
  for (const shard of coding!.shards) assert.ok(all.holders(shard).length > 0)
  for (const peer of peers) await readAll(peer, [id!])
  await all.close()
})

test('pins of shards name no folder of files', () => {
  const { id } = new Peers(1).policy
  assert.notEqual(shardFolder(id), id)
  assert.equal(shardFolder(id), shardFolder(id))
})
