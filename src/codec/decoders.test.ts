/** Every decoder of bytes from outside, under mutation: no crash, no foreign error, and what is read writes back equal. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import test from 'node:test'
import * as fc from 'fast-check'
import { idOf, type ChunkId, type DeviceId, type FolderId, type Incarnation } from '../base/words.ts'
import type { VerifiedBytes } from './codec.ts'
import { folderKeys } from './folder-keys.ts'
import { hash, hashHex } from './hash.ts'
import { decodeNode, encodeNode, openRoot } from './manifest.ts'
import { decodeBatch, decodeHead, encodeBatch, encodeHead, makeRecord, signBatch } from './record-bytes.ts'
import { recordKinds, type RecordHead, type SignedRecord } from './record.ts'
import { openRecordBody, sealChunk, sealRecordBody } from './seal.ts'
import { deviceIdOf, signingKey } from './sign.ts'

const cases = 5000
const folder = idOf<FolderId>(Buffer.alloc(32, 1))
const keys = folderKeys(folder, Buffer.alloc(32, 2), Buffer.alloc(32, 3))
const key = signingKey(Buffer.alloc(32, 7))

function records(): SignedRecord[] {
  const made: SignedRecord[] = []
  for (let seq = 0; seq < 3; seq++) {
    const previous = made.at(-1)?.hash
    const head: RecordHead = {
      kind: recordKinds.version,
      folder,
      device: deviceIdOf(key.publicKey),
      incarnation: idOf<Incarnation>(Buffer.alloc(16, 4)),
      seq,
      ...(previous === undefined ? {} : { previous }),
      time: { ms: 1_800_000_000_000, counter: seq },
    }
    made.push(makeRecord(head, Buffer.from(`body ${seq}`)))
  }
  return made
}

const batch = signBatch(records(), key, undefined)
const refs = [1, 2, 3].map((n) => ({
  id: idOf<ChunkId>(hash(Buffer.of(n))),
  ck: Buffer.alloc(32, n),
  length: n * 1000,
  level: 0,
}))
const head: RecordHead = { ...batch.records[0]!.head, device: 'ab'.repeat(32) as DeviceId }
const body = sealRecordBody(keys, head, Buffer.from('a body'))
const sealed = sealChunk(keys, { type: 'manifest', level: 1, plaintext: encodeNode(refs) }, 0)

interface Decoder {
  name: string
  start: Buffer
  /** Reads and writes again; throws catalogue errors only. */
  again: (bytes: Buffer) => Uint8Array
  codes: readonly string[]
}

const decoders: Decoder[] = [
  {
    name: 'a record head',
    start: Buffer.from(batch.records[1]!.headBytes),
    again: (bytes) => encodeHead(decodeHead(bytes)),
    codes: ['BAD_INPUT', 'TOO_LARGE'],
  },
  {
    name: 'a batch',
    start: Buffer.from(batch.bytes),
    again: (bytes) => {
      const { records, signature } = decodeBatch(bytes)
      return encodeBatch(records, signature).bytes
    },
    codes: ['BAD_INPUT', 'TOO_LARGE', 'RECORD_INVALID'],
  },
  {
    name: 'a manifest node',
    start: encodeNode(refs),
    again: (bytes) => encodeNode(decodeNode('cd'.repeat(32) as ChunkId, 1, bytes)),
    codes: ['CHUNK_INVALID'],
  },
  {
    name: 'a sealed node',
    start: Buffer.from(sealed.sealed),
    again: (bytes) => {
      openRoot(hashHex(bytes) as ChunkId, sealed.ck, bytes as Uint8Array as VerifiedBytes)
      return bytes
    },
    codes: ['CHUNK_INVALID'],
  },
  {
    name: 'a record body',
    start: body,
    again: (bytes) => sealRecordBody(keys, head, openRecordBody(keys, head, bytes)),
    codes: ['RECORD_INVALID'],
  },
]

/** Flips, cuts, doubles, and lengths that lie: what a broken or hostile sender sends. */
const mutation = fc.record({
  kind: fc.constantFrom('set', 'flip', 'cut', 'double', 'insert', 'lie'),
  place: fc.maxSafeNat(),
  byte: fc.nat(255),
  length: fc.nat(40),
})

type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never

function mutate(bytes: Buffer, { kind, place, byte, length }: Mutation): Buffer {
  const at = place % Math.max(1, bytes.length)
  const changed = Buffer.from(bytes)
  if (kind === 'set') changed[at] = byte
  if (kind === 'flip') changed[at]! ^= 1 << (byte & 7)
  if (kind === 'cut') return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
  if (kind === 'double') return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
  if (kind === 'insert')
    return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, byte), bytes.subarray(at)])
  if (kind === 'lie') changed.subarray(at + 1, at + 1 + (length & 7)).fill(0xff)
  return changed
}

for (const { name, start, again, codes } of decoders)
  test(`${name} under ${cases} mutations is refused in order or written back equal`, () => {
    const seed = randomInt(2 ** 31)
    const lists = fc.sample(fc.array(mutation, { minLength: 1, maxLength: 3 }), { numRuns: cases, seed })
    const refused = new Map<string, number>()
    assert.deepEqual(Buffer.from(again(start)), start, 'unchanged bytes are read')
    for (const mutations of lists) {
      const bytes = mutations.reduce(mutate, start)
      try {
        assert.deepEqual(Buffer.from(again(bytes)), bytes, `seed ${seed}`)
      } catch (thrown) {
        const code = (thrown as { code: string }).code
        assert.ok(codes.includes(code), `seed ${seed}: ${String(thrown)}`)
        refused.set(code, (refused.get(code) ?? 0) + 1)
      }
    }
    const count = [...refused.values()].reduce((sum, n) => sum + n, 0)
    assert.ok(count > cases / 2, `seed ${seed}: only ${count} refused`)
    console.log(`${name}: seed ${seed}, refused ${JSON.stringify(Object.fromEntries(refused))}`)
  })
