import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import test from 'node:test'
import { decode as cborgDecode, encode as cborgEncode, rfc8949EncodeOptions } from 'cborg'
import * as fc from 'fast-check'
import { decodeCbor, encodeCbor, type CborValue } from './cbor.ts'

const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.maxSafeInteger(),
    fc.integer({ min: -300, max: 70_000 }),
    fc.boolean(),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.array(fc.tuple(fc.maxSafeNat(), tie('value')), { maxLength: 30 }).map((rows) => new Map(rows)),
  ),
}))

/** cborg's canonical bytes of what cborg reads, or undefined when it reads nothing. */
function oracle(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return cborgEncode(
      cborgDecode(bytes, { useMaps: true, rejectDuplicateMapKeys: true }),
      rfc8949EncodeOptions,
    )
  } catch {
    return undefined
  }
}

test('writing gives the bytes that cborg gives, and reading gives the value back', () => {
  fc.assert(
    fc.property(value, (sample) => {
      const bytes = encodeCbor(sample)
      assert.deepEqual(bytes, Buffer.from(cborgEncode(sample, rfc8949EncodeOptions)))
      assert.deepEqual(encodeCbor(decodeCbor(bytes, 'a sample', 1e6)), bytes)
    }),
    { numRuns: 500 },
  )
})

test('what is read from mutated bytes always has those bytes as its canonical form', () => {
  const seed = randomInt(2 ** 31)
  let read = 0
  const samples = fc.sample(value, { numRuns: 4000, seed })
  const places = fc.sample(fc.tuple(fc.maxSafeNat(), fc.nat(255)), { numRuns: samples.length, seed })
  samples.forEach((sample, index) => {
    const bytes = encodeCbor(sample)
    const [place, byte] = places[index]!
    bytes[place % bytes.length] = byte
    let again: CborValue
    try {
      again = decodeCbor(bytes, 'a sample', 1e6)
    } catch (thrown) {
      assert.equal((thrown as { code?: string }).code, 'BAD_INPUT', `seed ${seed}: ${String(thrown)}`)
      return
    }
    read += 1
    assert.deepEqual(encodeCbor(again), bytes, `seed ${seed}`)
    assert.deepEqual(Buffer.from(oracle(bytes)!), bytes, `seed ${seed}: cborg disagrees`)
  })
  assert.ok(read > 100, `seed ${seed}: only ${read} mutations were readable`)
})

const refused: [string, string][] = [
  ['a longer form of 0', '1800'],
  ['a longer form of 255', '1900ff'],
  ['a longer form of 65535', '1a0000ffff'],
  ['a longer form of 2^32-1', '1b00000000ffffffff'],
  ['an integer over 2^53', '1b0020000000000000'],
  ['a negative one under -2^53', '3b0020000000000000'],
  ['a half float', 'f93c00'],
  ['a double', 'fb3ff0000000000000'],
  ['null', 'f6'],
  ['undefined', 'f7'],
  ['a simple value', 'f820'],
  ['a tag', 'c074323032362d31312d32315430303a30303a30305a'],
  ['an indefinite array', '9f01ff'],
  ['indefinite bytes', '5f4101ff'],
  ['unsorted keys', 'a202000100'],
  ['a repeated key', 'a201000100'],
  ['a text key', 'a1616100'],
  ['a negative key', 'a12000'],
  ['bad UTF-8', '61ff'],
  ['a surrogate in UTF-8', '63eda080'],
  ['bytes after the end', '0000'],
  ['an early end', '820'.concat('1')],
  ['nothing', ''],
  ['a reserved length', '1c'],
  ['an array longer than its bytes', '9b001fffffffffffff00'],
  ['a map longer than its bytes', 'bb001fffffffffffff00'],
  ['bytes longer than there are', '5b001fffffffffffff00'],
]
for (const [name, hex] of refused)
  test(`${name} is refused`, () => {
    assert.throws(() => decodeCbor(Buffer.from(hex, 'hex'), 'a sample', 1e6), { code: 'BAD_INPUT' })
  })

test('a hundred thousand nested arrays are refused, not a full stack', () => {
  assert.throws(() => decodeCbor(Buffer.alloc(100_000, 0x81), 'a sample', 1e6), {
    code: 'BAD_INPUT',
    message: /deeper/,
  })
})

test('a message over its limit is refused before it is read', () => {
  assert.throws(() => decodeCbor(Buffer.alloc(11, 0xff), 'a sample', 10), {
    code: 'TOO_LARGE',
    message: /10/,
  })
})

test('values without a canonical form are never written', () => {
  for (const bad of [1.5, NaN, 2 ** 53, '\ud800', new Map([[-1, 0]]), new Map([[0.5, 0]])])
    assert.throws(() => encodeCbor(bad as CborValue), { code: 'INTERNAL' })
})
