import assert from 'node:assert/strict'
import { copyFile, open, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { chunkOf, pinOf, digestsOf, readAll } from '../../test/conformance/chunk-store.ts'
import { Author, newFolder, StoreHome, versionRow } from '../../test/store-fixture.ts'
import type { DiskFile } from '../base/disk.ts'
import { isCode } from '../base/errors.ts'
import type { ChunkId, PoolId, RecordHash } from '../base/words.ts'
import type { LocalStore } from './local-store.ts'
import { removeSegmentsOf } from './remove-pool.ts'
import { entryHeaderBytes, fileHeaderBytes } from './segment-format.ts'

async function homeOf(t: TestContext): Promise<StoreHome> {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  return home
}

const firstSegment = (home: StoreHome): string => join(home.home, 'segments', 'seg-00000001.log')

/** Everything the index took from the segments, named by ids alone. */
function rawTables(home: StoreHome): Record<string, unknown[]> {
  const db = new DatabaseSync(home.options.database, { readOnly: true })
  const all = (sql: string): unknown[] =>
    db
      .prepare(sql)
      .all()
      .map((row) => JSON.stringify(row, hexBytes))
  try {
    return {
      chunks: all('SELECT id, segment, offset, length FROM chunks WHERE segment IS NOT NULL ORDER BY id'),
      pins: all(`SELECT c.id, f.id folder, d.id device FROM pins p JOIN chunks c ON c.n = p.chunk
        JOIN folders f ON f.n = p.folder JOIN devices d ON d.n = p.device ORDER BY 1, 2, 3`),
      holdings: all(
        'SELECT c.id, p.id peer FROM holdings h JOIN chunks c ON c.n = h.chunk JOIN peers p ON p.n = h.peer ORDER BY 1, 2',
      ),
      batches: all('SELECT last, segment, offset, length FROM batches ORDER BY last'),
      records:
        all(`SELECT r.hash, b.last, r.kind, f.id folder, r.epoch, r.entry, d.id device, r.incarnation, r.seq,
        r.previous, r.ms, r.counter, r.parents, r.body_hash, r.position FROM records r JOIN batches b ON b.n = r.batch
        JOIN devices d ON d.n = r.device LEFT JOIN folders f ON f.n = r.folder ORDER BY r.hash`),
      segments: all('SELECT number, bytes, dead FROM segments ORDER BY number'),
    }
  } finally {
    db.close()
  }
}

function hexBytes(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}

/** A store with some of everything. */
async function fill(home: StoreHome): Promise<{ chunks: Map<ChunkId, Buffer>; records: RecordHash[] }> {
  const store = await home.open()
  const chunks = new Map<ChunkId, Buffer>()
  const records: RecordHash[] = []
  const authors = [new Author(), new Author()]
  const folder = newFolder()
  for (let round = 0; round < 12; round += 1) {
    const fresh = [300 + round, 70_000, 300_000].map((size) =>
      chunkOf(size, pinOf('a'), pinOf(`${round % 3}`)),
    )
    for (const { id, bytes } of fresh) chunks.set(id, Buffer.from(bytes))
    await store.stage(fresh)
    const author = authors[round % 2]!
    const written = [author.version(folder), author.version(folder)]
    records.push(...written.map(({ hash }) => hash))
    await store.commit({ batches: [author.batch(...written)] })
  }
  const [dropped, released] = chunks.keys()
  await store.commit({ drops: [dropped!], releases: [{ id: released!, pin: pinOf('a') }] })
  chunks.delete(dropped!)
  await store.close()
  return { chunks, records }
}

async function expectAll(
  store: LocalStore,
  { chunks, records }: { chunks: Map<ChunkId, Buffer>; records: RecordHash[] },
): Promise<void> {
  assert.deepEqual(digestsOf(await readAll(store.chunks, [...chunks.keys()])), digestsOf(chunks))
  for (const record of records) assert.equal((await store.batchOf(record)).records.length, 2)
}

const damages: [string, (home: StoreHome) => Promise<void>][] = [
  ['deleted', (home) => home.options.disk.remove(home.options.database)],
  ['cut off', (home) => truncate(home.options.database, 5000)],
  ['overwritten at its start', (home) => overwrite(home.options.database, 0, 300)],
  ['overwritten in the middle', (home) => overwrite(home.options.database, 4096 * 3, 4096 * 20)],
  ['of another program', (home) => writeFile(home.options.database, 'no database at all '.repeat(500))],
]

async function overwrite(path: string, from: number, length: number): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(length, 0xa5), 0, length, from)
  await file.close()
}

for (const [damage, inflict] of damages) {
  test(`an index database that was ${damage} is built again, equal, under a new id`, async (t) => {
    const home = await homeOf(t)
    const content = await fill(home)
    const before = rawTables(home)
    const { database } = await describe(home)
    await inflict(home)
    const store = await home.open()
    assert.notEqual(store.database, database)
    await expectAll(store, content)
    await store.close()
    assert.deepEqual(rawTables(home), before)
    if (damage !== 'deleted') assert((await readdir(home.home)).some((name) => name.includes('.db.aside-')))
  })
}

