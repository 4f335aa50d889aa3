/**
 * The codec as its callers see it: cut, seal, open, off the main thread (worker-codec.ts) or on it
 * (inline-codec.ts, simulator). Stage types keep the order honest: unsealed bytes cannot be stored
 * or sent, unverified bytes cannot be opened.
 *
 * A buffer has one owner: passing one in gives it away (it may be detached).
 */
import type { CallOptions, ChunkId, EpochId, FolderId } from '../base/words.ts'
import type { ShardPiece, ShardScheme } from './shards.ts'

declare const stage: unique symbol
type Stage<Name extends string> = Uint8Array & { readonly [stage]: Name }

/** Sealed bytes made by `seal`; the only bytes a store takes from this device's writers. */
export type SealedBytes = Stage<'sealed'>
/** Bytes whose BLAKE3 was compared with their id. */
export type VerifiedBytes = Stage<'verified'>

/** The content keys of one folder and epoch (crypto.md §3); each 32 bytes. */
export interface FolderKeys {
  readonly folder: FolderId
  readonly epoch: EpochId
  readonly dedup: Uint8Array
  readonly gear: Uint8Array
  readonly hash: Uint8Array
  readonly kdf: Uint8Array
}

/** What it takes to find and open one chunk. Level 0 is data, 1 to 4 manifest nodes. */
export interface ChunkRef {
  id: ChunkId
  /** Chunk key, 32 bytes. */
  ck: Uint8Array
  /** Plaintext bytes below this reference. */
  length: number
  level: number
}

/** A piece cut from a file, with `p`, its keyed hash under K_dedup (32 bytes). */
export interface Chunk {
  readonly bytes: Uint8Array
  readonly p: Uint8Array
}

export interface SealedChunk {
  readonly ref: ChunkRef
  readonly p: Uint8Array
  readonly sealed: SealedBytes
}

/** One Reed-Solomon piece of a sealed chunk, a chunk by its own id. */
export interface Shard {
  id: ChunkId
  bytes: VerifiedBytes
}

/** zstd level 1 to 9, or 0: never compress. */
export type CompressionLevel = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

export interface CutOptions extends CallOptions {
  /** Size of the whole source in bytes when known; over 64 GiB cuts four times larger. */
  size?: number | undefined
}

export interface Codec {
  /**
   * Cuts a byte stream into content-defined chunks, in order. Reads `source` only as fast as the
   * chunks are taken. A source of up to `limits.chunkMin` bytes is one chunk; an empty one is none.
   */
  cut(keys: FolderKeys, source: AsyncIterable<Uint8Array>, options?: CutOptions): AsyncIterable<Chunk>
  /**
   * Like `cut`, and seals each chunk where it was cut: one visit to a thread instead of two. `compression`
   * is asked again and again; while it is undefined chunks come unsealed, as of a source that is known.
   */
  cutAndSeal(
    keys: FolderKeys,
    source: AsyncIterable<Uint8Array>,
    compression: () => CompressionLevel | undefined,
    options?: CutOptions,
  ): AsyncIterable<Chunk | SealedChunk>
  /** Compresses where it pays, seals; level 0. */
  seal(keys: FolderKeys, chunk: Chunk, compression: CompressionLevel): Promise<SealedChunk>
  /** Compares the BLAKE3 of `bytes` with `id`; `CHUNK_DAMAGED` naming `source` when they differ. */
  verify(id: ChunkId, bytes: Uint8Array, source: string): Promise<VerifiedBytes>
  /**
   * Opens verified bytes to a data chunk's plaintext, exactly `ref.length` bytes, or `CHUNK_INVALID`.
   * With `keys`, `p` is computed too (for the dedup table and the shown hash).
   */
  open(ref: ChunkRef, bytes: VerifiedBytes, keys?: FolderKeys): Promise<{ bytes: Uint8Array; p?: Uint8Array }>
  /** All shards of a sealed chunk, in order. */
  shard(bytes: VerifiedBytes, scheme: ShardScheme): Promise<Shard[]>
  /** The chunk `id` of `length` sealed bytes from k of its shards; `CHUNK_DAMAGED` when they make another one. */
  join(
    id: ChunkId,
    length: number,
    scheme: ShardScheme,
    pieces: readonly ShardPiece[],
  ): Promise<VerifiedBytes>
  /** Ends the worker threads. */
  close(): Promise<void>
}
