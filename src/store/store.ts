/**
 * This device's disk: append-only segments are the truth, the SQLite index follows them.
 *
 * Durability: `commit` and `chunks.put` resolve after one `fdatasync` that covers everything staged
 * before (one group in flight at a time, the next group is whatever arrived meanwhile) and after the
 * index transaction, so that a caller reads its own writes. A crash loses nothing acknowledged and
 * shows nothing half: records come after their chunks in the log.
 */
import type { ChunkId, DatabaseId, DeviceId, FolderId, PeerId, RecordHash } from '../base/words.ts'
import type { Batch, RecordHead } from '../codec/record.ts'
import type { ChunkRef } from '../codec/codec.ts'
import type { ChunkToPut, OwnChunkStore, Pin } from './chunk-store.ts'
import type { IndexReader } from './index-reader.ts'
import type { Verifier } from './verifier.ts'
import type { VersionRow, VersionStatus } from './view.ts'

/** A chunk in memory whose space is taken: a commit writes it together with the records that name it. */
export interface HeldChunk extends ChunkToPut {
  /** Gives the space back, unless a commit has written the chunk. */
  release(): void
}

/** What one commit writes; all of it becomes durable and visible together. */
export interface Group {
  /** New chunks with their pins; one that is here by now only gets the pins. */
  chunks?: readonly HeldChunk[]
  batches?: readonly Batch[]
  /** New pins on chunks that are already here; `CHUNK_UNAVAILABLE` when one is not. */
  pins?: readonly { id: ChunkId; pin: Pin }[]
  /** Pins that fall. */
  releases?: readonly { id: ChunkId; pin: Pin }[]
  /**
   * Chunks to drop from this disk (a `chunk dropped` entry; the bytes go with compaction). One that
   * is being written or pinned at this moment stays: a pin always wins over a drop.
   */
  drops?: readonly ChunkId[]
  /** Derived rows, applied after the raw ones in the same index transaction; lost with the database. */
  index?: readonly IndexWrite[]
}

/** One derived fact for the index. Everything here can be computed again from records, keys and peers. */
export type IndexWrite =
  /** A version record whose body was opened: stored, and its entry's shown state computed again. */
  | { op: 'version'; row: VersionRow }
  /** The body of a version record can not be opened: wrong bytes (kept, listed as invalid). */
  | { op: 'invalid'; version: RecordHash; reason: string }
  /** The verdict or the clock changed which versions count. */
  | { op: 'status'; versions: readonly RecordHash[]; status: VersionStatus }
  /** Versions past their retention, or given up by a writer; what nothing replaced shows all the same. */
  | { op: 'gone'; cause: 'expired' | 'discarded'; versions: readonly RecordHash[]; gone: boolean }
  /** The chunks of a version, manifest nodes included; with `content` only when its content is still that. */
  | { op: 'content'; version: RecordHash; ids: readonly ChunkId[]; content?: Uint8Array }
  /** A record that says what a version's content became when it was sealed anew: of those that count the latest holds. */
  | { op: 'reseal'; row: ResealRow }
  | { op: 'reseal-counts'; reseal: RecordHash; counts: boolean }
  /** Words of up to so many entries go into the index of groups (`IndexReader.searchWaiting`). */
  | { op: 'search'; limit: number }
  /** Dedup: this peer itself sealed or opened plaintext `p` as `ref` (data chunks only). */
  | { op: 'known'; folder: FolderId; p: Uint8Array; ref: ChunkRef }
  /** A peer holds, or no longer holds, chunks. `inventory` replaces all that was known of it. */
  | { op: 'held'; peer: PeerId; ids: readonly ChunkId[] }
  | { op: 'dropped'; peer: PeerId; ids: readonly ChunkId[] }
  /** The shards that a record named for a chunk are not its shards. */
  | { op: 'not-coded'; coding: number }
  | { op: 'forget-holdings'; peer: PeerId }
  /**
   * A release: pins of `folder` with change numbers up to `upTo` fall when their time has come, those of `devices`
   * at `soon`, others at `late` (wall milliseconds); a pin made again stands. `at`: now.
   */
  | {
      op: 'release'
      folder: FolderId
      ids: readonly ChunkId[]
      upTo: number
      devices: readonly DeviceId[]
      soon: number
      late: number
      at: number
    }
  /** Chunks that no pin holds, as found at a time: their quarantine begins, unless it has. */
  | { op: 'loose'; ids: readonly ChunkId[]; at: number }
  /** A folder's pins here were compared with what its members need. */
  | { op: 'reconciled'; folder: FolderId; at: number }
  /** This device compared a folder's pins at a peer with what it needs, at that change number of the peer's. */
  | { op: 'compared'; folder: FolderId; peer: PeerId; database: DatabaseId; change: number; at: number }
  /** How far a peer's feed was read. */
  | { op: 'feed'; peer: PeerId; database: DatabaseId; change: number }
  /** The latest signed statement of a device, as received. */
  | { op: 'statement'; device: DeviceId; bytes: Uint8Array }
  /** Last time a peer was connected, wall milliseconds, and the addresses it was seen at. */
  | { op: 'seen'; peer: PeerId; at: number; addresses: readonly string[] }

