/** Chunks in memory: what the conformance suite compares others with, and small tools use. */
import type { CallOptions, ChunkId } from '../base/words.ts'
import type { ChunkToPut, FoundChunk, ListOptions, OwnChunkStore, Pin } from './chunk-store.ts'

export class MemoryStore implements OwnChunkStore {
  readonly #chunks = new Map<ChunkId, { bytes: Uint8Array; pins: Map<string, Pin> }>()

  has(ids: readonly ChunkId[]): Promise<boolean[]> {
    return Promise.resolve(ids.map((id) => this.#chunks.has(id)))
  }

  async *get(ids: readonly ChunkId[], options?: CallOptions): AsyncGenerator<FoundChunk> {
    for (const id of new Set(ids)) {
      options?.signal?.throwIfAborted()
      const chunk = this.#chunks.get(id)
      // A copy: the reader may give its memory away.
      if (chunk !== undefined) yield { id, bytes: new Uint8Array(chunk.bytes) }
    }
  }

  put(chunks: readonly ChunkToPut[]): Promise<void> {
    for (const { id, bytes, pins } of chunks) {
      const chunk = this.#chunks.get(id) ?? { bytes: new Uint8Array(bytes), pins: new Map<string, Pin>() }
      for (const pin of pins) chunk.pins.set(pin.folder + pin.device, pin)
      this.#chunks.set(id, chunk)
    }
    return Promise.resolve()
  }

  async *list(prefix: string, { after = '' as ChunkId }: ListOptions = {}): AsyncGenerator<ChunkId> {
    yield* [...this.#chunks.keys()].filter((id) => id.startsWith(prefix) && id > after).sort()
  }

  drop(ids: readonly ChunkId[], may: (id: ChunkId) => boolean = () => true): Promise<ChunkId[]> {
    return Promise.resolve([...new Set(ids)].filter((id) => may(id) && this.#chunks.delete(id)))
  }

  pins(id: ChunkId): Pin[] {
    return [...(this.#chunks.get(id)?.pins.values() ?? [])]
  }
}
