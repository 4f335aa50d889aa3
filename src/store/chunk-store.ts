/**
 * The one noun of PeerStor: a place that keeps sealed chunks. Disk is one, memory is one, a remote
 * peer is one; throttle, quota, verify wrap one. test/conformance/chunk-store.ts runs against all.
 */
import type { CallOptions, ChunkId, DeviceId, FolderId } from '../base/words.ts'

/** Why a holder keeps a chunk: a folder and the device that wrote. */
export interface Pin {
  folder: FolderId
  device: DeviceId
}

export interface ChunkToPut {
  id: ChunkId
  /** The sealed bytes; the caller has made or verified them: `id = hash(bytes)`. */
  bytes: Uint8Array
  pins: readonly Pin[]
  /** Others will ask for it at once: it is kept in the system's memory where that can be chosen. */
  readSoon?: boolean | undefined
}

export interface FoundChunk {
  id: ChunkId
  /** Unverified: the reader compares their hash with `id`. */
  bytes: Uint8Array
}

export interface ListOptions extends CallOptions {
  after?: ChunkId | undefined
}

export interface ChunkStore {
  /** For each id whether it is here. */
  has(ids: readonly ChunkId[], options?: CallOptions): Promise<boolean[]>
  /** Yields those of `ids` that are here, in any order; absent ones are left out. */
  get(ids: readonly ChunkId[], options?: CallOptions): AsyncIterable<FoundChunk>
  /** Durable when it resolves. A chunk already here only gets the new pins. */
  put(chunks: readonly ChunkToPut[], options?: CallOptions): Promise<void>
  /** Ids that begin with a hex prefix, ascending; those behind `after` when it is given. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ChunkId>
}

/** A place that this device itself decides about. Another peer's only way down is a signed release. */
export interface OwnChunkStore extends ChunkStore {
  /**
   * Drops chunks for good, whatever pins they have: for what nothing needs (garbage past its quarantine), and for
   * surplus copies. Resolves to those dropped, when that is durable and others can be told: they are not here any
   * more, count against no limit, and the disk has their bytes back by compaction. `may` is asked in the step that
   * writes, after which nothing can come between: say there once more that it is still so. A chunk that is being
   * written or pinned at this moment stays: a pin always wins over a drop.
   *
   * Who drops a surplus copy offers the chunk with its pins to the devices relied on first (`RemoteStore.offer`:
   * where it lies already that only renews the pins, and ends a quarantine there), then asks them for a proof.
   */
  drop(ids: readonly ChunkId[], may?: (id: ChunkId) => boolean): Promise<ChunkId[]>
}
