/** Records: the signed facts of a pool (crypto.md §1, docs/FORMAT.md). Types here; bytes in record-bytes.ts. */
import type { DeviceId, EntryId, EpochId, FolderId, Incarnation, RecordHash } from '../base/words.ts'

/** Record kinds and their numbers in the head. Unknown numbers are kept and forwarded, never acted upon. */
export const recordKinds = {
  pool: 0,
  certificate: 1,
  admin: 2,
  revocation: 3,
  policy: 4,
  printed: 5,
  adopt: 6,
  folder: 7,
  epoch: 8,
  wrap: 9,
  wrapRefused: 10,
  version: 11,
  release: 12,
  link: 13,
  /** The name of a device, sealed under the pool directory folder. */
  name: 14,
  /** Versions that a writer of the folder gives up before their retention ends. */
  discard: 15,
  /** The content of a version, sealed anew under a later secret of its folder. */
  reseal: 16,
  /** Of which shards chunks are made. */
  shards: 17,
} as const

export type RecordKind = keyof typeof recordKinds

/** Kinds whose records decide who counts; each ends its batch. */
export const authorityKinds: readonly RecordKind[] = ['pool', 'certificate', 'admin', 'revocation']

/** Hybrid logical clock: wall milliseconds and a counter. */
export interface Hlc {
  ms: number
  counter: number
}

/** The plain, signed half of a record. */
export interface RecordHead {
  /** Number of a kind of `recordKinds`, or an unknown one. */
  kind: number
  folder?: FolderId
  epoch?: EpochId
  entry?: EntryId
  device: DeviceId
  incarnation: Incarnation
  /** From 0 in each incarnation. */
  seq: number
  /** Hash of the device's previous head; the first head of an incarnation names the last of the one before. */
  previous?: RecordHash
  time: Hlc
  /** Versions only: every head version of the entry that this one replaces. */
  parents?: RecordHash[]
  /** `hash(body)`; absent when the record has no body. */
  bodyHash?: Uint8Array
}

/** One record as parsed: the head, its exact bytes, their hash, the body unless it was dropped. */
export interface SignedRecord {
  hash: RecordHash
  head: RecordHead
  headBytes: Uint8Array
  body: Uint8Array | undefined
}

/**
 * Up to 256 records of one device and incarnation in chain order; one Ed25519 signature over the
 * last head's hash covers all. `bytes` is the canonical encoding: what segments hold and peers send.
 */
export interface Batch {
  records: SignedRecord[]
  signature: Uint8Array
  bytes: Uint8Array
}

/** Total order of concurrent things: later by clock, tie by hash. Negative when `a` is earlier. */
export function compareTimes(a: { time: Hlc; hash: string }, b: { time: Hlc; hash: string }): number {
  return (
    a.time.ms - b.time.ms ||
    a.time.counter - b.time.counter ||
    (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)
  )
}
