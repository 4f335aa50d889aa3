import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { chunkOf, pinOf, readAll } from '../../test/conformance/chunk-store.ts'
import { diskFull, FaultyDisk, ioError } from '../../test/faulty-disk.ts'
import { Author, newFolder, StoreHome } from '../../test/store-fixture.ts'
import { isCode } from '../base/errors.ts'
import type { StoreOptions } from './open-store.ts'

async function homeOf(
  t: TestContext,
  changes: Partial<StoreOptions> = {},
): Promise<{ home: StoreHome; faulty: FaultyDisk }> {
  const faulty = new FaultyDisk()
  const home = await StoreHome.make({ disk: faulty.disk, ...changes })
  t.after(() => home.remove())
  return { home, faulty }
}

test('held chunks go to the disk with their records, in one write and one sync', async (t) => {
  const { home, faulty } = await homeOf(t)
  const author = new Author()
  const record = author.version(newFolder())
  const chunks = [chunkOf(400, pinOf('a')), chunkOf(9000, pinOf('a'), pinOf('b')), chunkOf(40_000)]
  const copies = new Map(chunks.map(({ id, bytes }) => [id, Buffer.from(bytes)]))
  let store = await home.open()
  await store.commit({ batches: [author.batch(author.version(newFolder()))] })
  const held = await Promise.all(chunks.map((chunk) => store.hold(chunk)))
  assert.equal((await store.use()).usedBytes, 49_400)
  assert.deepEqual(await store.chunks.has([...copies.keys()]), [false, false, false])
  const before = [faulty.count('write'), faulty.count('sync')]
  await store.commit({ chunks: held, batches: [author.batch(record)] })
  assert.deepEqual([faulty.count('write') - before[0]!, faulty.count('sync') - before[1]!], [1, 1])
  // They are the store's now.
  for (const chunk of held) chunk.release()
  for (const reopened of [false, true]) {
    if (reopened) {
      await store.close()
      store = await home.open()
    }
    assert.deepEqual(await readAll(store.chunks, [...copies.keys()]), copies)
    assert.deepEqual(
      chunks.map(({ id }) => store.read.pins(id).length),
      [1, 2, 0],
    )
    assert.equal(store.read.hasRecord(record.hash), true)
    assert.deepEqual([store.read.storage().used, (await store.use()).usedBytes], [49_400, 49_400])
  }
  await store.close()
})

test('held chunks take of the contributed space, and give it back unless they were written', async (t) => {
  const { home } = await homeOf(t, { contributed: 1000 })
  const store = await home.open()
  const held = await store.hold(chunkOf(600, pinOf('a')))
  await assert.rejects(store.hold(chunkOf(600, pinOf('a'))), (thrown) => isCode(thrown, 'QUOTA_FULL'))
  held.release()
  held.release()
  const next = await store.hold(chunkOf(900, pinOf('a')))
  await store.commit({ chunks: [next] })
  next.release()
  assert.equal((await store.use()).usedBytes, 900)
  await assert.rejects(store.hold(chunkOf(200)), (thrown) => isCode(thrown, 'QUOTA_FULL'))
  await store.close()
})

test('a chunk that several hold or write at once lies here once, with the pins of all', async (t) => {
  const { home } = await homeOf(t)
  const store = await home.open()
  const { id, bytes } = chunkOf(700)
  const as = (name: string) => ({ id, bytes: Buffer.from(bytes), pins: [pinOf(name)] })
  const [a, b, c] = [await store.hold(as('a')), await store.hold(as('b')), await store.hold(as('c'))]
  await Promise.all([
    store.commit({ chunks: [a, b] }),
    store.chunks.put([as('d')]),
    store.commit({ chunks: [c] }),
  ])
  for (const held of [a, b, c]) held.release()
  assert.equal(store.read.pins(id).length, 4)
  assert.deepEqual([store.read.storage().used, (await store.use()).usedBytes], [700, 700])
  await store.close()
})

test('when the write of another writer fails, a commit with the same chunk still has it', async (t) => {
  const { home, faulty } = await homeOf(t)
  const store = await home.open()
  const { id, bytes } = chunkOf(700)
  const held = await store.hold({ id, bytes: Buffer.from(bytes), pins: [pinOf('a')] })
  let failed = false
  faulty.fault = (operation) => (operation === 'write' && !failed ? ((failed = true), diskFull()) : undefined)
  const other = assert.rejects(store.stage([{ id, bytes, pins: [pinOf('b')] }]))
  await store.commit({ chunks: [held] })
  await other
  held.release()
  assert.equal(failed, true)
  assert.deepEqual(await readAll(store.chunks, [id]), new Map([[id, Buffer.from(bytes)]]))
  assert.equal((await store.use()).usedBytes, 700)
  await store.close()
})

test('a commit whose write fails leaves nothing of its chunks and keeps none of their space', async (t) => {
  const { home, faulty } = await homeOf(t)
  let store = await home.open()
  await store.commit({ batches: [new Author().batch(new Author().version(newFolder()))] })
  const chunk = chunkOf(700, pinOf('a'))
  const held = await store.hold(chunk)
  faulty.fault = (operation) => (operation === 'write' ? diskFull() : undefined)
  await assert.rejects(store.commit({ chunks: [held] }), (thrown) => isCode(thrown, 'DISK_FULL'))
  held.release()
  faulty.fault = () => undefined
  for (const reopened of [false, true]) {
    if (reopened) {
      await store.close()
      store = await home.open()
    }
    assert.equal(store.read.hasChunk(chunk.id), false)
    assert.equal((await store.use()).usedBytes, 0)
  }
  await store.close()
})

test('a commit with chunks whose sync fails is written again whole', async (t) => {
  const { home, faulty } = await homeOf(t)
  let store = await home.open()
  const author = new Author()
  const record = author.version(newFolder())
  const chunk = chunkOf(700, pinOf('a'))
  const copy = new Map([[chunk.id, Buffer.from(chunk.bytes)]])
  const held = await store.hold(chunk)
  let failed = false
  faulty.fault = (operation) => (operation === 'sync' && !failed ? ((failed = true), ioError()) : undefined)
  await store.commit({ chunks: [held], batches: [author.batch(record)] })
  held.release()
  for (const reopened of [false, true]) {
    if (reopened) {
      await store.close()
      store = await home.open()
    }
    assert.deepEqual(await readAll(store.chunks, [chunk.id]), copy)
    assert.equal(store.read.hasRecord(record.hash), true)
    assert.equal((await store.use()).usedBytes, 700)
  }
  await store.close()
})
