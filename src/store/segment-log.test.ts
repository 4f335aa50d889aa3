import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { chunkOf, pinOf, digestsOf, readAll } from '../../test/conformance/chunk-store.ts'
import { diskFull, FaultyDisk, ioError } from '../../test/faulty-disk.ts'
import { Author, newFolder, StoreHome } from '../../test/store-fixture.ts'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

async function faultyHome(t: TestContext): Promise<{ home: StoreHome; faulty: FaultyDisk }> {
  const faulty = new FaultyDisk()
  const home = await StoreHome.make({ disk: faulty.disk })
  t.after(() => home.remove())
  return { home, faulty }
}

test('commits that arrive together share one sync; a new segment syncs its folder once', async (t) => {
  const { home, faulty } = await faultyHome(t)
  const store = await home.open()
  await Promise.all(Array.from({ length: 500 }, () => store.chunks.put([chunkOf(304, pinOf('a'))])))
  assert(faulty.count('sync') <= 3, `${faulty.count('sync')} syncs`)
  assert.equal(faulty.count('syncFolder'), 1)
  const before = faulty.count('sync')
  await store.chunks.put([chunkOf(304, pinOf('a'))])
  assert.equal(faulty.count('sync'), before + 1)
  assert.equal(faulty.count('syncFolder'), 1)
  await store.close()
})

test('a segment begins only after the one before it was synced', async (t) => {
  const { home, faulty } = await faultyHome(t)
  let store = await home.open()
  const chunks = Array.from({ length: 35 }, () => chunkOf(4 * 1024 * 1024, pinOf('a')))
  const ids = chunks.map(({ id }) => id)
  for (const chunk of chunks) await store.stage([chunk])
  await store.commit({})
  const files = (await readdir(join(home.home, 'segments'))).sort()
  assert.deepEqual(files, ['seg-00000001.log', 'seg-00000002.log', 'seg-00000003.log'])
  const order = faulty.done
    .filter(({ operation }) => operation !== 'write')
    .map(({ operation, file }) => `${operation} ${file}`)
  assert.deepEqual(order, [
    'create seg-00000001.log',
    'sync seg-00000001.log',
    'syncFolder segments',
    'create seg-00000002.log',
    'sync seg-00000002.log',
    'syncFolder segments',
    'create seg-00000003.log',
    'sync seg-00000003.log',
    'syncFolder segments',
  ])
  await store.close()
  store = await home.open()
  assert.deepEqual(
    await store.chunks.has(ids),
    ids.map(() => true),
  )
  await store.close()
})

for (const k of [1, 2, 3]) {
  test(`sync number ${k} fails: nothing is lost, all is in a new segment`, async (t) => {
    const { home, faulty } = await faultyHome(t)
    let store = await home.open()
    const kept = new Map<string, Buffer>()
    let syncs = 0
    faulty.fault = (operation) => (operation === 'sync' && (syncs += 1) === k ? ioError() : undefined)
    for (let round = 0; round < 4; round += 1) {
      const chunks = [chunkOf(304, pinOf('a')), chunkOf(40_000, pinOf('a'))]
      for (const { id, bytes } of chunks) kept.set(id, Buffer.from(bytes))
      await store.stage(chunks)
      await store.commit({})
    }
    const synced = faulty.done.filter(({ operation }) => operation === 'sync').map(({ file }) => file)
    assert.equal(synced.filter((file) => file === 'seg-00000001.log').length, k - 1, 'never synced again')
    assert(home.lines.some(({ level }) => level === 'error'))
    for (const again of [false, true]) {
      if (again) {
        await store.close()
        await home.options.disk.remove(home.options.database)
        store = await home.open()
      }
      assert.deepEqual(digestsOf(await readAll(store.chunks, [...kept.keys()] as never)), digestsOf(kept))
    }
    await store.close()
  })
}

