/** What says of which shards a chunk is made: the body of records of kind `shards` (docs/FORMAT.md). */
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import { decode, encode, field, fields, id, list, tuple, uint } from './cbor-schema.ts'
import { isScheme, type ShardScheme } from './shards.ts'

/**
 * A chunk as shards. Their ids follow from the chunk's bytes, so whoever has these can tell whether it is
 * true; whoever has not, learns it when k shards make the chunk, or do not.
 */
export interface Coding {
  chunk: ChunkId
  /** Sealed bytes of the chunk. */
  length: number
  scheme: ShardScheme
  /** In order of their places. */
  shards: readonly ChunkId[]
}

const shardsMost = limits.shardsData + limits.shardsParity

const shardsBody = fields({
  k: field(0, uint(limits.shardsData)),
  m: field(1, uint(limits.shardsParity)),
  chunks: field(
    2,
    list(
      tuple<[ChunkId, number, ChunkId[]]>(
        id<ChunkId>(),
        uint(limits.sealedMax),
        list(id<ChunkId>(), shardsMost),
      ),
      limits.shardedChunks,
    ),
  ),
})

/** The body that names the shards of up to `limits.shardedChunks` chunks, all of one scheme. */
export function encodeCodings({ k, m }: ShardScheme, codings: readonly Coding[]): Buffer {
  const chunks = codings.map(({ chunk, length, shards }): [ChunkId, number, ChunkId[]] => [
    chunk,
    length,
    [...shards],
  ])
  return encode(shardsBody, { k, m, chunks })
}

/** What a body says that can be true; nothing when it is in another form. */
export function readCodings(body: Uint8Array): Coding[] {
  try {
    const { k, m, chunks } = decode(shardsBody, body, 'a record of shards', limits.recordBody)
    if (!isScheme({ k, m })) return []
    return chunks
      .map(([chunk, length, shards]) => ({ chunk, length, scheme: { k, m }, shards }))
      .filter(isPossible)
  } catch {
    return []
  }
}

function isPossible({ length, scheme: { k, m }, shards }: Coding): boolean {
  return length > 0 && shards.length === k + m && new Set(shards).size === k + m
}
