import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { compress, decompress, looksCompressible } from './compress.ts'

test('random and packed bytes are not tried, whatever their size', () => {
  const text = readFileSync(process.execPath).subarray(0, 8_000_000)
  const packed = deflateRawSync(text)
  for (const size of [1024, 5000, 16_384, 16_385, 100_000, 524_288])
    for (const bytes of [randomBytes(size), packed.subarray(100_000, 100_000 + size)])
      assert.equal(looksCompressible(bytes), false, `${size} bytes`)
})

test('text, programs and columns of 16 bytes are tried and gain', () => {
  const columns = Buffer.alloc(320_000)
  for (let at = 0; at < columns.length; at += 16) columns.set(randomBytes(1), at)
  const program = readFileSync(process.execPath).subarray(2_000_000, 2_500_000)
  for (const bytes of [Buffer.alloc(50_000, 'some text '), columns, program]) {
    const packed = compress(bytes, 1)
    assert.ok(packed !== undefined && packed.length < bytes.length * 0.97)
    assert.ok(decompress(packed, bytes.length).equals(bytes))
  }
})

test('a gain under 3 % is not kept, and nothing is compressed at level 0', () => {
  const bytes = Buffer.concat([randomBytes(900), Buffer.alloc(20)])
  assert.equal(compress(bytes, 9), undefined)
  assert.equal(compress(Buffer.alloc(10_000), 0), undefined)
  assert.equal(compress(Buffer.alloc(0), 1), undefined)
})

test('decompressing gives exactly the length asked for, or fails', () => {
  const packed = compress(Buffer.alloc(1_000_000), 1)!
  for (const length of [0, 1, 999_999, 1_000_001]) assert.throws(() => decompress(packed, length))
  const bomb = compress(Buffer.alloc(50_000_000), 1)!
  assert.throws(() => decompress(bomb, 1000), { code: 'ERR_BUFFER_TOO_LARGE' }, 'stops before it is inflated')
  assert.throws(() => decompress(randomBytes(100), 100))
  assert.throws(() => decompress(packed.subarray(0, packed.length - 1), 1_000_000))
})
