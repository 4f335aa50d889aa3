/**
 * Records and batches as bytes: what is hashed, signed, stored and sent (docs/FORMAT.md). Reading
 * checks everything that needs no key and no other record; `isBatchSigned` checks the signature;
 * who may write what is decided above.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import {
  idBytes,
  type DeviceId,
  type EntryId,
  type EpochId,
  type FolderId,
  type Incarnation,
  type PoolId,
  type RecordHash,
} from '../base/words.ts'
import {
  bytes,
  decode,
  encode,
  field,
  fields,
  id,
  list,
  optional,
  shortId,
  tuple,
  uint,
} from './cbor-schema.ts'
import type { Schema } from './cbor-schema.ts'
import { derive, hash } from './hash.ts'
import {
  authorityKinds,
  recordKinds,
  type Batch,
  type Hlc,
  type RecordHead,
  type SignedRecord,
} from './record.ts'
import { isSigned, type SigningKey } from './sign.ts'

/** Wall milliseconds to the year 10889, and a counter: two integers, since one would pass 2^53. */
export const hlcSchema: Schema<Hlc> = (() => {
  const pair = tuple<[number, number]>(uint(2 ** 48 - 1), uint(2 ** 16 - 1))
  return {
    write: (time) => pair.write([time.ms, time.counter]),
    read: (value, path) => {
      const [ms, counter] = pair.read(value, path)
      return { ms, counter }
    },
  }
})()

const headSchema: Schema<RecordHead> = fields({
  kind: field(0, uint(0xffff)),
  folder: optional(1, id<FolderId>()),
  epoch: optional(2, id<EpochId>()),
  entry: optional(3, shortId<EntryId>()),
  device: field(4, id<DeviceId>()),
  incarnation: field(5, shortId<Incarnation>()),
  seq: field(6, uint()),
  previous: optional(7, id<RecordHash>()),
  time: field(8, hlcSchema),
  parents: optional(9, list(id<RecordHash>(), limits.recordParents)),
  bodyHash: optional(10, bytes(32)),
})

const recordSchema = list(bytes(0, limits.recordBody), 2)
const batchSchema = fields({
  records: field(0, list(recordSchema, limits.batchRecords)),
  signature: field(1, bytes(64)),
})

/** Canonical bytes of a head. */
export function encodeHead(head: RecordHead): Buffer {
  return encode(headSchema, head)
}

/** Reads a head or fails with `BAD_INPUT`. */
export function decodeHead(headBytes: Uint8Array): RecordHead {
  return decode(headSchema, headBytes, 'a record head', limits.recordHead)
}

/** A record's name: of its head's bytes. */
export function recordHash(headBytes: Uint8Array): RecordHash {
  return derive('peerstor/1 record', headBytes).toString('hex') as RecordHash
}

/** Makes a record of a head without body hash and, when there is one, its body. */
export function makeRecord(head: RecordHead, body?: Uint8Array): SignedRecord {
  const whole = body === undefined ? head : { ...head, bodyHash: hash(body) }
  const headBytes = encodeHead(whole)
  return { hash: recordHash(headBytes), head: whole, headBytes, body }
}

/** Signs a run of this device's records in chain order; `pool` undefined: the pool's first record. */
export function signBatch(
  records: readonly SignedRecord[],
  key: SigningKey,
  pool: PoolId | undefined,
): Batch {
  const last = records.at(-1)
  if (last === undefined) throw fail('INTERNAL', { reason: 'a batch without records was to be signed' })
  return encodeBatch(records, key.sign('batch', pool, idBytes(last.hash)))
}

/** A batch with its canonical bytes; a record whose body was dropped is its head alone. */
export function encodeBatch(records: readonly SignedRecord[], signature: Uint8Array): Batch {
  checkChain(records)
  const rows = records.map(({ headBytes, body }) => (body === undefined ? [headBytes] : [headBytes, body]))
  return { records: [...records], signature, bytes: encode(batchSchema, { records: rows, signature }) }
}

/** Reads a batch and checks its form, links and body hashes; `BAD_INPUT`, `TOO_LARGE` or `RECORD_INVALID`. */
export function decodeBatch(batchBytes: Uint8Array): Batch {
  const read = decode(batchSchema, batchBytes, 'a batch of records', limits.batchBytes)
  const records = read.records.map(decodeRecord)
  checkChain(records)
  return { records, signature: read.signature, bytes: batchBytes }
}

/** Whether every body that a head names is there. Signatures cover heads alone: anybody can leave bodies out. */
export function isWhole(batch: Batch): boolean {
  return batch.records.every(({ head, body }) => body !== undefined || head.bodyHash === undefined)
}

/** Whether the batch is signed by this record key for this pool; `pool` undefined: the first record. */
export function isBatchSigned(batch: Batch, recordKey: Uint8Array, pool: PoolId | undefined): boolean {
  const last = batch.records.at(-1)!
  return isSigned(recordKey, batch.signature, 'batch', pool, idBytes(last.hash))
}

/** What a sealed body is bound to: the hash of its head without the body hash. */
export function bodyBinding(head: RecordHead): Buffer {
  const { bodyHash: _, ...rest } = head
  return hash(encodeHead(rest))
}

function decodeRecord(row: readonly Uint8Array[]): SignedRecord {
  const [headBytes, body] = row
  if (headBytes === undefined)
    throw fail('BAD_INPUT', { what: 'a batch of records', reason: 'a record is empty' })
  const head = decodeHead(headBytes)
  return { hash: recordHash(headBytes), head, headBytes, body }
}

function checkChain(records: readonly SignedRecord[]): void {
  if (records.length === 0 || records.length > limits.batchRecords)
    throw fail('BAD_INPUT', {
      what: 'a batch of records',
      reason: `it has ${records.length} records instead of 1 to ${limits.batchRecords}`,
    })
  records.forEach((record, index) => {
    checkBody(record)
    checkPlace(record, records[index - 1], index === records.length - 1)
  })
}

function checkBody({ head, body }: SignedRecord): void {
  if (body === undefined) return
  if (head.bodyHash === undefined) throw invalid(head, 'it has a body that its head does not name')
  if (!hash(body).equals(head.bodyHash)) throw invalid(head, 'its body is not the one its head names')
}

function checkPlace(record: SignedRecord, before: SignedRecord | undefined, last: boolean): void {
  const { head } = record
  if (head.seq > 0 && head.previous === undefined) throw invalid(head, 'it links to no previous record')
  if (isAuthority(head.kind) && !last) throw invalid(head, 'an authority record does not end its batch')
  if (
    head.kind === recordKinds.pool &&
    (before !== undefined || head.seq !== 0 || head.previous !== undefined)
  )
    throw invalid(head, 'the first record of a pool is not alone')
  if (before === undefined) return
  if (head.device !== before.head.device || head.incarnation !== before.head.incarnation)
    throw invalid(head, 'its batch mixes devices or incarnations')
  if (head.seq !== before.head.seq + 1) throw invalid(head, `number ${head.seq} follows ${before.head.seq}`)
  if (head.previous !== before.hash) throw invalid(head, 'it does not link to the record before it')
}

const authorityNumbers: ReadonlySet<number> = new Set(authorityKinds.map((kind) => recordKinds[kind]))

/** Whether records of this kind decide who counts. */
export function isAuthority(kind: number): boolean {
  return authorityNumbers.has(kind)
}

function invalid(head: RecordHead, reason: string): Error {
  return fail('RECORD_INVALID', { device: head.device, reason })
}
