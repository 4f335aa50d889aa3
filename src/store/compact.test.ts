import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { chunkOf, pinOf, digestsOf, readAll } from '../../test/conformance/chunk-store.ts'
import { FaultyDisk, ioError, type Operation } from '../../test/faulty-disk.ts'
import { Author, newFolder, StoreHome } from '../../test/store-fixture.ts'
import type { ChunkId, RecordHash } from '../base/words.ts'
import type { LocalStore } from './local-store.ts'

const never = new AbortController().signal

interface Content {
  live: Map<ChunkId, Buffer>
  dead: ChunkId[]
  released: ChunkId
  records: RecordHash[]
}

/** Two segments; most chunks of the first are dropped afterwards. */
async function fill(store: LocalStore): Promise<Content> {
  const author = new Author()
  const folder = newFolder()
  const records: RecordHash[] = []
  const chunks = Array.from({ length: 16 }, () => chunkOf(4_800_000, pinOf('a'), pinOf('b')))
  const all = new Map(chunks.map(({ id, bytes }) => [id, Buffer.from(bytes)]))
  for (const chunk of chunks) {
    await store.stage([chunk])
    const record = author.version(folder)
    records.push(record.hash)
    await store.commit({ batches: [author.batch(record)] })
  }
  const [released, ...rest] = all.keys()
  const dead = rest.slice(0, 9)
  await store.commit({ drops: dead, releases: [{ id: released!, pin: pinOf('a') }] })
  for (const id of dead) all.delete(id)
  return { live: all, dead, released: released!, records }
}

async function expectContent(store: LocalStore, { live, dead, released, records }: Content): Promise<void> {
  assert.deepEqual(digestsOf(await readAll(store.chunks, [...live.keys(), ...dead])), digestsOf(live))
  assert.deepEqual(store.read.pins(released), [pinOf('b')])
  for (const record of records) assert.equal((await store.batchOf(record)).records[0]!.hash, record)
  assert.deepEqual(
    store.read.recordsOfDevice(store.read.devices()[0]!).map(({ hash }) => hash),
    records,
  )
}

/** Opens again, then once more with the index made anew from what the segments say. */
async function expectAfterRestarts(home: StoreHome, content: Content): Promise<void> {
  for (const rebuilt of [false, true]) {
    if (rebuilt) await home.options.disk.remove(home.options.database)
    const store = await home.open()
    await expectContent(store, content)
    await store.close()
  }
}

test('a segment under half live is copied, then removed; readers notice nothing', async (t) => {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  const store = await home.open()
  const content = await fill(store)
  const reading = readAll(store.chunks, [...content.live.keys()])
  assert.ok((await store.compact(never)) > 0)
  assert.deepEqual(digestsOf(await reading), digestsOf(content.live))
  assert.deepEqual(await readdir(join(home.home, 'segments')), ['seg-00000002.log'])
  assert.equal(await store.compact(never), 0)
  await expectContent(store, content)
  const { diskBytes, usedBytes } = await store.use()
  assert(diskBytes < usedBytes + 100_000)
  await store.close()
  await expectAfterRestarts(home, content)
})

test('a drop outlives the segment that says it, while an older one holds the bytes', async (t) => {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  const store = await home.open()
  const content = await fill(store)
  // Fill the second segment with what dies, so that it is compacted before the first.
  const late = Array.from({ length: 13 }, () => chunkOf(4_800_000, pinOf('a')))
  const ids = late.map(({ id }) => id)
  for (const chunk of late) await store.chunks.put([chunk])
  await store.commit({ drops: ids })
  assert.ok((await store.compact(never)) > 0)
  const files = await readdir(join(home.home, 'segments'))
  assert.deepEqual(files, ['seg-00000001.log', 'seg-00000003.log'])
  await store.close()
  await expectAfterRestarts(home, { ...content, dead: [...content.dead, ...ids] })
})

for (const [operation, name] of [
  ['write', 'a copy cannot be written'],
  ['sync', 'the copies cannot be synced'],
  ['remove', 'the process dies before the old file is gone'],
  ['syncFolder', 'the process dies before the file is gone for good'],
] as [Operation, string][]) {
  test(`compaction is interrupted: ${name}`, async (t) => {
    const faulty = new FaultyDisk()
    const home = await StoreHome.make({ disk: faulty.disk })
    t.after(() => home.remove())
    const store = await home.open()
    const content = await fill(store)
    faulty.fault = (done) => (done === operation ? ioError() : undefined)
    await assert.rejects(store.compact(never))
    faulty.fault = () => undefined
    await expectContent(store, content)
    await store.close()
    const again = await home.open()
    await expectContent(again, content)
    while ((await again.compact(never)) > 0) await expectContent(again, content)
    assert.equal((await readdir(join(home.home, 'segments'))).includes('seg-00000001.log'), false)
    await again.close()
    await expectAfterRestarts(home, content)
  })
}

test('chunks that are dropped and put while a segment is compacted end as the last word says', async (t) => {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  const store = await home.open()
  const content = await fill(store)
  const [again, gone] = [content.dead[0]!, [...content.live.keys()].at(-1)!]
  const compaction = store.compact(never)
  const bytes = Buffer.from(content.live.get(gone)!)
  await store.commit({ drops: [gone] })
  await store.chunks.put([chunkOf(900, pinOf('x'))])
  assert.ok((await compaction) > 0)
  if (!store.read.hasChunk(gone)) {
    await store.chunks.put([chunkOf(bytes, pinOf('a'), pinOf('b'))])
    assert(store.read.hasChunk(gone))
  }
  assert.equal(store.read.hasChunk(again), false)
  await store.close()
  await expectAfterRestarts(home, content)
})
