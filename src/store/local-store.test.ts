import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { chunkOf, pinOf, readAll } from '../../test/conformance/chunk-store.ts'
import { Author, newFolder, peer, StoreHome, versionRow } from '../../test/store-fixture.ts'
import { isCode } from '../base/errors.ts'
import { encodeBatch } from '../codec/record-bytes.ts'
import type { StoreOptions } from './open-store.ts'

async function homeOf(t: TestContext, changes: Partial<StoreOptions> = {}): Promise<StoreHome> {
  const home = await StoreHome.make(changes)
  t.after(() => home.remove())
  return home
}

test('what was committed is there after a restart, and in the feed', async (t) => {
  const home = await homeOf(t)
  const author = new Author()
  const folder = newFolder()
  const chunks = [chunkOf(400, pinOf('a')), chunkOf(90_000, pinOf('a'), pinOf('b'))]
  const copies = new Map(chunks.map(({ id, bytes }) => [id, Buffer.from(bytes)]))
  const record = author.version(folder)
  const batch = author.batch(record)
  let store = await home.open()
  await store.stage(chunks)
  await store.commit({ batches: [batch], index: [{ op: 'version', row: versionRow(record, 'a/b.txt') }] })
  for (const reopened of [false, true]) {
    if (reopened) {
      await store.close()
      store = await home.open()
    }
    assert.deepEqual(await readAll(store.chunks, [...copies.keys()]), copies)
    assert.deepEqual((await store.batch(record.hash)).bytes, batch.bytes)
    assert.deepEqual((await store.batchOf(record.hash)).bytes, batch.bytes)
    assert.equal(store.read.record(record.hash)?.position, 0)
    assert.deepEqual(
      { ...store.read.record(record.hash)!.head },
      { ...record.head, bodyHash: new Uint8Array(record.head.bodyHash!) },
    )
    assert.equal(store.read.entryAt(folder, 'a/b.txt')?.version, record.hash)
    const changes = store.read.changes(0, 100)
    assert.deepEqual(changes.batches, [record.hash])
    assert.deepEqual(changes.held.toSorted(), [...copies.keys()].toSorted())
    assert.equal(changes.upTo, store.read.lastChange())
    assert.deepEqual(store.read.holders([chunks[0]!.id]).get(chunks[0]!.id), [peer])
    const use = await store.use()
    assert.deepEqual([use.usedBytes, use.chunks], [90_400, 2])
  }
  assert.deepEqual(home.lines, [])
  await store.close()
})

test('a drop never wins over a pin that was given before it', async (t) => {
  const home = await homeOf(t)
  const store = await home.open()
  const chunk = chunkOf(500, pinOf('a'))
  await store.chunks.put([chunk])
  await Promise.all([
    store.commit({ pins: [{ id: chunk.id, pin: pinOf('b') }] }),
    store.commit({ drops: [chunk.id] }),
  ])
  assert.equal(store.read.hasChunk(chunk.id), true)
  await store.commit({ drops: [chunk.id] })
  assert.equal(store.read.hasChunk(chunk.id), false)
  assert.deepEqual(store.read.pins(chunk.id), [])
  assert.equal((await store.use()).usedBytes, 0)
  await assert.rejects(store.commit({ pins: [{ id: chunk.id, pin: pinOf('b') }] }), (thrown) =>
    isCode(thrown, 'CHUNK_UNAVAILABLE'),
  )
  await store.close()
})

test('a pin after a drop in the same tick is refused, a new copy is written', async (t) => {
  const home = await homeOf(t)
  let store = await home.open()
  const chunk = chunkOf(500, pinOf('a'))
  await store.chunks.put([chunk])
  const drop = store.commit({ drops: [chunk.id] })
  await assert.rejects(store.commit({ pins: [{ id: chunk.id, pin: pinOf('b') }] }))
  await Promise.all([drop, store.chunks.put([{ ...chunk, pins: [pinOf('c')] }])])
  for (const _ of [1, 2]) {
    assert.equal(store.read.hasChunk(chunk.id), true)
    assert.deepEqual(store.read.pins(chunk.id), [pinOf('c')])
    await store.close()
    store = await home.open()
  }
  await store.close()
})