async function describe(home: StoreHome): Promise<{ database: string }> {
  const store = await home.open()
  const { database } = store
  await store.close()
  return { database }
}

test('the index is behind the segments, or of an earlier moment: the rest is read again', async (t) => {
  const home = await homeOf(t)
  await fill(home)
  await copyFile(home.options.database, join(home.home, 'old.db'))
  const content = await fill(home)
  const before = rawTables(home)
  const { database } = await describe(home)
  await copyFile(join(home.home, 'old.db'), home.options.database)
  const store = await home.open()
  assert.equal(store.database, database, 'not built anew')
  await expectAll(store, content)
  await store.close()
  assert.deepEqual(rawTables(home), before)
})

test('segments that are gone with their disk are missing, not forgotten', async (t) => {
  const home = await homeOf(t)
  await fill(home)
  const away = await StoreHome.make()
  t.after(() => away.remove())
  await assert.rejects(home.open({ folder: join(away.home, 'empty') }), (thrown) =>
    isCode(thrown, 'STORAGE_MISSING'),
  )
  await writeFile(join(home.home, 'file'), '')
  await assert.rejects(home.open({ folder: join(home.home, 'file') }), (thrown) =>
    isCode(thrown, 'STORAGE_MISSING'),
  )
  const store = await home.open()
  await store.close()
})

test('another pool leaves the segments of the first alone', async (t) => {
  const home = await homeOf(t)
  const content = await fill(home)
  const other = await home.open({ pool: '33'.repeat(32) as PoolId })
  assert.equal(other.read.storage().chunks, 0)
  const aside = (await readdir(home.home)).filter((name) => name.includes('.aside-'))
  assert.deepEqual(aside, [], 'no index of another pool stays, with its names')
  const chunk = chunkOf(500, pinOf('a'))
  await other.chunks.put([chunk])
  await other.close()
  const store = await home.open()
  await expectAll(store, content)
  assert.equal(store.read.hasChunk(chunk.id), false)
  await store.close()
})

test('the segments of one pool are removed, and no others', async (t) => {
  const home = await homeOf(t)
  const content = await fill(home)
  const pool = '33'.repeat(32) as PoolId
  const other = await home.open({ pool })
  await other.chunks.put([chunkOf(500, pinOf('a'))])
  await other.close()
  const { disk, folder } = home.options
  await writeFile(join(folder, 'seg-00000099.log'), 'damaged')
  assert.equal(await removeSegmentsOf(disk, folder, pool), 1)
  assert.equal(await removeSegmentsOf(disk, folder, pool), 0)
  assert.ok((await readdir(folder)).includes('seg-00000099.log'))
  await rm(join(folder, 'seg-00000099.log'))
  const store = await home.open()
  await expectAll(store, content)
  await store.close()
})

test('a tail torn at any byte of the last entry costs that entry alone', async (t) => {
  const home = await homeOf(t)
  const store = await home.open()
  const author = new Author()
  const folder = newFolder()
  const [kept, torn] = [author.version(folder), author.version(folder)]
  await store.commit({ batches: [author.batch(kept)] })
  const keptEnd = (await stat(firstSegment(home))).size
  await store.commit({ batches: [author.batch(torn)] })
  await store.close()
  const whole = await readFile(firstSegment(home))
  for (
    let length = keptEnd;
    length < whole.length;
    length += length < keptEnd + 80 || length > whole.length - 20 ? 1 : 37
  ) {
    await writeFile(firstSegment(home), whole.subarray(0, length))
    await home.options.disk.remove(home.options.database)
    const again = await home.open()
    assert.deepEqual([again.read.hasRecord(kept.hash), again.read.hasRecord(torn.hash)], [true, false])
    assert.equal((await stat(firstSegment(home))).size, keptEnd)
    const record = author.version(folder)
    await again.commit({ batches: [author.batch(record)] })
    await again.close()
  }
})

test('bytes behind the end that were never whole are cut off', async (t) => {
  const home = await homeOf(t)
  const content = await fill(home)
  const whole = await readFile(firstSegment(home))
  for (const tail of [
    Buffer.alloc(5000),
    Buffer.from('PSE1'.repeat(100)),
    whole.subarray(fileHeaderBytes, 9000),
  ]) {
    await writeFile(firstSegment(home), Buffer.concat([whole, tail]))
    const store = await home.open()
    await expectAll(store, content)
    await store.close()
    assert.equal((await stat(firstSegment(home))).size, whole.length)
  }
})

test('the parts of one commit count together or not at all', async (t) => {
  const home = await homeOf(t)
  const store = await home.open()
  const authors = [new Author(), new Author()]
  const records = authors.map((author) => author.version(newFolder()))
  await store.commit({ batches: records.map((record, index) => authors[index]!.batch(record)) })
  const place = store.read.batchPlace(records[1]!.hash)!
  await store.close()
  await home.options.disk.remove(home.options.database)
  await truncate(firstSegment(home), place.offset + 10)
  const again = await home.open()
  assert.deepEqual(
    records.map(({ hash }) => again.read.hasRecord(hash)),
    [false, false],
  )
  await again.close()
})

