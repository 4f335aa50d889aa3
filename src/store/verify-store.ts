/** Wraps a ChunkStore: whatever is read from it is compared with its id before anyone sees it. */
import { fail } from '../base/errors.ts'
import type { CallOptions, ChunkId } from '../base/words.ts'
import { hashHex } from '../codec/hash.ts'
import type { ChunkStore, ChunkToPut, FoundChunk } from './chunk-store.ts'

export class VerifyStore implements ChunkStore {
  readonly #inner: ChunkStore
  readonly #source: string

  /** `source` names the wrapped store in errors. */
  constructor(inner: ChunkStore, source: string) {
    this.#inner = inner
    this.#source = source
  }

  has(ids: readonly ChunkId[], options?: CallOptions): Promise<boolean[]> {
    return this.#inner.has(ids, options)
  }

  /** Fails with `CHUNK_DAMAGED` at the first chunk whose bytes are not those of its id. */
  async *get(ids: readonly ChunkId[], options?: CallOptions): AsyncGenerator<FoundChunk> {
    for await (const chunk of this.#inner.get(ids, options)) {
      if (hashHex(chunk.bytes) !== chunk.id)
        throw fail('CHUNK_DAMAGED', { id: chunk.id, source: this.#source })
      yield chunk
    }
  }

  put(chunks: readonly ChunkToPut[], options?: CallOptions): Promise<void> {
    return this.#inner.put(chunks, options)
  }

  list(prefix: string, options?: CallOptions): AsyncIterable<ChunkId> {
    return this.#inner.list(prefix, options)
  }
}
