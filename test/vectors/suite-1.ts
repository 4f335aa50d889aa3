/**
 * The frozen vectors of format 1: every derivation, every sealed type, a signature, a batch. Inputs
 * are chosen here; outputs are in suite-1.json. `node test/vectors/suite-1.ts --write` makes the file
 * anew, which after the freeze means that the format was broken.
 */
import { writeFileSync } from 'node:fs'
import {
  idOf,
  type ChunkId,
  type EntryId,
  type FolderId,
  type Incarnation,
  type PoolId,
} from '../../src/base/words.ts'
import type { Random } from '../../src/base/random.ts'
import { agreementKey } from '../../src/codec/agree.ts'
import type { ChunkRef } from '../../src/codec/codec.ts'
import { Cutter, cutSizes, gearTable } from '../../src/codec/cut.ts'
import { folderKeys } from '../../src/codec/folder-keys.ts'
import { derive, hash, hashHex, keyed } from '../../src/codec/hash.ts'
import { encodeNode, ManifestBuilder, sealNode } from '../../src/codec/manifest.ts'
import { paddedLength } from '../../src/codec/padding.ts'
import { bodyBinding, makeRecord, signBatch } from '../../src/codec/record-bytes.ts'
import { recordKinds, type RecordHead } from '../../src/codec/record.ts'
import { sealChunk, sealRecordBody, wrapEpochKey } from '../../src/codec/seal.ts'
import { deviceIdOf, signingKey } from '../../src/codec/sign.ts'

const bytes32 = (byte: number): Buffer => Buffer.alloc(32, byte)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const folder = idOf<FolderId>(bytes32(0x11))
const folderSecret = bytes32(0x22)
const epochKey = bytes32(0x33)
const keys = folderKeys(folder, folderSecret, epochKey)
const record = signingKey(bytes32(0x44))
const recipient = agreementKey(bytes32(0x55))
const pool = idOf<PoolId>(bytes32(0x66))

/** "Randomness" that is all one byte, for what draws a key of its own. */
const fixedRandom: Random = { bytes: (count) => Buffer.alloc(count, 0x77), number: () => 0 }

const plaintext = Buffer.from('PeerStor keeps files on the devices people already own.')

/** Bytes that look random and are the same everywhere: a chain of hashes. */
function stream(length: number): Buffer {
  const out = Buffer.alloc(length)
  let block = hash(Buffer.from('peerstor vectors'))
  for (let at = 0; at < length; at += 32) {
    block.copy(out, at)
    block = hash(block)
  }
  return out
}

function hashing(): object {
  return {
    hash: hex(hash(plaintext)),
    keyed: hex(keyed(bytes32(1), plaintext)),
    derive: hex(derive('peerstor/1 test', plaintext)),
    deviceId: deviceIdOf(record.publicKey),
  }
}

function derivations(): object {
  const { epoch, dedup, gear, hash, kdf } = keys
  return {
    epoch,
    dedup: hex(dedup),
    gear: hex(gear),
    hash: hex(hash),
    kdf: hex(kdf),
    gearTableHash: hashHex(gearTable(keys)),
  }
}

function sealedTypes(): object {
  const of = (type: 'data' | 'manifest' | 'listing', level: number, plaintext: Uint8Array): object => {
    const { id, ck, p, sealed } = sealChunk(keys, { type, level, plaintext }, 0)
    return { type, level, plaintext: hex(plaintext), p: hex(p), ck: hex(ck), id, sealed: hex(sealed) }
  }
  const node = encodeNode(refs(2))
  return [
    of('data', 0, plaintext),
    of('data', 0, Buffer.alloc(0)),
    of('data', 0, stream(300)),
    of('manifest', 1, node),
    of('manifest', 4, node),
    of('listing', 0, plaintext),
  ]
}

