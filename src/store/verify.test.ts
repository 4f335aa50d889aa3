import assert from 'node:assert/strict'
import { open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { chunkOf, digestsOf, pinOf, readAll } from '../../test/conformance/chunk-store.ts'
import { Author, newFolder, StoreHome } from '../../test/store-fixture.ts'
import type { ChunkId, RecordHash } from '../base/words.ts'
import type { LocalStore } from './local-store.ts'
import { realDisk } from './real-disk.ts'
import { entryHeaderBytes, fileHeaderBytes, segmentFile } from './segment-format.ts'
import type { Verified } from './verifier.ts'

const never = new AbortController().signal

/** A store with chunks of one to 40 KB and records between them, in one segment. */
async function filled(t: TestContext) {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  const store = await home.open()
  const author = new Author()
  const folder = newFolder()
  const chunks = Array.from({ length: 40 }, (_, index) =>
    chunkOf(1_000 * (index + 1), pinOf('a'), pinOf('b')),
  )
  const records: RecordHash[] = []
  for (const [index, chunk] of chunks.entries()) {
    await store.stage([chunk])
    if (index % 4 > 0) continue
    const record = author.version(folder)
    records.push(record.hash)
    await store.commit({ batches: [author.batch(record)] })
  }
  await store.commit({})
  const path = join(home.options.folder, segmentFile(1))
  return { home, store, path, records, chunks, ids: chunks.map(({ id }) => id) }
}

/** Reads all segments whole. */
async function verify(store: LocalStore): Promise<Omit<Verified, 'next'>> {
  const sum = { checked: 0, bytes: 0, chunks: [] as ChunkId[], batches: [] as RecordHash[], madeGood: 0 }
  for (const { number } of store.verifier.segments())
    for (let from: number | undefined = 0; from !== undefined;) {
      const found = await store.verifier.segment(number, from, never)
      sum.checked += found.checked
      sum.bytes += found.bytes
      sum.chunks.push(...found.chunks)
      sum.batches.push(...found.batches)
      sum.madeGood += found.madeGood
      from = found.next
    }
  return sum
}

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+')
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset)
  buffer[0]! ^= 4
  await file.write(buffer, 0, 1, offset)
  await file.close()
}

test('a sound store is read whole: every chunk, record and pin, and each knows when', async (t) => {
  const { store, ids } = await filled(t)
  assert.equal(store.verifier.verifiedAt(ids), undefined)
  const before = Date.now()
  const found = await verify(store)
  assert.deepEqual([found.chunks, found.batches, found.madeGood], [[], [], 0])
  assert.ok(found.checked >= 50, `${found.checked} entries`)
  assert.ok(found.bytes >= 40 * 41 * 500, `${found.bytes} bytes`)
  assert.ok(store.verifier.verifiedAt(ids)! >= before)
  await store.chunks.put([chunkOf(500, pinOf('a'))])
  assert.ok(store.verifier.verifiedAt(ids)! >= before, 'what came later takes nothing away')
  await store.close()
})

test('a wrong chunk counts as not here, keeps its pins and its bytes, and a good copy replaces it', async (t) => {
  const { home, store, path, ids, chunks } = await filled(t)
  const { usedBytes } = await store.use()
  const victim = store.read.place(ids[7]!)!
  await flip(path, victim.offset + 100)
  assert.deepEqual((await verify(store)).chunks, [ids[7]])
  assert.equal(store.read.hasChunk(ids[7]!), false)
  assert.deepEqual(store.verifier.quarantined(), [ids[7]])
  assert.equal((await store.use()).usedBytes, usedBytes - 8_000)
  assert.deepEqual(store.read.changes(0, 1e6).dropped, [ids[7]])
  assert.deepEqual(store.read.pins(ids[7]!).length, 2)
  assert.deepEqual((await verify(store)).chunks, [], 'told once')
  await store.chunks.put([chunkOf(Buffer.from(chunks[7]!.bytes))])
  assert.deepEqual(store.verifier.quarantined(), [])
  assert.equal((await store.use()).usedBytes, usedBytes)
  assert.equal((await readAll(store.chunks, [ids[7]!])).size, 1)
  await store.close()
  const again = await home.open()
  assert.equal((await again.use()).usedBytes, usedBytes)
  assert.equal(again.read.hasChunk(ids[7]!), true)
  await again.close()
})

