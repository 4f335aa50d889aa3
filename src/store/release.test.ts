import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { chunkOf, pinOf, readAll } from '../../test/conformance/chunk-store.ts'
import { Author, newEntry, newFolder, StoreHome, versionRow } from '../../test/store-fixture.ts'
import type { ChunkId } from '../base/words.ts'
import type { LocalStore } from './local-store.ts'

const day = 86_400_000
const last = 'f'.repeat(64) as ChunkId
const [mine, theirs] = [pinOf('a'), { ...pinOf('a'), device: pinOf('b').device }]

async function opened(t: TestContext, threaded = false): Promise<{ home: StoreHome; store: LocalStore }> {
  const home = await StoreHome.make({ threaded })
  t.after(() => home.remove())
  return { home, store: await home.open() }
}

/** A release by the device of `mine`, said at `at`. */
function release(
  store: LocalStore,
  ids: readonly ChunkId[],
  at: number,
  upTo = store.read.lastChange(),
): Promise<void> {
  const [soon, late] = [at + 7 * day, at + 30 * day]
  const devices = [mine.device]
  return store.index([{ op: 'release', folder: mine.folder, ids, upTo, devices, soon, late, at }])
}

const isDue = (store: LocalStore, id: ChunkId, now: number): boolean =>
  store.read.isLooseSince(id, now - 7 * day, now)

for (const threaded of [false, true])
  test(`a release fells the pins of its writer first, others later; until then all can be read, threaded ${threaded}`, async (t) => {
    const { store } = await opened(t, threaded)
    const own = chunkOf(500, mine)
    const shared = chunkOf(700, mine, theirs)
    const other = chunkOf(900, pinOf('c'))
    const ids = [own.id, shared.id, other.id]
    await store.chunks.put([own, shared, other])
    await release(store, ids, 1000)
    assert.deepEqual(store.read.looseChunks(), { chunks: 2, bytes: 1200 })
    assert.deepEqual(store.read.pins(shared.id).length, 2)
    assert.deepEqual(store.read.standingPins(shared.id), [])
    assert.equal(store.read.standingPins(other.id).length, 1, 'another folder')
    assert.equal((await readAll(store.chunks, ids)).size, 3)
    const due = (now: number): boolean[] => ids.map((id) => isDue(store, id, now))
    assert.deepEqual(due(1000 + 7 * day - 1), [false, false, false])
    assert.deepEqual(due(1000 + 7 * day), [true, false, false])
    assert.deepEqual(due(1000 + 30 * day), [true, true, false])
    assert.deepEqual(
      store.read.looseSince(1000, 1000 + 30 * day, 0, 10).map(({ id, released }) => [id, released]),
      [own.id, shared.id].map((id) => [id, true]),
    )
    await store.close()
  })

test('a pin made again ends the quarantine, whatever was said before it', async (t) => {
  const { store } = await opened(t)
  const chunk = chunkOf(500, mine, theirs)
  await store.chunks.put([chunk])
  const seen = store.read.lastChange()
  await release(store, [chunk.id], 1000)
  await store.commit({ pins: [{ id: chunk.id, pin: theirs }] })
  assert.deepEqual(store.read.standingPins(chunk.id), [theirs])
  assert.deepEqual(store.read.looseChunks(), { chunks: 0, bytes: 0 })
  // What the releaser had not seen does not fall.
  await release(store, [chunk.id], 2000, seen)
  assert.deepEqual(store.read.standingPins(chunk.id), [theirs])
  await release(store, [chunk.id], 3000)
  assert.deepEqual(store.read.looseChunks(), { chunks: 1, bytes: 500 })
  assert.equal(isDue(store, chunk.id, 3000 + 29 * day), false)
  await store.close()
})

test('a later release never puts off what falls', async (t) => {
  const { store } = await opened(t)
  const chunk = chunkOf(500, mine)
  await store.chunks.put([chunk])
  await release(store, [chunk.id], 1000)
  await release(store, [chunk.id], 5 * day)
  assert(isDue(store, chunk.id, 1000 + 7 * day))
  await store.close()
})

test('a dropped chunk is gone over restarts and rebuilds; one that is pinned meanwhile stays', async (t) => {
  const { home, store } = await opened(t)
  const [gone, kept] = [chunkOf(500, mine), chunkOf(600, mine)]
  await store.chunks.put([gone, kept])
  await release(store, [gone.id, kept.id], 1000)
  const before = (await store.use()).usedBytes
  const pinning = store.chunks.put([kept])
  const dropped = await store.chunks.drop([gone.id, kept.id], (id) => isDue(store, id, 40 * day))
  await pinning
  assert.deepEqual(dropped, [gone.id])
  assert.equal((await store.use()).usedBytes, before - 500)
  assert.deepEqual(store.read.looseChunks(), { chunks: 0, bytes: 0 })
  await store.close()
  for (const rebuilt of [false, true]) {
    if (rebuilt) await home.options.disk.remove(home.options.database)
    const again = await home.open()
    assert.deepEqual(
      [gone.id, kept.id].map((id) => again.has(id)),
      [false, true],
    )
    assert.deepEqual(again.read.standingPins(kept.id), [mine])
    await again.close()
  }
})

