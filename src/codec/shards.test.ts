import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import test from 'node:test'
import { hashHex } from './hash.ts'
import {
  decodeShards,
  encodeShards,
  parityRows,
  portableSums,
  schemeOf,
  shardBytes,
  wasmSums,
  type ShardPiece,
  type ShardScheme,
} from './shards.ts'

/** Every way to choose `count` of `items`. */
function* choices<T>(items: readonly T[], count: number): Generator<T[]> {
  if (count === 0) yield []
  else
    for (const [at, first] of items.entries())
      for (const rest of choices(items.slice(at + 1), count - 1)) yield [first, ...rest]
}

function piecesOf(chunk: Uint8Array, scheme: ShardScheme): ShardPiece[] {
  return encodeShards(chunk, scheme).map((bytes, place) => ({ place, bytes }))
}

test('any k of k+m shards give the chunk back, for all small k and m', () => {
  for (let k = 2; k <= 6; k++)
    for (let m = 1; m <= 4; m++) {
      const chunk = randomBytes(randomInt(k, 400))
      const pieces = piecesOf(chunk, { k, m })
      assert.equal(pieces.length, k + m)
      for (const some of choices(pieces, k))
        assert.ok(
          Buffer.from(decodeShards(some, { k, m }, chunk.length)).equals(chunk),
          `${k}+${m} from ${some.map(({ place }) => place).join()}, ${chunk.toString('hex')}`,
        )
    }
})

test('the largest scheme, lengths around its blocks, shards in any order', () => {
  const scheme = { k: 16, m: 8 }
  for (const length of [1, 15, 16, 17, 16 * 16_384 - 1, 16 * 16_384, 16 * 16_384 + 1, 1_100_000]) {
    const chunk = randomBytes(length)
    const pieces = piecesOf(chunk, scheme)
    const some = pieces
      .map((piece) => ({ piece, at: randomInt(2 ** 32) }))
      .sort((a, b) => a.at - b.at)
      .slice(0, 16)
      .map(({ piece }) => piece)
    const back = decodeShards(some, scheme, length)
    assert.ok(
      Buffer.from(back).equals(chunk),
      `${length} bytes from ${some.map(({ place }) => place).join()}`,
    )
  }
})

test('data shards are the chunk in order, the last one filled with zeros', () => {
  const shards = encodeShards(Buffer.from('abcdefg'), { k: 3, m: 2 })
  assert.deepEqual(
    shards.slice(0, 3).map((shard) => Buffer.from(shard).toString('latin1')),
    ['abc', 'def', 'g\0\0'],
  )
  assert.equal(shardBytes(7, { k: 3, m: 2 }), 3)
})

test('the kernel in WebAssembly and the one in JavaScript make the same shards', () => {
  const kernel = wasmSums()
  assert.ok(kernel !== undefined)
  const scheme = { k: 5, m: 3 }
  for (const length of [5, 79, 16_384 * 5 + 3, 200_003]) {
    const chunk = randomBytes(length)
    const plain = encodeShards(chunk, scheme, portableSums)
    for (const [at, shard] of encodeShards(chunk, scheme, kernel).entries())
      assert.ok(Buffer.from(shard).equals(Buffer.from(plain[at]!)))
  }
})

test('known answers of docs/FORMAT.md', () => {
  const bytes = Buffer.from(Array.from({ length: 16 }, (_, at) => at))
  assert.deepEqual(parityRows({ k: 4, m: 2 }), [
    [71, 167, 122, 186],
    [167, 71, 186, 122],
  ])
  const small = encodeShards(bytes, { k: 4, m: 2 }).map((shard) => Buffer.from(shard).toString('hex'))
  assert.deepEqual(small, ['00010203', '04050607', '08090a0b', '0c0d0e0f', '3a1a7a5a', 'ba9afada'])
  const large = Buffer.alloc(100_000, bytes)
  const ids = encodeShards(large, { k: 4, m: 2 }).map((shard) => hashHex(shard))
  assert.deepEqual(ids.slice(4), [
    '462fa589686dcaac738f8a739fee2c3b58816490d4b5896be1f785308760fd08',
    '9e6841ff5e8af792e517797ad291e70bf482ad21b04f0b5efab239ddec85373b',
  ])
})

test('a scheme has two data shards or more, and at most sixteen and eight', () => {
  assert.deepEqual(schemeOf('4+2'), { k: 4, m: 2 })
  for (const text of ['1+2', '17+2', '4+0', '4+9', '4', '4+', '+2', '4+2+1', '-4+2', ''])
    assert.equal(schemeOf(text), undefined, text)
})
