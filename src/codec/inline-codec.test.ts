import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { idOf, type FolderId } from '../base/words.ts'
import type { Chunk } from './codec.ts'
import { folderKeys } from './folder-keys.ts'
import { InlineCodec } from './inline-codec.ts'

const folder = idOf<FolderId>(Buffer.alloc(32, 1))
const keys = folderKeys(folder, Buffer.alloc(32, 2), Buffer.alloc(32, 3))

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test('a stream is cut, sealed, verified and opened to the same bytes', async () => {
  const codec = new InlineCodec()
  const source = randomBytes(3_000_000)
  const opened: Uint8Array[] = []
  for await (const chunk of codec.cut(keys, pieces(source, 65_536))) {
    const { ref, p, sealed } = await codec.seal(keys, chunk, 1)
    const back = await codec.open(ref, await codec.verify(ref.id, sealed, 'memory'), keys)
    assert.deepEqual(back.p, p)
    opened.push(back.bytes)
  }
  assert.ok(opened.length >= 3)
  assert.ok(Buffer.concat(opened).equals(source))
})

test('an empty source is no chunk, a small one is one', async () => {
  const codec = new InlineCodec()
  const cut = (bytes: Uint8Array): Promise<Chunk[]> => Array.fromAsync(codec.cut(keys, pieces(bytes, 7)))
  assert.equal((await cut(Buffer.alloc(0))).length, 0)
  assert.deepEqual(
    (await cut(Buffer.from('hello, world'))).map(({ bytes }) => Buffer.from(bytes).toString()),
    ['hello, world'],
  )
})

test('bytes of another id are refused, naming the source', async () => {
  const codec = new InlineCodec()
  const { ref, sealed } = await codec.seal(keys, { bytes: Buffer.from('x'), p: Buffer.alloc(32) }, 0)
  sealed[40]! ^= 1
  await assert.rejects(codec.verify(ref.id, sealed, 'peer A'), { code: 'CHUNK_DAMAGED', message: /peer A/ })
})