test('64 writers at once never take a byte more than contributed', async (t) => {
  const home = await homeOf(t, { contributed: 10 * 3000 + 100 })
  const store = await home.open()
  const results = await Promise.allSettled(
    Array.from({ length: 64 }, () => store.chunks.put([chunkOf(3000, pinOf('a'))])),
  )
  const failed = results.filter((result) => result.status === 'rejected')
  assert.equal(failed.length, 54)
  assert(failed.every(({ reason }) => isCode(reason, 'QUOTA_FULL')))
  assert.equal((await store.use()).usedBytes, 30_000)
  assert.equal(store.read.storage().used, 30_000)
  // Deleting makes room; a lower limit deletes nothing.
  const [first] = await Array.fromAsync(store.chunks.list(''))
  await store.commit({ drops: [first!] })
  store.setContributed(100)
  await assert.rejects(store.stage([chunkOf(304)]), (thrown) => isCode(thrown, 'QUOTA_FULL'))
  assert.equal(store.read.storage().chunks, 9)
  await store.close()
})

test('a disk without room beside the reserve refuses chunks before the first byte, and takes records', async (t) => {
  const home = await homeOf(t)
  let free = 500 * 1024 * 1024
  const disk = { ...home.options.disk, freeBytes: () => Promise.resolve(free) }
  let store = await home.open({ disk })
  const early = chunkOf(500, pinOf('a'))
  await store.chunks.put([early])
  await store.close()
  free = 60 * 1024 * 1024
  store = await home.open({ disk })
  await assert.rejects(store.stage([chunkOf(500, pinOf('a'))]), (thrown) => isCode(thrown, 'DISK_FULL'))
  const author = new Author()
  const record = author.version(newFolder())
  await store.commit({ batches: [author.batch(record)] })
  assert.equal(store.read.hasRecord(record.hash), true)
  // A new pin on what is here needs no room for it.
  await store.chunks.put([{ ...early, pins: [pinOf('b')] }])
  assert.equal(store.read.pins(early.id).length, 2)
  await store.close()
})

test('a disk that may not take the index refuses records before the log has them', async (t) => {
  const home = await homeOf(t)
  let free = 60 * 1024 * 1024
  const disk = { ...home.options.disk, freeBytes: () => Promise.resolve(free) }
  let store = await home.open({ disk })
  const author = new Author()
  const folder = newFolder()
  const kept = author.version(folder)
  await store.commit({ batches: [author.batch(kept)] })
  free = 7 * 1024 * 1024
  await store.close()
  store = await home.open({ disk })
  const refused = author.version(folder)
  await assert.rejects(store.commit({ batches: [author.batch(refused)] }), (thrown) =>
    isCode(thrown, 'DISK_FULL'),
  )
  free = 60 * 1024 * 1024
  await store.close()
  store = await home.open({ disk })
  assert.equal(store.read.hasRecord(kept.hash), true)
  assert.equal(store.read.hasRecord(refused.hash), false)
  await store.close()
})

test('own rows stay when the index is made anew', async (t) => {
  const home = await homeOf(t, { threaded: true })
  let store = await home.open()
  const { database } = store
  await store.own.put('token', 'a', { scope: 'admin' })
  await store.own.put('token', 'b', [1])
  await store.own.remove('token', 'b')
  await store.close()
  await home.options.disk.remove(home.options.database)
  store = await home.open()
  assert.notEqual(store.database, database)
  assert.deepEqual(store.own.list('token'), [{ id: 'a', value: { scope: 'admin' } }])
  await store.close()
})

test('a batch that came without bodies gets them later, also in an index made anew', async (t) => {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  let store = await home.open()
  const author = new Author()
  const batch = author.batch(author.version(newFolder()))
  const [record] = batch.records
  const bare = encodeBatch([{ ...record!, body: undefined }], batch.signature)
  await store.commit({ batches: [bare] })
  assert.ok(store.read.isPartialBatch(record!.hash))
  await store.commit({ batches: [batch] })
  await store.commit({ batches: [bare] })
  for (const anew of [false, true]) {
    assert.ok(!store.read.isPartialBatch(record!.hash), String(anew))
    assert.deepEqual((await store.batch(record!.hash)).bytes, Buffer.from(batch.bytes))
    await store.close()
    await home.options.disk.remove(home.options.database)
    store = await home.open()
  }
  await store.close()
})
