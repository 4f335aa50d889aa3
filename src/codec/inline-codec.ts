/** The codec on the calling thread: for the simulator, and for jobs too small to hand over. */
import type { ChunkId } from '../base/words.ts'
import type {
  Chunk,
  ChunkRef,
  Codec,
  CompressionLevel,
  CutOptions,
  FolderKeys,
  SealedChunk,
  Shard,
  VerifiedBytes,
} from './codec.ts'
import { Cutter, cutSizes } from './cut.ts'
import { hashHex } from './hash.ts'
import { contentHash, openChunk, sealChunk, verifyChunk } from './seal.ts'
import { decodeShards, encodeShards, schemeText, type ShardPiece, type ShardScheme } from './shards.ts'

export class InlineCodec implements Codec {
  async *cut(
    keys: FolderKeys,
    source: AsyncIterable<Uint8Array>,
    options: CutOptions = {},
  ): AsyncGenerator<Chunk> {
    const cutter = new Cutter(keys, cutSizes(options.size))
    for await (const piece of source) {
      options.signal?.throwIfAborted()
      for (const bytes of cutter.push(piece)) yield chunkOf(keys, bytes)
    }
    const last = cutter.end()
    if (last !== undefined) yield chunkOf(keys, last)
  }

  async *cutAndSeal(
    keys: FolderKeys,
    source: AsyncIterable<Uint8Array>,
    compression: () => CompressionLevel | undefined,
    options: CutOptions = {},
  ): AsyncGenerator<Chunk | SealedChunk> {
    for await (const chunk of this.cut(keys, source, options)) {
      const level = compression()
      yield level === undefined ? chunk : sealData(keys, chunk, level)
    }
  }

  seal(keys: FolderKeys, chunk: Chunk, compression: CompressionLevel): Promise<SealedChunk> {
    return Promise.try(sealData, keys, chunk, compression)
  }

  verify(id: ChunkId, bytes: Uint8Array, source: string): Promise<VerifiedBytes> {
    return Promise.try(verifyChunk, id, bytes, source)
  }

  open(
    ref: ChunkRef,
    bytes: VerifiedBytes,
    keys?: FolderKeys,
  ): Promise<{ bytes: Uint8Array; p?: Uint8Array }> {
    return Promise.try(openData, ref, bytes, keys)
  }

  shard(bytes: VerifiedBytes, scheme: ShardScheme): Promise<Shard[]> {
    return Promise.try(shardsOf, bytes, scheme)
  }

  join(
    id: ChunkId,
    length: number,
    scheme: ShardScheme,
    pieces: readonly ShardPiece[],
  ): Promise<VerifiedBytes> {
    return Promise.try(joinShards, id, length, scheme, pieces)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** Shards of a chunk here and now. */
export function shardsOf(bytes: Uint8Array, scheme: ShardScheme): Shard[] {
  return encodeShards(bytes, scheme).map((shard) => ({
    id: hashHex(shard) as ChunkId,
    bytes: shard as VerifiedBytes,
  }))
}

/** A chunk from its shards here and now. */
export function joinShards(
  id: ChunkId,
  length: number,
  scheme: ShardScheme,
  pieces: readonly ShardPiece[],
): VerifiedBytes {
  return verifyChunk(id, decodeShards(pieces, scheme, length), `shards ${schemeText(scheme)}`)
}

/** A piece with its `p`. */
export function chunkOf(keys: FolderKeys, bytes: Uint8Array): Chunk {
  return { bytes, p: contentHash(keys, bytes) }
}

/** Seals a data chunk here and now. */
export function sealData(keys: FolderKeys, chunk: Chunk, compression: CompressionLevel): SealedChunk {
  const { bytes, p } = chunk
  const { id, ck, sealed } = sealChunk(keys, { type: 'data', level: 0, plaintext: bytes, p }, compression)
  return { ref: { id, ck, length: bytes.length, level: 0 }, p, sealed }
}

/** Opens a data chunk here and now. */
export function openData(
  ref: ChunkRef,
  bytes: VerifiedBytes,
  keys?: FolderKeys,
): { bytes: Uint8Array; p?: Uint8Array } {
  const expected = { type: 'data', level: 0, length: ref.length } as const
  const { plaintext } = openChunk(ref.id, ref.ck, bytes, expected)
  return keys === undefined ? { bytes: plaintext } : { bytes: plaintext, p: contentHash(keys, plaintext) }
}
