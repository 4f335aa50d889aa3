import assert from 'node:assert/strict'
import { createCipheriv, randomBytes, randomInt } from 'node:crypto'
import test from 'node:test'
import * as fc from 'fast-check'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import {
  idBytes,
  idOf,
  type ChunkId,
  type DeviceId,
  type EpochId,
  type FolderId,
  type Incarnation,
} from '../base/words.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { newAgreementKey } from './agree.ts'
import type { CompressionLevel, VerifiedBytes } from './codec.ts'
import { folderKeys } from './folder-keys.ts'
import { derive, hashHex, keyed } from './hash.ts'
import { paddedLength } from './padding.ts'
import { recordKinds, type RecordHead } from './record.ts'
import {
  contentHash,
  openChunk,
  openEpochBody,
  openRecordBody,
  sealChunk,
  sealRecordBody,
  unwrapEpochKey,
  verifyChunk,
  wrapEpochKey,
  type Expected,
  type Sealed,
} from './seal.ts'

const folder = idOf<FolderId>(Buffer.alloc(32, 1))
const secret = Buffer.alloc(32, 2)
const epochKey = Buffer.alloc(32, 3)
const keys = folderKeys(folder, secret, epochKey)
const data: Expected = { type: 'data', level: 0 }

function seal(plaintext: Uint8Array, compression: CompressionLevel = 0): Sealed {
  return sealChunk(keys, { type: 'data', level: 0, plaintext }, compression)
}

/** Bytes sealed outside the module, to make what it never makes: any body under any key, any tag length. */
function forge(
  ck: Buffer,
  body: Buffer,
  options: { aad?: Buffer; tagBytes?: number; c?: Buffer } = {},
): VerifiedBytes {
  const k = derive('peerstor/1 suite 1 key', ck)
  const cipher = createCipheriv('aes-256-gcm', k, Buffer.alloc(12), { authTagLength: options.tagBytes ?? 16 })
  cipher.setAAD(options.aad ?? Buffer.from('peerstor/1\0'))
  const sealed = Buffer.concat([cipher.update(body), cipher.final()])
  const c = options.c ?? derive('peerstor/1 suite 1 commit', ck)
  return Buffer.concat([c, sealed, cipher.getAuthTag()]) as Uint8Array as VerifiedBytes
}

interface HeaderFields {
  suite: number
  type: number
  compression: number
  level: number
  dataLength: number
  plaintextLength: number
  reserved: number
}

function bodyOf(content: Buffer, change: Partial<HeaderFields> = {}, padTo?: number): Buffer {
  const lengths = { dataLength: content.length, plaintextLength: content.length, reserved: 0 }
  const header = { suite: 1, type: 0, compression: 0, level: 0, ...lengths, ...change }
  const body = Buffer.alloc(padTo ?? paddedLength(16 + content.length))
  body.set([header.suite, header.type, header.compression, header.level])
  body.writeUInt32LE(header.dataLength, 4)
  body.writeUInt32LE(header.plaintextLength, 8)
  body.writeUInt32LE(header.reserved, 12)
  body.set(content, 16)
  return body
}

function open(ck: Uint8Array, bytes: VerifiedBytes, expected: Expected = data): Buffer {
  return openChunk(hashHex(bytes) as ChunkId, ck, bytes, expected).plaintext
}

const invalid = (message: RegExp): object => ({ code: 'CHUNK_INVALID', message })

test('every size opens to its bytes, whatever the compression', () => {
  const sizes = fc.oneof(fc.nat(600), fc.integer({ min: 60_000, max: 70_000 }), fc.constant(1_048_576))
  fc.assert(
    fc.property(sizes, fc.constantFrom<CompressionLevel[]>(0, 1, 9), fc.boolean(), (size, level, packs) => {
      const plaintext = packs ? Buffer.alloc(size, 'abc ') : randomBytes(size)
      const { id, ck, p, sealed } = seal(plaintext, level)
      assert.equal(id, hashHex(sealed))
      assert.deepEqual(p, contentHash(keys, plaintext))
      const opened = openChunk(id, ck, verifyChunk(id, sealed, 'memory'), { ...data, length: size })
      assert.ok(opened.plaintext.equals(plaintext))
      if (packs && level > 0 && size > 10_000) assert.ok(sealed.length < size / 10)
    }),
    { numRuns: 60 },
  )
})

test('the sealed form is what the rules say, step by step', () => {
  const plaintext = Buffer.from('ten bytes.')
  const header = bodyOf(plaintext).subarray(0, 16)
  const p = keyed(keys.dedup, plaintext)
  const ck = keyed(keys.kdf, keyed(keys.hash, header, p))
  const made = seal(plaintext)
  assert.deepEqual(made.ck, ck)
  assert.deepEqual(Buffer.from(made.sealed), Buffer.from(forge(ck, bodyOf(plaintext))))
  assert.equal(made.sealed.length, 32 + 256 + 16)
})

