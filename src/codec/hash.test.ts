import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { derive, hash, hashHex, keyed, keyedHash, nativeBlake3, portableBlake3, RunningHash } from './hash.ts'

/** From the BLAKE3 authors' test_vectors.json: input bytes 0, 1, … 250, 0, …; this key and context. */
const officialKey = Buffer.from('whats the Elvish word for friend')
const officialContext = 'BLAKE3 2019-12-27 16:29:52 test vectors context'
const official = [
  {
    length: 0,
    hash: 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
    keyed: '92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26',
    derive: '2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d',
  },
  {
    length: 1,
    hash: '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213',
    keyed: '6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b',
    derive: 'b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c',
  },
]

test('the published vectors hold', () => {
  for (const row of official) {
    const input = Buffer.from(Array.from({ length: row.length }, (_, i) => i % 251))
    assert.equal(hashHex(input), row.hash)
    assert.equal(keyed(officialKey, input).toString('hex'), row.keyed)
    assert.equal(derive(officialContext, input).toString('hex'), row.derive)
  }
})

test('the portable implementation gives the native digests', (context) => {
  const native = nativeBlake3()
  if (native === undefined) return context.skip('the native package has no build for this platform')
  const key = randomBytes(32)
  for (const length of [0, 1, 31, 64, 65, 1023, 1024, 1025, 4096, 10_000, 262_144, 600_001]) {
    const input = randomBytes(length)
    for (const make of ['plain', 'keyed'] as const) {
      const [a, b]: string[] = [native, portableBlake3].map((blake3) => {
        const state = make === 'plain' ? blake3.plain() : blake3.keyed(key)
        state.update(input)
        state.reset()
        state.update(input.subarray(0, length >> 1))
        state.update(input.subarray(length >> 1))
        return state.digest()
      })
      assert.equal(a, b, `${make}, ${length} bytes`)
    }
    assert.deepEqual(
      Buffer.from(native.derive('a context', input)),
      Buffer.from(portableBlake3.derive('a context', input)),
    )
  }
})

test('parts are hashed as if they were joined', () => {
  const key = randomBytes(32)
  const [a, b] = [randomBytes(100), randomBytes(2000)]
  const whole = Buffer.concat([a, b])
  assert.deepEqual(hash(a, b), hash(whole))
  assert.deepEqual(keyed(key, a, b), keyed(key, whole))
  assert.deepEqual(derive('context', a, b), derive('context', whole))
  assert.deepEqual(new RunningHash().add(a).add(b).digest(), hash(whole))
})

for (const length of [0, 31, 33])
  test(`a key of ${length} bytes is refused before it reaches the native package`, () => {
    assert.throws(() => keyedHash(Buffer.alloc(length)), { code: 'INTERNAL', message: /32/ })
  })

test('bytes that were given away are refused, not hashed as empty', () => {
  const bytes = new Uint8Array(100)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  for (const run of [() => hash(bytes), () => keyed(Buffer.alloc(32), bytes), () => derive('context', bytes)])
    assert.throws(run, { code: 'INTERNAL', message: /given away/ })
  assert.equal(hash(new Uint8Array(0)).length, 32, 'empty bytes are fine')
})
