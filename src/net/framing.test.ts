import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isCode } from '../base/errors.ts'
import { ByteReader, framed, frames, lengthPrefix } from './framing.ts'
import { collect } from './networks.fixture.ts'

const what = 'the answer'

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0
  for (const size of sizes) {
    yield bytes.subarray(from, from + size)
    from = Math.min(bytes.byteLength, from + size)
  }
  yield bytes.subarray(from)
}

test('frames come back whole, however the stream is cut', async () => {
  const items = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 })
  const sizes = fc.array(fc.nat({ max: 30 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(items, sizes, async (items, sizes) => {
      const wire = await collect(framed(items))
      const back: Uint8Array[] = []
      for await (const item of frames(cut(wire, sizes), 40, what)) back.push(new Uint8Array(item))
      assert.deepEqual(back, items)
    }),
  )
})

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}

test('keyed items are read in turn', async () => {
  const id = Buffer.alloc(32, 7)
  const wire = Buffer.concat([id, lengthPrefix(3), Buffer.from('abc'), id, lengthPrefix(0)])
  const reader = new ByteReader(cut(wire, [5, 30, 1]), what)
  const items: string[] = []
  for (let key = await reader.exactlyOrEnd(32); key; key = await reader.exactlyOrEnd(32)) {
    assert.deepEqual(key, id)
    items.push((await reader.exactly(await reader.length(3))).toString())
  }
  assert.deepEqual(items, ['abc', ''])
})

test('a chunk that arrives whole is not copied', async () => {
  const chunk = Buffer.from('abcdef')
  const reader = new ByteReader(cut(chunk, []), what)
  const part = await reader.exactly(6)
  assert.equal(part.buffer, chunk.buffer)
})

test('the memory of pieces that were copied out is given back, that of a view stays', async () => {
  const pieces = [10, 100_000, 100_000].map((bytes) => Buffer.allocUnsafeSlow(bytes).fill(3))
  const reader = new ByteReader(each(pieces), what)
  const head = await reader.exactly(4)
  const rest = await reader.exactly(150_006)
  assert.equal((await reader.exactly(0)).byteLength, 0)
  assert.deepEqual(
    pieces.map(({ byteLength }) => byteLength),
    [10, 0, 100_000],
  )
  assert.deepEqual(head, Buffer.alloc(4, 3))
  assert.deepEqual(rest, Buffer.alloc(150_006, 3))
})

test('a length above the limit, an early end and a long rest fail', async () => {
  const read = (bytes: Uint8Array): ByteReader => new ByteReader(cut(bytes, [2]), what)
  await assert.rejects(read(lengthPrefix(0xffffffff)).frame(100), (error) => isCode(error, 'TOO_LARGE'))
  await assert.rejects(read(Buffer.alloc(3)).exactly(4), (error) => isCode(error, 'BAD_INPUT'))
  await assert.rejects(read(Buffer.alloc(0)).exactly(4), (error) => isCode(error, 'BAD_INPUT'))
  await assert.rejects(collect(read(Buffer.alloc(5)).rest(4)), (error) => isCode(error, 'TOO_LARGE'))
  assert.equal(await read(Buffer.alloc(0)).exactlyOrEnd(4), undefined)
  assert.equal((await collect(read(Buffer.alloc(4)).rest(4))).byteLength, 4)
})