test('a flipped bit in the middle is reported and costs one entry, whatever follows stays', async (t) => {
  const home = await homeOf(t)
  const { chunks, records } = await fill(home)
  const whole = await readFile(firstSegment(home))
  let store = await home.open()
  const places = [...chunks.keys()].map((id) => ({ id, place: store.read.place(id)! }))
  const target = places[10]!
  const batch = store.read.batchPlace(records[9]!)!
  await store.close()
  // In a chunk's header, in a batch's header, in a batch's bytes.
  const flips = [target.place.offset - entryHeaderBytes + 20, batch.offset - 5, batch.offset + 30]
  for (const [index, at] of flips.entries()) {
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 1
    await writeFile(firstSegment(home), damaged)
    await home.options.disk.remove(home.options.database)
    home.lines.length = 0
    store = await home.open()
    assert(home.lines.some(({ message }) => message === 'a segment is damaged'))
    assert.equal(store.read.hasChunk(target.id), index !== 0)
    assert.deepEqual(
      records.map((record) => store.read.hasRecord(record)),
      records.map((_, at) => index === 0 || (at !== 8 && at !== 9)),
    )
    for (const { id } of places) if (id !== target.id) assert(store.read.hasChunk(id))
    await store.close()
    assert.equal((await stat(firstSegment(home))).size, whole.length, 'nothing is cut off')
  }
})

test('a segment whose header is damaged is read all the same', async (t) => {
  const home = await homeOf(t)
  const content = await fill(home)
  let store = await home.open()
  await store.chunks.put(Array.from({ length: 14 }, () => chunkOf(4_900_000, pinOf('a'))))
  await store.close()
  await overwrite(firstSegment(home), 10, 50)
  await home.options.disk.remove(home.options.database)
  store = await home.open()
  await expectAll(store, content)
  await store.close()
})

test('bytes inside a chunk are never taken for an entry, even when they were one', async (t) => {
  const home = await homeOf(t)
  let store = await home.open()
  const victim = chunkOf(500, pinOf('a'))
  await store.chunks.put([{ ...victim }])
  const from = (await stat(firstSegment(home))).size
  await store.commit({ drops: [victim.id] })
  const dropEntry = (await readFile(firstSegment(home))).subarray(from)
  await store.chunks.put([{ ...victim }])
  // A chunk that holds the drop; then its header is damaged, and reading looks for the next entry in it.
  const evil = chunkOf(Buffer.concat([Buffer.alloc(500, 7), dropEntry, Buffer.alloc(500, 7)]), pinOf('evil'))
  await store.chunks.put([evil])
  await store.chunks.put([chunkOf(700, pinOf('a'))])
  const place = store.read.place(evil.id)!
  await store.close()
  await overwrite(firstSegment(home), place.offset - 10, 5)
  await home.options.disk.remove(home.options.database)
  store = await home.open()
  assert.equal(store.read.hasChunk(evil.id), false)
  assert.equal(store.read.hasChunk(victim.id), true)
  await store.close()
})

test('opening reads the tail alone, however much is stored', async (t) => {
  const home = await homeOf(t)
  let store = await home.open()
  for (let n = 0; n < 40; n += 1) await store.chunks.put([chunkOf(4_000_000, pinOf('a'))])
  await store.close()
  let bytes = 0
  const { disk } = home.options
  store = await home.open({
    disk: {
      ...disk,
      open: async (path, mode) => {
        const file = await disk.open(path, mode)
        const read = async (offset: number, length: number): Promise<Buffer> => {
          bytes += length
          return file.read(offset, length)
        }
        return { ...bound(file), read }
      },
    },
  })
  assert(bytes < 10_000, `${bytes} bytes were read of 160 MB`)
  await store.close()
})

function bound(file: DiskFile): DiskFile {
  return {
    read: file.read.bind(file),
    write: file.write.bind(file),
    sync: file.sync.bind(file),
    truncate: file.truncate.bind(file),
    size: file.size.bind(file),
    close: file.close.bind(file),
  }
}

test('the view follows a version that is indexed after a rebuild', async (t) => {
  const home = await homeOf(t)
  const author = new Author()
  const record = author.version(newFolder())
  let store = await home.open()
  await store.commit({
    batches: [author.batch(record)],
    index: [{ op: 'version', row: versionRow(record, 'x') }],
  })
  await store.close()
  await home.options.disk.remove(home.options.database)
  store = await home.open()
  assert.deepEqual(
    store.read.unopened(undefined, 10).map(({ hash }) => hash),
    [record.hash],
  )
  await store.index([{ op: 'version', row: versionRow(record, 'x') }])
  assert.equal(store.read.entryAt(record.head.folder!, 'x')?.version, record.hash)
  assert.deepEqual(store.read.unopened(undefined, 10), [])
  await store.close()
})
