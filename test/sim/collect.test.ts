import './small-limits.ts'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { limits } from '../../src/base/limits.ts'
import type { ChunkId, FolderId } from '../../src/base/words.ts'
import { hashHex } from '../../src/codec/hash.ts'
import type { Release } from '../../src/codec/release.ts'
import { contentOf, inPieces } from './content.ts'
import { drawProfile } from './profile.ts'
import { Scene } from './scene.ts'
import { SeededRandom } from './seeded-random.ts'
import type { SimPeer } from './sim-peer.ts'

const minute = 60_000
const day = 24 * 60 * minute

interface Pool {
  scene: Scene
  first: SimPeer
  second: SimPeer
  /** Keeps chunks, and reads nothing. */
  storage: SimPeer
  folder: FolderId
}

/** Two devices of one person and one that keeps only; what was replaced is kept for two days. */
async function poolOf(t: TestContext, seed: number): Promise<Pool> {
  const random = new SeededRandom(seed)
  const profile = { ...drawProfile(random, { peers: 2 }), early: 2, storageShare: 0, smallEvery: 0 }
  const scene = new Scene(profile, random, process.env['LINES'] === undefined ? undefined : console.log)
  t.after(async () => {
    for (const peer of scene.peers) peer.crash({ power: false })
    await scene.clock.advance(0)
    for (const peer of scene.peers) peer.release()
  })
  await scene.begin()
  profile.storageShare = 1
  await scene.clock.until(scene.invite(scene.peers[0]!), 10 * minute)
  await scene.clock.advance(minute)
  const [first, second, storage] = scene.peers as [SimPeer, SimPeer, SimPeer]
  const created = first.catalogue.createFolder('papers', { keepMs: 2 * day })
  const { id: folder } = await scene.clock.until(created, minute)
  await scene.clock.advance(minute)
  return { scene, first, second, storage, folder }
}

async function put({ scene }: Pool, peer: SimPeer, name: string, number: number): Promise<Buffer> {
  const bytes = contentOf(number, 20_000)
  const put = peer.core!.files.put(`papers/${name}`, inPieces(bytes, scene.random))
  await scene.clock.until(put, 10 * minute)
  return bytes
}

async function contentIn({ scene }: Pool, peer: SimPeer, name: string): Promise<Buffer> {
  const read = async (): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync((await peer.core!.files.get(`papers/${name}`)).bytes))
  return scene.clock.until(read(), 10 * minute)
}

/** Days later by the clocks of all devices, and the work that is due then. */
async function passDays({ scene }: Pool, days: number): Promise<void> {
  scene.clock.jump(days * day)
  // One pass of collection waits until others' clocks are heard of.
  for (let step = 0; step < 3; step++) {
    for (const peer of scene.running(scene.peers)) peer.core!.workers.wake('retention')
    await scene.clock.advance(8 * minute)
  }
}

const spaces = ({ scene }: Pool): number[] => scene.peers.map(({ space }) => space)
const quarantined = ({ scene }: Pool): number =>
  scene.peers.reduce((sum, peer) => sum + peer.core!.store.read.looseChunks().chunks, 0)
const used = (peer: SimPeer): Promise<number> =>
  peer.core!.store.use().then(({ diskBytes, usedBytes }) => diskBytes - usedBytes)

test('what was deleted leaves all disks after its time in the trash and the quarantine, and nothing else does', async (t) => {
  const pool = await poolOf(t, 1)
  const { scene, first, second, storage, folder } = pool
  const kept = await put(pool, first, 'kept', 1)
  await scene.clock.advance(5 * minute)
  const before = spaces(pool)
  await put(pool, first, 'gone', 2)
  const back = await put(pool, second, 'back', 3)
  // What is left of an upload that failed on the way.
  const bytes = scene.random.bytes(3000)
  const left = { id: hashHex(bytes) as ChunkId, bytes, pins: [{ folder, device: first.device }] }
  await scene.clock.until(first.core!.pool.storeOf(storage.id).put([left]), minute)
  await scene.clock.advance(5 * minute)
  const full = spaces(pool)
  for (const name of ['gone', 'back'])
    await scene.clock.until(second.core!.files.remove(`papers/${name}`, {}), minute)
  await passDays(pool, 1)
  assert.deepEqual(spaces(pool), full, 'it lies in the trash')
  await passDays(pool, 2)
  assert.ok(quarantined(pool) > 0)
  assert.deepEqual(spaces(pool), full, 'it can still come back')
  // A folder that keeps longer takes back what is still here.
  await scene.clock.until(second.catalogue.setPolicy(folder, { keepMs: 30 * day }), minute)
  await scene.clock.until(second.core!.files.restore('papers/back', {}), minute)
  await scene.clock.until(first.catalogue.setPolicy(folder, { keepMs: day }), minute)
  for (const days of [2, 8]) await passDays(pool, days)
  assert.equal(quarantined(pool), 0)
  assert.equal(storage.core!.store.has(left.id), false)
  assert.ok((await contentIn(pool, first, 'kept')).equals(kept))
  assert.ok((await contentIn(pool, first, 'back')).equals(back))
  await scene.clock.until(first.core!.files.remove('papers/back', {}), minute)
  const isBack = (): boolean => spaces(pool).every((bytes, index) => bytes === before[index])
  for (const days of [2, 2, 8, 8, 8, 8]) if (!isBack()) await passDays(pool, days)
  assert.deepEqual(spaces(pool), before)
  await scene.clock.advance(60 * minute)
  for (const peer of scene.peers)
    assert.ok((await used(peer)) < 3 * limits.segmentBytes, 'the disk has it back')
  assert.equal(scene.broken, undefined)
})