function refs(count: number): ChunkRef[] {
  return Array.from({ length: count }, (_, index) => {
    const mark = Buffer.alloc(4)
    mark.writeUInt32BE(index)
    return { id: hashHex(mark) as ChunkId, ck: hash(mark, mark), length: 1000 + index, level: 0 }
  })
}

async function manifests(): Promise<object> {
  const builder = new ManifestBuilder(keys, () => undefined)
  for (const ref of refs(1025)) await builder.add(ref)
  const { id, ck, length, level } = await builder.end()
  const empty = sealNode(keys, [])
  return { of1025: { id, ck: hex(ck), length, level }, empty: { id: empty.ref.id, ck: hex(empty.ref.ck) } }
}

function cuts(): object {
  const cut = (length: number, size?: number): number[] => {
    const cutter = new Cutter(keys, cutSizes(size))
    const chunks = cutter.push(stream(length))
    return [...chunks, cutter.end()].map((chunk) => chunk?.length ?? 0)
  }
  return { normal: cut(4_000_000), huge: cut(6_000_000, 2 ** 37) }
}

function paddings(): object {
  const lengths = [0, 256, 257, 1000, 65_537, 524_304, 1_048_592, 4_194_320]
  return lengths.map((length) => [length, paddedLength(length)])
}

function records(): object {
  const first: RecordHead = {
    kind: recordKinds.pool,
    device: deviceIdOf(record.publicKey),
    incarnation: idOf<Incarnation>(Buffer.alloc(16, 0x88)),
    seq: 0,
    time: { ms: 1_800_000_000_000, counter: 0 },
  }
  const poolRecord = makeRecord(first, Buffer.from('a pool'))
  const head: RecordHead = {
    ...first,
    kind: recordKinds.version,
    folder,
    epoch: keys.epoch,
    entry: idOf<EntryId>(Buffer.alloc(16, 0x99)),
    seq: 1,
    previous: poolRecord.hash,
    time: { ms: 1_800_000_000_001, counter: 7 },
    parents: [],
  }
  const body = sealRecordBody(keys, head, plaintext)
  const version = makeRecord(head, body)
  return {
    recordKey: hex(record.publicKey),
    firstBatch: hex(signBatch([poolRecord], record, undefined).bytes),
    binding: hex(bodyBinding(head)),
    body: hex(body),
    headBytes: hex(version.headBytes),
    recordHash: version.hash,
    batch: hex(signBatch([version], record, pool).bytes),
  }
}

function wraps(): object {
  return {
    recipientSeed: hex(recipient.seed),
    recipient: hex(recipient.publicKey),
    ephemeralSeed: hex(bytes32(0x77)),
    wrap: hex(wrapEpochKey(fixedRandom, recipient.publicKey, folder, epochKey)),
  }
}

/** All vectors, as suite-1.json holds them. */
export async function suite1(): Promise<object> {
  return {
    inputs: {
      folder,
      folderSecret: hex(folderSecret),
      epochKey: hex(epochKey),
      plaintext: hex(plaintext),
      pool,
    },
    hashing: hashing(),
    derivations: derivations(),
    paddings: paddings(),
    cuts: cuts(),
    sealed: sealedTypes(),
    manifests: await manifests(),
    records: records(),
    wraps: wraps(),
  }
}

/** A compressed chunk: what zstd makes may change, what it reads may not. Only opened by the test. */
export function compressed(): object {
  const plaintext = Buffer.alloc(5000, 'packs well ')
  const { id, ck, sealed } = sealChunk(keys, { type: 'data', level: 0, plaintext }, 1)
  return { type: 'data', level: 0, plaintext: hex(plaintext), ck: hex(ck), id, sealed: hex(sealed) }
}

export const suite1File = new URL('./suite-1.json', import.meta.url)

if (process.argv.includes('--write'))
  writeFileSync(
    suite1File,
    `${JSON.stringify({ ...(await suite1()), compressed: compressed() }, undefined, 2)}\n`,
  )