test('what an index forgot with its database stands again, and nothing counts as compared', async (t) => {
  const { home, store } = await opened(t)
  const chunk = chunkOf(500, mine)
  await store.chunks.put([chunk])
  await store.index([{ op: 'reconciled', folder: mine.folder, at: 5 }])
  await release(store, [chunk.id], 1000)
  assert.deepEqual(store.read.reconciled(5), [mine.folder])
  assert.deepEqual(store.read.reconciled(6), [])
  await store.close()
  const restarted = await home.open()
  assert.deepEqual(restarted.read.looseChunks(), { chunks: 1, bytes: 500 })
  await restarted.close()
  await home.options.disk.remove(home.options.database)
  const rebuilt = await home.open()
  assert.deepEqual(rebuilt.read.standingPins(chunk.id), [mine])
  assert.deepEqual(rebuilt.read.looseChunks(), { chunks: 0, bytes: 0 })
  assert.deepEqual(rebuilt.read.reconciled(), [])
  await rebuilt.close()
})

test('falling pins are still pins when compaction moves them', async (t) => {
  const { home, store } = await opened(t)
  const bulk = Array.from({ length: 14 }, () => chunkOf(4_800_000, mine))
  const chunk = chunkOf(500, mine)
  await store.chunks.put([chunk])
  for (const one of bulk) await store.chunks.put([one])
  await store.chunks.drop(bulk.map(({ id }) => id))
  await release(store, [chunk.id], 1000)
  assert.ok((await store.compact(new AbortController().signal)) > 0)
  assert.deepEqual(store.read.standingPins(chunk.id), [])
  assert.deepEqual(store.read.looseChunks(), { chunks: 1, bytes: 500 })
  assert((await store.use()).diskBytes < 10_000_000, 'the disk has the space back')
  await store.close()
  await home.options.disk.remove(home.options.database)
  const rebuilt = await home.open()
  assert.deepEqual(rebuilt.read.standingPins(chunk.id), [mine])
  await rebuilt.close()
})

test('chunks without any pin are found, once, and wait from then on', async (t) => {
  const { store } = await opened(t)
  const [stray, held] = [chunkOf(500), chunkOf(600, mine)]
  await store.chunks.put([stray, held])
  assert.deepEqual(store.read.unpinned(undefined, last, 10), [stray.id])
  // A pin came between the look and the word.
  await store.index([{ op: 'loose', ids: [stray.id, held.id], at: 1000 }])
  assert.deepEqual(store.read.unpinned(undefined, last, 10), [])
  const [found] = store.read.looseSince(1000, 1000, 0, 10)
  assert.deepEqual(found && { ...found, n: 0 }, {
    n: 0,
    id: stray.id,
    bytes: 500,
    since: 1000,
    released: false,
  })
  await store.close()
})

test('what is needed follows versions: a replaced one counts until its time is over', async (t) => {
  const { home, store } = await opened(t)
  const author = new Author()
  const folder = newFolder()
  const entry = newEntry()
  const pin = { folder, device: author.device }
  const [old, current] = [chunkOf(500, pin), chunkOf(600, pin)]
  await store.chunks.put([old, current])
  const ids = [old.id, current.id]
  const first = author.version(folder, entry)
  const second = author.version(folder, entry, [first.hash])
  await store.commit({ batches: [author.batch(first, second)] })
  assert.equal(store.read.isWhole(folder), false, 'not opened yet')
  await store.index([
    { op: 'version', row: versionRow(first, 'a') },
    { op: 'version', row: versionRow(second, 'a') },
    { op: 'content', version: first.hash, ids: [old.id] },
  ])
  assert.equal(store.read.isWhole(folder), false, 'one list is not known yet')
  await store.index([{ op: 'content', version: second.hash, ids: [current.id] }])
  assert(store.read.isWhole(folder))
  assert.deepEqual(store.read.needed(folder, ids), ids)
  const neededHere = (): ChunkId[] => store.read.neededOf(home.options.peer, folder, undefined, last, 10)
  assert.deepEqual(neededHere(), ids.toSorted())
  await store.index([{ op: 'gone', cause: 'expired', versions: [first.hash, second.hash], gone: true }])
  // What shows is needed, whatever is said of it.
  assert.deepEqual(store.read.needed(folder, ids), [current.id])
  assert.deepEqual(neededHere(), [current.id])
  assert.deepEqual(store.read.pinnedFor(folder, undefined, last, 10), ids.toSorted())
  assert.deepEqual(store.read.pinnedFor(folder, undefined, last, 1).length, 1)
  await store.close()
})