export interface ResealRow {
  /** The record that says so; its epoch sealed the content. */
  reseal: RecordHash
  version: RecordHash
  counts: boolean
  hash: string
  content: Uint8Array
  /** Plaintext bytes: those of the version, or it says nothing of it. */
  size: number
}

export interface StorageUse {
  /** Live sealed bytes. */
  usedBytes: number
  chunks: number
  /** Segment files on disk, dead bytes included. */
  diskBytes: number
  /** Bytes free under the storage folder. */
  freeBytes: number
  /** The storage folder is missing. */
  away: boolean
}

export interface Store {
  /** Names this index database; a new one after every rebuild. */
  readonly database: DatabaseId
  readonly chunks: OwnChunkStore
  /** Compares what lies here with what it should be. */
  readonly verifier: Verifier
  readonly read: IndexReader
  /** Rows that only this peer knows: tokens, sessions, transfers, invites. */
  readonly own: OwnState
  /** Whether a chunk is here and stays: one that is being dropped is not. */
  has(id: ChunkId): boolean
  /**
   * Writes chunks behind everything staged before; durable with the next `commit`. Fails with
   * `QUOTA_FULL` or `DISK_FULL` before writing. Space is reserved, so concurrent writers never exceed it.
   */
  stage(chunks: readonly ChunkToPut[]): Promise<void>
  /**
   * Takes space for a small chunk that the caller keeps in memory until a `commit` writes it: one write
   * for all that is committed at once. Fails as `stage` does.
   */
  hold(chunk: ChunkToPut): Promise<HeldChunk>
  commit(group: Group): Promise<void>
  /** Index rows alone: no segment write, no sync. */
  index(writes: readonly IndexWrite[]): Promise<void>
  /**
   * The stored bytes of a batch, by the hash of its last record; `SEGMENT_DAMAGED` when they rotted and
   * there is no spare copy, which would be stored again.
   */
  batch(last: RecordHash): Promise<Batch>
  /** Sees to it that those of `batches` that a catalogue cannot be opened without have a copy apart from the segments. */
  keepSpare(batches: readonly Batch[]): void
  /** The batch that holds a record. */
  batchOf(record: RecordHash): Promise<Batch>
  /** The hard limit of chunk bytes kept here; live. */
  setContributed(bytes: number): void
  use(): Promise<StorageUse>
  /** Compacts the segment with the least alive; gives the bytes that the disk has back, 0 when none is under half live. */
  compact(signal: AbortSignal): Promise<number>
  close(): Promise<void>
}

export type OwnKind =
  | 'token'
  | 'session'
  | 'password'
  | 'invite'
  | 'transfer'
  | 'upload'
  | 'setting'
  | 'pool'
  | 'property'
  | 'part'
  /** How far a worker came. */
  | 'work'
  | 'alert'

/** Small JSON rows, durable (SQLite FULL) when `put` resolves; kept when the index is rebuilt for another pool. */
export interface OwnState {
  get<T>(kind: OwnKind, id: string): T | undefined
  list<T>(kind: OwnKind): { id: string; value: T }[]
  count(kind: OwnKind): number
  put(kind: OwnKind, id: string, value: unknown): Promise<void>
  remove(kind: OwnKind, id: string): Promise<void>
}

/** A record as the index knows it, without its body. */
export interface IndexedRecord {
  hash: RecordHash
  head: RecordHead
  /** Hash of the last record of its batch. */
  batch: RecordHash
  /** Place in its device's chain: its previous record's plus one, 0 without one. Computed on arrival; decides seniority. */
  position: number
}