test('what is right after all counts again', async (t) => {
  const { store, path, ids } = await filled(t)
  const { usedBytes } = await store.use()
  const { offset } = store.read.place(ids[3]!)!
  await flip(path, offset)
  assert.deepEqual((await store.verifier.chunks(ids)).chunks, [ids[3]])
  await flip(path, offset)
  assert.deepEqual((await store.verifier.chunks([ids[3]!])).chunks, [])
  assert.equal(store.read.hasChunk(ids[3]!), true)
  assert.deepEqual(store.verifier.quarantined(), [])
  assert.equal((await store.use()).usedBytes, usedBytes)
  await store.close()
})

test('two chunks whose places were swapped, whole or without headers, are both found', async (t) => {
  const { home, store, path } = await filled(t)
  const twins = Array.from({ length: 4 }, () => chunkOf(5_000, pinOf('a')))
  await store.chunks.put(twins)
  const bytes = await readFile(path)
  const [a, b, c, d] = twins.map(({ id }) => store.read.place(id)!)
  const swap = (from: number, to: number, length: number): void => {
    const one = Buffer.from(bytes.subarray(from, from + length))
    bytes.copy(bytes, from, to, to + length)
    one.copy(bytes, to)
  }
  swap(a!.offset, b!.offset, 5_000)
  swap(c!.offset - entryHeaderBytes, d!.offset - entryHeaderBytes, 5_000 + entryHeaderBytes)
  await writeFile(path, bytes)
  assert.deepEqual((await verify(store)).chunks.sort(), twins.map(({ id }) => id).sort())
  await store.close()
  await home.remove()
})

test('damage that hits no chunk bytes is made good, so that a new index finds everything', async (t) => {
  const { home, store, path, ids, records } = await filled(t)
  // The headers of the file and of two entries, and every byte of some pins.
  await flip(path, 40)
  await flip(path, store.read.place(ids[5]!)!.offset - 20)
  await flip(path, store.read.place(ids[20]!)!.offset - entryHeaderBytes)
  const behind = store.read.place(ids[9]!)!
  await flip(path, behind.offset + behind.length + entryHeaderBytes + 70)
  const found = await verify(store)
  assert.deepEqual([found.chunks, found.batches], [[], []])
  assert.ok(found.madeGood >= 3, `${found.madeGood} made good`)
  assert.equal((await verify(store)).madeGood, 0, 'told once')
  await store.close()
  await rm(home.options.database)
  const again = await home.open()
  assert.deepEqual(
    ids.filter((id) => !again.read.hasChunk(id)),
    [],
  )
  for (const id of ids) assert.equal(again.read.pins(id).length, 2)
  for (const record of records) assert.ok(again.read.hasRecord(record))
  await again.close()
})

test('a rotten batch counts as without bodies; a cut segment loses what lay behind', async (t) => {
  const { store, path, ids, records } = await filled(t)
  const last = store.read.batchHolding(records[2]!)!
  await flip(path, store.read.batchPlace(last)!.offset + 30)
  assert.deepEqual((await verify(store)).batches, [last])
  assert.equal(store.read.isPartialBatch(last), true)
  const cut = store.read.place(ids[30]!)!
  await truncate(path, cut.offset + 50)
  const found = await verify(store)
  assert.deepEqual(found.chunks.sort(), ids.slice(30).sort())
  assert.equal(digestsOf(await readAll(store.chunks, ids)).size, 30)
  await store.close()
})

test('direct reading gives any stretch of a file, and nothing behind its end', async (t) => {
  const { home, store, path } = await filled(t)
  await store.close()
  const whole = await readFile(path)
  const file = await realDisk.open(path, 'direct')
  assert.equal(await file.size(), whole.length)
  for (const [from, length] of [
    [0, 10],
    [fileHeaderBytes, 5_000],
    [4_095, 2],
    [4_096, 8_192],
    [whole.length - 10, 100],
    [whole.length + 10_000, 5],
    [0, whole.length + 1],
  ] as const) {
    const part = await file.read(from, length)
    assert.ok(part.equals(whole.subarray(from, from + length)), `${from}+${length}`)
  }
  await file.close()
  await assert.rejects(realDisk.open(join(home.home, 'nothing'), 'direct'), { code: 'ENOENT' })
})