test('what a failed sync left in its segment does not count: it may be anything', async (t) => {
  const { home, faulty } = await faultyHome(t)
  let store = await home.open()
  const first = chunkOf(1000, pinOf('a'))
  await store.chunks.put([first])
  const path = join(home.home, 'segments', 'seg-00000001.log')
  const counts = (await stat(path)).size
  let failed = false
  faulty.fault = (operation) => (operation === 'sync' && !failed ? ((failed = true), ioError()) : undefined)
  const second = chunkOf(9000, pinOf('a'))
  await store.chunks.put([second])
  await store.close()
  const whole = await readFile(path)
  for (const tail of [whole.subarray(counts, whole.length - 50), Buffer.alloc(9000), Buffer.alloc(0)]) {
    await writeFile(path, Buffer.concat([whole.subarray(0, counts), tail]))
    await home.options.disk.remove(home.options.database)
    home.lines.length = 0
    store = await home.open()
    assert.deepEqual(await store.chunks.has([first.id, second.id]), [true, true])
    assert.deepEqual(home.lines, [])
    await store.close()
  }
})

test('when no segment can be synced nothing is acknowledged, and reads go on', async (t) => {
  const { home, faulty } = await faultyHome(t)
  const store = await home.open()
  const safe = chunkOf(500, pinOf('a'))
  await store.chunks.put([safe])
  faulty.fault = (operation) => (operation === 'sync' ? ioError() : undefined)
  await assert.rejects(store.chunks.put([chunkOf(500, pinOf('a'))]), (thrown) =>
    isCode(thrown, 'STORAGE_FAILED'),
  )
  faulty.fault = () => undefined
  await assert.rejects(store.commit({}), (thrown) => isCode(thrown, 'STORAGE_FAILED'))
  assert.equal((await readAll(store.chunks, [safe.id])).size, 1)
  assert(isCode(store.failed, 'STORAGE_FAILED'))
  await store.close()
})

test('a write that fails leaves nothing behind, and writing goes on when there is space again', async (t) => {
  const { home, faulty } = await faultyHome(t)
  let store = await home.open()
  const author = new Author()
  const folder = newFolder()
  const [first, failed, after] = [author.version(folder), author.version(folder), author.version(folder)]
  await store.commit({ batches: [author.batch(first)] })
  // The whole of it reached the file before the error: still it failed, and must not turn up later.
  faulty.partialWrite = Number.MAX_SAFE_INTEGER
  faulty.fault = (operation) => (operation === 'write' ? diskFull() : undefined)
  await assert.rejects(store.commit({ batches: [author.batch(failed)] }), (thrown) =>
    isCode(thrown, 'DISK_FULL'),
  )
  const lost = chunkOf(3000, pinOf('a'))
  await assert.rejects(store.chunks.put([lost]), (thrown) => isCode(thrown, 'DISK_FULL'))
  assert.equal((await store.use()).usedBytes, 0)
  faulty.fault = () => undefined
  await store.close()
  store = await home.open()
  assert.equal(store.read.hasRecord(failed.hash), false)
  await store.commit({ batches: [author.batch(after)] })
  for (const again of [false, true]) {
    if (again) {
      await store.close()
      store = await home.open()
    }
    assert.deepEqual(
      [first, failed, after].map(({ hash }) => store.read.hasRecord(hash)),
      [true, false, true],
    )
    assert.equal(store.read.hasChunk(lost.id), false)
  }
  await store.chunks.put([lost])
  assert.deepEqual(
    home.lines.filter(({ level }) => level === 'error'),
    [],
  )
  await store.close()
})

test('what is written while the store closes is refused, and does not look like a failed disk', async (t) => {
  const { home } = await faultyHome(t)
  const store = await home.open()
  await store.chunks.put([chunkOf(304, pinOf('a'))])
  const closing = { over: false }
  const closed = store.close().then(() => (closing.over = true))
  const refusals: unknown[] = []
  while (!closing.over) {
    store.chunks.put([chunkOf(304, pinOf('a'))]).catch((thrown: unknown) => refusals.push(thrown))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await closed
  assert(refusals.length > 0)
  for (const thrown of refusals) assert(isCode(thrown, 'INTERNAL'), String(thrown))
  assert.deepEqual(
    home.lines.filter(({ level }) => level === 'error'),
    [],
  )
})

test('the reserve is larger than what compaction of one segment needs', () => {
  assert(limits.reserveBytes >= limits.segmentBytes * limits.segmentLiveMin)
})
