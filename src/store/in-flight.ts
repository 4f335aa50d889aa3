/**
 * What is on its way to the segments but not in the index yet. Decisions (is this chunk here, may
 * it be dropped) are made when something is appended, so that the order of the log is their order.
 */
import type { ChunkId } from '../base/words.ts'
import type { IndexOp } from './index-group.ts'
import type { NewEntry } from './segment-log.ts'

export class InFlight {
  /** Chunks being written; resolves when the kernel has the bytes, rejects when they could not be written. */
  readonly #arriving = new Map<ChunkId, { count: number; written: Promise<void> }>()
  readonly #pinning = new Map<ChunkId, number>()
  readonly #releasing = new Map<ChunkId, number>()
  /** Bytes that are free again once the drop is indexed. */
  readonly #dropping = new Map<ChunkId, number>()

  /** The write of a chunk that is not indexed yet. */
  arriving(id: ChunkId): Promise<void> | undefined {
    return this.#arriving.get(id)?.written
  }

  isDropping(id: ChunkId): boolean {
    return this.#dropping.has(id)
  }

  isReleasing(): boolean {
    return this.#releasing.size > 0
  }

  mayDrop(id: ChunkId): boolean {
    return !this.#arriving.has(id) && !this.#pinning.has(id) && !this.#dropping.has(id)
  }

  /** Notes entries that were just appended; `written` settles with their write. */
  begin(ops: readonly IndexOp[], written: Promise<void>): void {
    for (const op of ops) {
      if (op.op === 'chunk')
        this.#arriving.set(op.id, { count: (this.#arriving.get(op.id)?.count ?? 0) + 1, written })
      if (op.op === 'pins') for (const id of op.list.ids) add(this.#pinning, id, 1)
      if (op.op === 'releases') for (const id of op.list.ids) add(this.#releasing, id, 1)
    }
  }

  beginDrop(id: ChunkId, bytes: number): void {
    this.#dropping.set(id, bytes)
  }

  /** Takes operations back, indexed or failed; gives what indexed drops set free. */
  end(ops: readonly IndexOp[]): { bytes: number; chunks: number } {
    const freed = { bytes: 0, chunks: 0 }
    for (const op of ops) {
      if (op.op === 'chunk') this.#endArrival(op.id)
      if (op.op === 'pins') for (const id of op.list.ids) add(this.#pinning, id, -1)
      if (op.op === 'releases') for (const id of op.list.ids) add(this.#releasing, id, -1)
      if (op.op === 'drops') for (const id of op.ids) this.#endDrop(id, freed)
    }
    return freed
  }

  #endArrival(id: ChunkId): void {
    const arrival = this.#arriving.get(id)
    if (arrival === undefined) return
    arrival.count -= 1
    if (arrival.count === 0) this.#arriving.delete(id)
  }

  #endDrop(id: ChunkId, freed: { bytes: number; chunks: number }): void {
    const bytes = this.#dropping.get(id)
    if (bytes === undefined) return
    this.#dropping.delete(id)
    freed.bytes += bytes
    freed.chunks += 1
  }
}

/** The operations that entries will be, wherever they land. */
export function opsOf(entries: readonly NewEntry[]): IndexOp[] {
  return entries.map((entry) => entry.op({ segment: 0, offset: 0, length: 0 }))
}

function add(counts: Map<ChunkId, number>, id: ChunkId, change: number): void {
  const count = (counts.get(id) ?? 0) + change
  if (count > 0) counts.set(id, count)
  else counts.delete(id)
}
