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
