/**
 * What every ChunkStore must do, whatever it keeps chunks in: run against the memory store, this
 * device's disk, the wrappers and a remote peer.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { ChunkId, DeviceId, FolderId } from '../../src/base/words.ts'
import { hashHex } from '../../src/codec/hash.ts'
import type { ChunkStore, ChunkToPut, Pin } from '../../src/store/chunk-store.ts'

/** A store to test; `pins`, where the store can tell them, and `close` when it needs closing. */
export interface StoreUnderTest {
  store: ChunkStore
  pins?: (id: ChunkId) => Pin[]
  close?: () => Promise<void>
}

export const pinOf = (name: string): Pin => ({
  folder: hashHex(Buffer.from(`folder ${name}`)) as FolderId,
  device: hashHex(Buffer.from(`device ${name}`)) as DeviceId,
})

/** A chunk of `size` bytes, random unless `bytes` are given. */
export function chunkOf(bytes: Uint8Array | number, ...pins: Pin[]): ChunkToPut {
  const content = typeof bytes === 'number' ? randomBytes(bytes) : bytes
  return { id: hashHex(content) as ChunkId, bytes: content, pins }
}

/** Reads chunks into a map. */
export async function readAll(store: ChunkStore, ids: readonly ChunkId[]): Promise<Map<ChunkId, Buffer>> {
  const found = new Map<ChunkId, Buffer>()
  for await (const { id, bytes } of store.get(ids)) {
    assert(!found.has(id), 'a chunk is yielded once')
    found.set(id, Buffer.from(bytes))
  }
  return found
}

/** Hashes instead of bytes: a failed comparison of megabytes would take minutes to print. */
export function digestsOf(chunks: ReadonlyMap<string, Uint8Array>): Map<string, string> {
  return new Map([...chunks].map(([id, bytes]) => [id, hashHex(bytes)]))
}

/** Ids of a listing, in its order. */
export async function listAll(store: ChunkStore, prefix = ''): Promise<ChunkId[]> {
  return Array.fromAsync(store.list(prefix))
}

export function chunkStoreConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  const conform = (what: string, run: (under: StoreUnderTest) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const under = await open()
      try {
        await run(under)
      } finally {
        await under.close?.()
      }
    })
  }
  const pin = pinOf('a')

  conform('what was put is read back byte by byte', async ({ store }) => {
    const chunks = [304, 305, 4096, 70_000, 600_000].map((size) => chunkOf(size, pin))
    const copies = new Map(chunks.map(({ id, bytes }) => [id, Buffer.from(bytes)]))
    await store.put(chunks)
    assert.deepEqual(await readAll(store, [...copies.keys()]), copies)
  })

  conform('an empty call is nothing', async ({ store }) => {
    await store.put([])
    assert.deepEqual(await store.has([]), [])
    assert.equal((await readAll(store, [])).size, 0)
  })

  conform('has answers in the order asked, get leaves absent chunks out', async ({ store }) => {
    const [here, there, absent] = [chunkOf(400, pin), chunkOf(400, pin), chunkOf(400, pin)]
    await store.put([here, there])
    assert.deepEqual(await store.has([absent.id, there.id, here.id, absent.id]), [false, true, true, false])
    assert.deepEqual([...(await readAll(store, [absent.id, here.id])).keys()], [here.id])
  })

  conform('a chunk put twice is kept once, with the pins of both', async ({ store, pins }) => {
    const bytes = randomBytes(5000)
    await store.put([chunkOf(bytes, pin)])
    await store.put([chunkOf(bytes, pinOf('b')), chunkOf(bytes, pinOf('c'))])
    const { id } = chunkOf(bytes)
    assert.deepEqual(await listAll(store), [id])
    if (pins !== undefined) {
      const folders = pins(id).map(({ folder }) => folder)
      assert.deepEqual(folders.sort(), ['a', 'b', 'c'].map((name) => pinOf(name).folder).sort())
    }
  })

  conform('many puts at once all land', async ({ store }) => {
    const chunks = Array.from({ length: 64 }, () => chunkOf(2000, pin))
    const same = chunkOf(3000, pin)
    await Promise.all([
      ...chunks.map((chunk) => store.put([chunk])),
      ...chunks.map(() => store.put([{ ...same }])),
    ])
    const ids = [...chunks.map(({ id }) => id), same.id]
    assert.deepEqual(await listAll(store), ids.toSorted())
    assert.equal((await readAll(store, ids)).size, 65)
  })

  conform('a listing has the ids of a prefix, ascending', async ({ store }) => {
    const chunks = Array.from({ length: 300 }, () => chunkOf(304, pin))
    await store.put(chunks)
    const ids = chunks.map(({ id }) => id).sort()
    assert.deepEqual(await listAll(store), ids)
    for (const prefix of ['0', 'f', 'a7', ids[7]!, ids[9]!.slice(0, 5)])
      assert.deepEqual(
        await listAll(store, prefix),
        ids.filter((id) => id.startsWith(prefix)),
      )
    const [first, middle, last] = [ids[0]!, ids[150]!, ids.at(-1)!]
    for (const [prefix, after] of [
      ['', middle],
      ['', last],
      ['', middle.replace(/.$/, middle.endsWith('f') ? 'e' : 'f')],
      [middle[0]!, middle],
      ['f', first],
      [first[0]!, last],
    ] as [string, ChunkId][])
      assert.deepEqual(
        await Array.fromAsync(store.list(prefix, { after })),
        ids.filter((id) => id.startsWith(prefix) && id > after),
      )
  })

  conform('a read chunk belongs to its reader alone', async ({ store }) => {
    const chunk = chunkOf(2000, pin)
    const other = chunkOf(2000, pin)
    const copies = [chunk, other].map(({ bytes }) => Buffer.from(bytes))
    await store.put([chunk, other])
    for await (const { bytes } of store.get([chunk.id, other.id])) bytes.fill(0)
    const found = await readAll(store, [chunk.id, other.id])
    assert.deepEqual([found.get(chunk.id), found.get(other.id)], copies)
  })
}