test('the key of a compressed chunk comes from its compressed bytes', () => {
  const plaintext = Buffer.alloc(5000, 'packs well ')
  const made = seal(plaintext, 1)
  const packed = openedData(made)
  assert.ok(packed.length < 200)
  const header = bodyOf(packed, { compression: 1, plaintextLength: 5000 }).subarray(0, 16)
  assert.deepEqual(made.ck, keyed(keys.kdf, keyed(keys.hash, header, keyed(keys.dedup, packed))))
})

test("damage is the source's, everything after it the writer's", () => {
  const { id, ck, sealed } = seal(randomBytes(1000))
  for (let at = 0; at < sealed.length; at += 7) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    assert.throws(() => verifyChunk(id, changed, 'peer A'), { code: 'CHUNK_DAMAGED', message: /peer A/ })
    assert.throws(() => open(ck, changed as Uint8Array as VerifiedBytes), { code: 'CHUNK_INVALID' })
  }
})

test('a ciphertext made for two keys is refused by its commitment, 100 times of 100', () => {
  for (let i = 0; i < 100; i++) {
    const [one, other] = [randomBytes(32), randomBytes(32)]
    const bytes = forge(one, bodyOf(Buffer.from('a')))
    assert.equal(open(one, bytes).toString(), 'a')
    assert.throws(() => open(other, bytes), invalid(/key is another/))
    const committed = forge(one, bodyOf(Buffer.from('a')), { c: derive('peerstor/1 suite 1 commit', other) })
    assert.throws(() => open(one, committed), invalid(/key is another/))
    assert.throws(() => open(other, committed), invalid(/tag/))
  }
})

test('short tags are refused', () => {
  const ck = randomBytes(32)
  for (const tagBytes of [4, 8, 12, 13, 14, 15]) {
    const bytes = forge(ck, bodyOf(Buffer.from('a')), { tagBytes })
    assert.throws(() => open(ck, bytes), { code: 'CHUNK_INVALID' })
    const padded = Buffer.concat([bytes, Buffer.alloc(16 - tagBytes)]) as Uint8Array as VerifiedBytes
    assert.throws(() => open(ck, padded), invalid(/tag/))
  }
})

const wrongBodies: [string, Buffer, RegExp][] = [
  ['another suite', bodyOf(Buffer.from('a'), { suite: 2 }), /suite/],
  ['another type in its header', bodyOf(Buffer.from('a'), { type: 1 }), /no data/],
  ['an unknown compression', bodyOf(Buffer.from('a'), { compression: 2 }), /compression/],
  ['a level', bodyOf(Buffer.from('a'), { level: 1 }), /level/],
  ['reserved bytes', bodyOf(Buffer.from('a'), { reserved: 1 }), /reserved/],
  ['a longer plaintext than data', bodyOf(Buffer.from('a'), { plaintextLength: 2 }), /lengths disagree/],
  ['more data than body', bodyOf(Buffer.from('a'), { dataLength: 300, plaintextLength: 300 }), /padding/],
  ['an impossible plaintext length', bodyOf(Buffer.from('a'), { plaintextLength: 0xffff_ffff }), /claims/],
  ['too much padding', bodyOf(Buffer.from('a'), {}, 512), /padding/],
  ['no zstd frame', bodyOf(Buffer.from('abcd'), { compression: 1, plaintextLength: 9 }), /decompress/],
  [
    'padding that is not zero',
    bodyOf(Buffer.concat([Buffer.from('a'), Buffer.alloc(200), Buffer.from([1])]), {
      dataLength: 1,
      plaintextLength: 1,
    }),
    /not zero/,
  ],
]
for (const [name, body, message] of wrongBodies)
  test(`a body with ${name} is its writer's fault`, () => {
    const ck = randomBytes(32)
    assert.throws(() => open(ck, forge(ck, body)), invalid(message))
  })

test('one type never passes as another', () => {
  const ck = randomBytes(32)
  const swapped = forge(ck, bodyOf(Buffer.from('a'), { type: 1, level: 1 }), {
    aad: Buffer.from('peerstor/1\0'),
  })
  assert.throws(() => open(ck, swapped, { type: 'manifest', level: 1 }), invalid(/tag/))
  const listing = sealChunk(keys, { type: 'listing', level: 0, plaintext: Buffer.from('a') }, 0)
  const bytes = verifyChunk(listing.id, listing.sealed, 'memory')
  assert.throws(() => open(listing.ck, bytes), invalid(/tag/))
  assert.equal(open(listing.ck, bytes, { type: 'listing', level: 0 }).toString(), 'a')
})

