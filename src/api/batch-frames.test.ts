import assert from 'node:assert/strict'
import test from 'node:test'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { readFrames } from './batch-frames.ts'
import { endFrame, frameBytes, inBlocks } from './frame-bytes.ts'

const files = [
  { facts: { path: 'files/a', size: 3, mode: 0o644, modified: 5 }, content: Buffer.from('abc') },
  { facts: { path: 'files/leer', size: 0 }, content: Buffer.alloc(0) },
  { facts: { path: 'files/ü/link', size: 0, link: '../a' }, content: Buffer.alloc(0) },
]
const stream = Buffer.concat([...files.flatMap(({ facts, content }) => frameBytes(facts, content)), endFrame])

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length)
    yield await Promise.resolve(bytes.subarray(at, at + length))
}

for (const length of [1, 3, 7, 1000])
  test(`frames come out as they went in, in pieces of ${length} bytes`, async () => {
    const frames = await Array.fromAsync(readFrames(inPieces(stream, length)))
    assert.deepEqual(
      frames.map(({ header, content }) => ({ facts: { ...header }, content: Buffer.from(content) })),
      files,
    )
    for (const { content } of frames)
      assert.equal(content.byteLength, content.buffer.byteLength, 'memory of its own')
  })

test('in blocks the bytes stay as they were, small pieces joined, large ones as they are', async () => {
  const large = Buffer.alloc(100_000, 7)
  const pieces = [
    ...Array.from({ length: 30 }, (_, at) => Buffer.alloc(10_000, at)),
    large,
    Buffer.from('end'),
  ]
  const blocks = await Array.fromAsync(inBlocks(inTurn(pieces)))
  assert.deepEqual(Buffer.concat(blocks), Buffer.concat(pieces))
  assert.equal(blocks.length, 7)
  assert.equal(blocks[5], large)
})

async function* inTurn(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece)
}

test('a stream that is cut anywhere is an error, whole frames before the cut are kept', async () => {
  for (let length = 0; length < stream.length; length += 1) {
    const found: string[] = []
    await assert.rejects(
      async () => {
        for await (const { header } of readFrames(inPieces(stream.subarray(0, length), 16)))
          found.push(header.path)
      },
      (error) => isCode(error, 'BAD_INPUT'),
    )
    assert.deepEqual(
      found,
      files.slice(0, found.length).map(({ facts }) => facts.path),
    )
  }
})

const badHeaders: [string, Buffer][] = [
  ['no JSON', frame('{')],
  ['no object', frame('[]')],
  ['no path', frame('{"size":0}')],
  ['a negative size', frame('{"path":"files/a","size":-1}')],
  ['too large a file', frame(JSON.stringify({ path: 'files/a', size: limits.batchFileBytes + 1 }))],
  ['too long a header', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
]

for (const [name, bytes] of badHeaders)
  test(`refused: ${name}`, async () => {
    await assert.rejects(Array.fromAsync(readFrames(inPieces(Buffer.concat([bytes, stream]), 64))), (error) =>
      isCode(error, 'BAD_INPUT'),
    )
  })

function frame(header: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(header.length)
  return Buffer.concat([length, Buffer.from(header)])
}
