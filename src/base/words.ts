/**
 * The ids of PeerStor as branded strings, so that the compiler refuses one where another belongs.
 *
 * Hash ids are lower-case hex of 32 bytes; entry, incarnation and database ids are hex of 16 random
 * bytes; a PeerId is libp2p's own text form (`12D3Koo…`). The glossary is in docs/ARCHITECTURE.md.
 */
import { fail } from './errors.ts'

declare const brand: unique symbol
type Brand<Name extends string> = string & { readonly [brand]: Name }

/** BLAKE3 of a sealed chunk's bytes. */
export type ChunkId = Brand<'ChunkId'>
/** libp2p peer id of one home; people see it as a device. */
export type PeerId = Brand<'PeerId'>
/** Hash of the pool's first record. */
export type PoolId = Brand<'PoolId'>
/** `derive("peerstor/1 device", record key)`. */
export type DeviceId = Brand<'DeviceId'>
/** Hash of a user's first certificate record. */
export type UserId = Brand<'UserId'>
/** Hash of a record's head; a version is named by it. */
export type RecordHash = Brand<'RecordHash'>
export type FolderId = Brand<'FolderId'>
export type EpochId = Brand<'EpochId'>
/** Random 128 bits: one file through all its versions. */
export type EntryId = Brand<'EntryId'>
/** Random 128 bits, new at every start of a peer. */
export type Incarnation = Brand<'Incarnation'>
/** Random 128 bits, new for every index database. */
export type DatabaseId = Brand<'DatabaseId'>

export type HexId =
  | ChunkId
  | PoolId
  | DeviceId
  | UserId
  | RecordHash
  | FolderId
  | EpochId
  | EntryId
  | Incarnation
  | DatabaseId

/** What a caller is to this pool; known before its request is read. */
export type Role = 'stranger' | 'ex-member' | 'storage' | 'member' | 'admin'
export const roles: readonly Role[] = ['stranger', 'ex-member', 'storage', 'member', 'admin']

/** Hex text of id bytes. */
export function idOf<Id extends HexId>(bytes: Uint8Array): Id {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex') as Id
}

/** Bytes of a hex id. */
export function idBytes(id: HexId): Buffer {
  return Buffer.from(id, 'hex')
}

const hexOf32 = /^[0-9a-f]{64}$/

/** Parses outside text as a 32-byte id or fails with `BAD_ID`. */
export function parseId<Id extends HexId>(text: string, what: string): Id {
  if (!hexOf32.test(text)) throw fail('BAD_ID', { what, value: text.slice(0, 80) })
  return text as Id
}

/** Options that every async public function takes last. */
export interface CallOptions<Progress = never> {
  signal?: AbortSignal | undefined
  onProgress?: ((event: Progress) => void) | undefined
}