test('another length or level than the reference says is refused before inflating', () => {
  const { id, ck, sealed } = seal(Buffer.alloc(100_000), 1)
  const bytes = verifyChunk(id, sealed, 'memory')
  assert.throws(() => openChunk(id, ck, bytes, { ...data, length: 99_999 }), invalid(/length/))
})

test('a bomb stops at the length it claims', () => {
  const bomb = seal(Buffer.alloc(4 * 1024 * 1024), 9)
  const packed = openedData(bomb)
  const ck = randomBytes(32)
  for (const plaintextLength of [1000, 1024 * 1024]) {
    const body = bodyOf(packed, { compression: 1, plaintextLength })
    assert.throws(() => open(ck, forge(ck, body)), invalid(/decompress/))
  }
})

/** The zstd frame inside a sealed chunk, as this module seals it. */
function openedData({ ck, sealed }: Sealed): Buffer {
  const k = derive('peerstor/1 suite 1 key', ck)
  const { length } = sealed
  const plain = createCipheriv('aes-256-ctr', k, Buffer.concat([Buffer.alloc(15), Buffer.from([2])]))
  const body = plain.update(sealed.subarray(32, length - 16))
  return body.subarray(16, 16 + body.readUInt32LE(4))
}

for (const length of [0, 31, 33])
  test(`keys of ${length} bytes are refused and the process lives`, () => {
    const bad = Buffer.alloc(length)
    const { sealed } = seal(Buffer.from('a'))
    assert.throws(() => open(bad, sealed as Uint8Array as VerifiedBytes), { code: 'INTERNAL' })
    assert.throws(() => folderKeys(folder, bad, epochKey), { code: 'INTERNAL' })
    assert.throws(() => folderKeys(folder, secret, bad), { code: 'INTERNAL' })
    assert.throws(() => sealChunk({ ...keys, kdf: bad }, { type: 'data', level: 0, plaintext: secret }, 0), {
      code: 'INTERNAL',
    })
  })

test('no key ever meets two bodies: mixed levels, one content', () => {
  const seed = randomInt(2 ** 31)
  const bodies = new Map<string, string>()
  const contents = fc.sample(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 40_000 })), {
    numRuns: 1500,
    seed,
  })
  contents.forEach(([word, length], index) => {
    const { ck, sealed } = seal(Buffer.alloc(length, `word ${word} `), (index % 10) as CompressionLevel)
    const key = ck.toString('hex')
    const body = hashHex(sealed)
    assert.equal(bodies.get(key) ?? body, body, `seed ${seed}`)
    bodies.set(key, body)
  })
  assert.ok(bodies.size > 1000, `seed ${seed}`)
})

test('no key ever meets two bodies: 20,000 small contents at every level', () => {
  const seed = randomInt(2 ** 31)
  const random = new SeededRandom(seed)
  const bodies = new Map<string, string>()
  for (let index = 0; index < 20_000; index += 1) {
    const word = String(Math.floor(random.number() * 300))
    const length = 1 + Math.floor(random.number() * 400)
    const { ck, sealed } = seal(Buffer.alloc(length, `word ${word} `), (index % 10) as CompressionLevel)
    const key = ck.toString('latin1')
    const body = hashHex(sealed)
    assert.equal(bodies.get(key) ?? body, body, `seed ${seed}`)
    bodies.set(key, body)
  }
  assert.ok(bodies.size > 10_000, `seed ${seed}`)
})

test('random bytes never open, whatever their size', () => {
  for (let i = 0; i < 2000; i++) {
    const bytes = randomBytes(randomInt(2000)) as Uint8Array as VerifiedBytes
    assert.throws(() => open(randomBytes(32), bytes), { code: 'CHUNK_INVALID' })
  }
})

// Record bodies, epochs, wraps.

const head: RecordHead = {
  kind: recordKinds.epoch,
  folder,
  epoch: keys.epoch,
  device: idOf<DeviceId>(Buffer.alloc(32, 6)),
  incarnation: idOf<Incarnation>(Buffer.alloc(16, 7)),
  seq: 0,
  time: { ms: 1, counter: 0 },
}

