import assert from 'node:assert/strict'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { chunkOf, pinOf, readAll } from '../../test/conformance/chunk-store.ts'
import { Author, newFolder, StoreHome } from '../../test/store-fixture.ts'
import { isCode } from '../base/errors.ts'
import type { PoolId } from '../base/words.ts'
import { recordKinds, type Batch } from '../codec/record.ts'
import type { LocalStore } from './local-store.ts'
import { entryHeaderBytes } from './segment-format.ts'

async function homeOf(t: TestContext): Promise<StoreHome> {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  return home
}

const spareFile = (home: StoreHome): string => join(home.home, 'peerstor-spare.log')
const firstSegment = (home: StoreHome): string => join(home.options.folder, 'seg-00000001.log')

/** Turns one bit of a file. */
async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0]! ^= 4
  await file.write(byte, 0, 1, at)
  await file.close()
}

async function rot(home: StoreHome, store: LocalStore, batch: Batch): Promise<void> {
  const { offset } = store.read.batchPlace(lastOf(batch))!
  await flip(firstSegment(home), offset - entryHeaderBytes + 20)
}

const lastOf = (batch: Batch) => batch.records.at(-1)!.hash

/** Batches of names, with a version among those of the second, and one of a version alone. */
function batchesOf(author: Author): { names: Batch[]; version: Batch } {
  const folder = newFolder()
  const name = () => author.record({ kind: recordKinds.name, folder }, Buffer.alloc(300, 5))
  const names = [author.batch(name()), author.batch(author.version(folder), name()), author.batch(name())]
  return { names, version: author.batch(author.version(folder)) }
}

test('batches of anything but versions outlive rot in the segments with the index gone', async (t) => {
  const home = await homeOf(t)
  const { names, version } = batchesOf(new Author())
  let store = await home.open()
  for (const batch of [...names, version]) await store.commit({ batches: [batch] })
  for (const batch of [...names, version]) await rot(home, store, batch)
  await store.close()
  await home.options.disk.remove(home.options.database)
  store = await home.open()
  for (const batch of names) assert.deepEqual((await store.batch(lastOf(batch))).bytes, batch.bytes)
  assert.equal(store.read.hasBatch(lastOf(version)), false)
  assert.equal(store.read.record(lastOf(names[2]!))?.position, 3)
  await store.close()
  await home.options.disk.remove(spareFile(home))
  store = await home.open()
  for (const batch of names) assert.deepEqual((await store.batch(lastOf(batch))).bytes, batch.bytes)
  await store.close()
})

test('a rotted batch is read from its copy and stored again', async (t) => {
  const home = await homeOf(t)
  const { names, version } = batchesOf(new Author())
  const store = await home.open()
  await store.commit({ batches: [...names, version] })
  await rot(home, store, names[1]!)
  await rot(home, store, version)
  const before = store.read.batchPlace(lastOf(names[1]!))
  assert.deepEqual((await store.batch(lastOf(names[1]!))).bytes, names[1]!.bytes)
  assert.notDeepEqual(store.read.batchPlace(lastOf(names[1]!)), before)
  await assert.rejects(store.batch(lastOf(version)), (thrown) => isCode(thrown, 'SEGMENT_DAMAGED'))
  await store.close()
})

test('rot in a copy costs that copy alone; the file is written anew, and so it is for another pool', async (t) => {
  const home = await homeOf(t)
  const { names } = batchesOf(new Author())
  let store = await home.open()
  for (const batch of names) await store.commit({ batches: [batch] })
  await store.close()
  const whole = await readFile(spareFile(home))
  await flip(spareFile(home), whole.indexOf(names[1]!.bytes) + 7)
  store = await home.open()
  assert.deepEqual(
    home.lines.map(({ level }) => level),
    ['warn'],
  )
  store.keepSpare(names)
  await store.close()
  const mended = await readFile(spareFile(home))
  assert.equal(mended.length, whole.length)
  for (const { bytes } of names) assert.ok(mended.includes(bytes))
  const other = '22'.repeat(32) as PoolId
  store = await home.open({ pool: other, folder: join(home.home, 'others') })
  await store.close()
  assert.ok(!(await readFile(spareFile(home))).includes(names[0]!.bytes))
})

test('with its only header damaged a segment is read by the key that was kept, or set aside', async (t) => {
  const home = await homeOf(t)
  const chunk = chunkOf(700, pinOf('a'))
  const bytes = Buffer.from(chunk.bytes)
  let store = await home.open()
  await store.chunks.put([chunk])
  await store.close()
  await flip(firstSegment(home), 80)
  await home.options.disk.remove(home.options.database)
  store = await home.open()
  assert.deepEqual(await readAll(store.chunks, [chunk.id]), new Map([[chunk.id, bytes]]))
  await store.close()
  const { size } = await stat(firstSegment(home))
  await home.options.disk.remove(home.options.database)
  await home.options.disk.remove(spareFile(home))
  store = await home.open()
  await store.close()
  const [aside] = (await readdir(home.options.folder)).filter((name) => name.includes('.aside-'))
  assert.equal((await stat(join(home.options.folder, aside!))).size, size)
})

test('a full disk costs the copies, and nothing else', async (t) => {
  const home = await homeOf(t)
  const { names } = batchesOf(new Author())
  const { disk } = home.options
  const full: typeof disk = {
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode)
      if (path !== spareFile(home)) return file
      return Object.assign(Object.create(file) as typeof file, {
        write: () => Promise.reject(new Error('ENOSPC')),
        truncate: (length: number) => file.truncate(length),
        size: () => file.size(),
        read: (offset: number, length: number) => file.read(offset, length),
        sync: () => file.sync(),
        close: () => file.close(),
      })
    },
  }
  let store = await home.open({ disk: full })
  for (const batch of names) await store.commit({ batches: [batch] })
  await store.close()
  assert.equal((await stat(spareFile(home))).size, 0)
  store = await home.open()
  for (const batch of names) assert.deepEqual((await store.batch(lastOf(batch))).bytes, batch.bytes)
  await store.close()
})