/** Everything that lies on `holder`, released by `author`. */
function releaseOf(
  author: SimPeer,
  holder: SimPeer,
  folder: FolderId,
  more: Partial<Release> = {},
): Uint8Array {
  const { store } = holder.core!
  const ids = store.read.pinnedFor(folder, undefined, 'f'.repeat(64) as ChunkId, limits.releaseChunks)
  const release = { holder: holder.device, database: store.database, upTo: store.read.lastChange() }
  return author.catalogue.signRelease({ ...release, folder, ids, done: true, ...more })
}

test('releases by those who may not are refused', async (t) => {
  const pool = await poolOf(t, 2)
  const { scene, first, second, storage, folder } = pool
  await put(pool, first, 'kept', 1)
  await scene.clock.advance(5 * minute)
  const send = async (from: SimPeer, to: SimPeer, release: Uint8Array): Promise<unknown> =>
    scene.clock.until(
      from.network!.request(to.id, 'pins.release', release).then(
        () => 'taken',
        (error: unknown) => (error as { code: string }).code,
      ),
      minute,
    )
  const good = releaseOf(first, storage, folder)
  const bent = Buffer.from(good)
  bent[40]! ^= 1
  const other = 'aa'.repeat(16) as Release['database']
  assert.equal(
    await send(storage, second, releaseOf(storage, second, folder)),
    'PEER_REFUSED',
    'storage releases nothing',
  )
  assert.equal(await send(second, storage, good), 'FORBIDDEN', 'for its author alone')
  assert.equal(await send(first, second, good), 'BAD_INPUT', 'for its holder alone')
  assert.ok(
    ['RECORD_INVALID', 'BAD_INPUT', 'FORBIDDEN'].includes((await send(first, storage, bent)) as string),
  )
  assert.equal(
    await send(first, storage, releaseOf(first, storage, folder, { database: other })),
    'BAD_INPUT',
  )
  const nobodys = 'bb'.repeat(32) as FolderId
  assert.equal(await send(first, storage, releaseOf(first, storage, nobodys)), 'FORBIDDEN')
  assert.equal(storage.core!.store.read.looseChunks().chunks, 0)
  assert.equal(await send(first, storage, good), 'taken')
  assert.ok(storage.core!.store.read.looseChunks().chunks > 0)
})

test('a member who releases everything again and again costs traffic, not data', async (t) => {
  const pool = await poolOf(t, 3)
  const { scene, first, second, storage, folder } = pool
  const files = new Map<string, Buffer>()
  for (let number = 0; number < 6; number++)
    files.set(`${number}`, await put(pool, first, `${number}`, number))
  await scene.clock.advance(5 * minute)
  const held = await Array.fromAsync(storage.core!.store.chunks.list(''))
  for (let days = 0; days < 9; days++) {
    for (const holder of [storage, first]) {
      const request = second.network!.request(holder.id, 'pins.release', releaseOf(second, holder, folder))
      await scene.clock.until(request, minute)
    }
    await passDays(pool, 1)
  }
  assert.deepEqual(await Array.fromAsync(storage.core!.store.chunks.list('')), held)
  for (const [name, bytes] of files) assert.ok((await contentIn(pool, first, name)).equals(bytes))
})

test('after its index was lost a holder drops nothing until a member has compared its pins', async (t) => {
  const pool = await poolOf(t, 4)
  const { scene, first, second, storage, folder } = pool
  await put(pool, first, 'gone', 1)
  await scene.clock.advance(5 * minute)
  // Chunks without any pin, as after damage.
  const bytes = scene.random.bytes(3000)
  const stray = { id: hashHex(bytes) as ChunkId, bytes, pins: [] }
  await scene.clock.until(storage.core!.store.chunks.put([stray]), minute)
  await scene.clock.until(second.core!.files.remove('papers/gone', {}), minute)
  await passDays(pool, 3)
  assert.ok(quarantined(pool) > 0)
  for (const peer of scene.peers) peer.crash({ power: false })
  // Each start of a simulated device makes its index anew.
  await scene.clock.until(storage.start(), 10 * minute)
  await scene.clock.advance(10 * minute)
  assert.deepEqual(storage.core!.store.read.reconciled(), [])
  await passDays(pool, 40)
  assert.ok(storage.core!.store.has(stray.id), 'nobody was there to say')
  for (const peer of scene.peers) if (peer !== storage) await scene.clock.until(peer.start(), 10 * minute)
  await scene.clock.advance(20 * minute)
  for (const days of [2, 8, 8]) await passDays(pool, days)
  assert.equal(storage.core!.store.has(stray.id), false)
  assert.equal(quarantined(pool), 0)
  assert.equal(storage.core!.store.read.pinnedFor(folder, undefined, 'f'.repeat(64) as ChunkId, 10).length, 0)
})

test('a clock that runs ahead decides nothing', async (t) => {
  const pool = await poolOf(t, 5)
  const { scene, first, storage } = pool
  const kept = await put(pool, first, 'file', 1)
  await put(pool, first, 'file', 2)
  await scene.clock.advance(5 * minute)
  const full = spaces(pool)
  storage.skewMs = 100 * day
  first.skewMs = 100 * day
  await passDays(pool, 0)
  await passDays(pool, 0)
  assert.deepEqual(spaces(pool), full)
  storage.skewMs = 0
  first.skewMs = 0
  await passDays(pool, 0)
  const versions = await scene.clock.until(first.core!.files.versions('papers/file'), minute)
  const older = versions.find(({ state }) => state === 'old')
  assert.ok(older !== undefined, 'the older version is still listed')
  const restored = first.core!.files.restore('papers/file', { version: older.version })
  await scene.clock.until(restored, minute)
  assert.ok((await contentIn(pool, first, 'file')).equals(kept))
})