test('a record body opens under its own head only, also once the head names it', () => {
  const body = sealRecordBody(keys, head, Buffer.from('a body'))
  assert.equal(openRecordBody(keys, { ...head, bodyHash: Buffer.alloc(32) }, body).toString(), 'a body')
  const changed: Partial<RecordHead>[] = [
    { kind: 1 },
    { seq: 1 },
    { time: { ms: 1, counter: 1 } },
    { parents: [] },
    { folder: idOf<FolderId>(Buffer.alloc(32, 9)) },
  ]
  for (const change of changed)
    assert.throws(() => openRecordBody(keys, { ...head, ...change }, body), { code: 'RECORD_INVALID' })
  for (let at = 0; at < body.length; at += 5) {
    const broken = Buffer.from(body)
    broken[at]! ^= 1
    assert.throws(() => openRecordBody(keys, head, broken), { code: 'RECORD_INVALID' })
  }
  assert.throws(() => openRecordBody(keys, head, body.subarray(0, 100)), { code: 'RECORD_INVALID' })
})

test("an epoch's own body gives the folder's keys, and only with its own secret", () => {
  const body = sealRecordBody(keys, head, secret)
  const { keys: found } = openEpochBody(folder, epochKey, head, body, (plaintext) => plaintext)
  assert.deepEqual(found, keys)
  const lying = folderKeys(folder, Buffer.alloc(32, 8), epochKey)
  const other = sealRecordBody(lying, head, secret)
  assert.throws(() => openEpochBody(folder, epochKey, head, other, (plaintext) => plaintext), {
    code: 'RECORD_INVALID',
    message: /another head/,
  })
})

test('a wrapped key opens for its recipient, folder and epoch only', () => {
  const recipient = newAgreementKey(systemRandom)
  const wrap = wrapEpochKey(systemRandom, recipient.publicKey, folder, epochKey)
  assert.deepEqual(unwrapEpochKey(recipient, folder, keys.epoch, wrap), epochKey)
  const stranger = newAgreementKey(systemRandom)
  const otherFolder = idOf<FolderId>(Buffer.alloc(32, 9))
  const otherEpoch = 'ab'.repeat(32) as EpochId
  assert.throws(() => unwrapEpochKey(stranger, folder, keys.epoch, wrap), { code: 'BAD_INPUT' })
  assert.throws(() => unwrapEpochKey(recipient, otherFolder, keys.epoch, wrap), { code: 'BAD_INPUT' })
  assert.throws(() => unwrapEpochKey(recipient, folder, otherEpoch, wrap), { code: 'BAD_INPUT' })
  for (let at = 0; at < wrap.length; at++) {
    const broken = Buffer.from(wrap)
    broken[at]! ^= 2
    assert.throws(() => unwrapEpochKey(recipient, folder, keys.epoch, broken), { code: 'BAD_INPUT' })
  }
  for (const length of [0, 79, 81])
    assert.throws(() => unwrapEpochKey(recipient, folder, keys.epoch, Buffer.alloc(length)), {
      code: 'BAD_INPUT',
    })
})

test('a wrap to or from a key without a secret is refused', () => {
  const recipient = newAgreementKey(systemRandom)
  const small = Buffer.alloc(32)
  assert.throws(() => wrapEpochKey(systemRandom, small, folder, epochKey), { code: 'BAD_INPUT' })
  const wrap = wrapEpochKey(systemRandom, recipient.publicKey, folder, epochKey)
  wrap.set(small)
  assert.throws(() => unwrapEpochKey(recipient, folder, keys.epoch, wrap), { code: 'BAD_INPUT' })
})

test('a well-made wrap whose key gives another epoch is refused', () => {
  const recipient = newAgreementKey(systemRandom)
  const ephemeral = newAgreementKey(systemRandom)
  const shared = ephemeral.shared(recipient.publicKey)
  const bound = [shared, ephemeral.publicKey, recipient.publicKey, idBytes(folder), idBytes(keys.epoch)]
  const wrapOf = (key: Buffer): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', derive('peerstor/1 wrap', ...bound), Buffer.alloc(12))
    return Buffer.concat([ephemeral.publicKey, cipher.update(key), cipher.final(), cipher.getAuthTag()])
  }
  assert.deepEqual(unwrapEpochKey(recipient, folder, keys.epoch, wrapOf(epochKey)), epochKey)
  assert.throws(() => unwrapEpochKey(recipient, folder, keys.epoch, wrapOf(Buffer.alloc(32, 4))), {
    code: 'BAD_INPUT',
    message: /another epoch/,
  })
})

test('the limits of sealed chunks hold', () => {
  assert.equal(seal(Buffer.alloc(0)).sealed.length, limits.sealedMin)
  assert.ok(seal(randomBytes(limits.chunkMax * limits.hugeFactor)).sealed.length <= limits.sealedMax)
  assert.throws(() => seal(Buffer.alloc(limits.chunkMax * limits.hugeFactor + 1)), { code: 'INTERNAL' })
})
