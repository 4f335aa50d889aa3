/**
 * Learns the chunks of versions that others wrote, so that their copies can be counted: a version's
 * record names only its manifest's root, whose nodes are fetched here, a few versions at a time.
 */
import type { Clock } from '../base/clock.ts'
import { isCode } from '../base/errors.ts'
import type { ChunkId, RecordHash } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { ChunkRef } from '../codec/codec.ts'
import { openNode } from '../codec/manifest.ts'
import { decodeContent } from '../codec/version-body.ts'
import type { IndexWrite } from '../store/store.ts'
import type { VersionRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'

const versionsPerStep = 64
/** A manifest that nobody had is asked for again after this. */
const retryMs = 30_000
const idleMs = 60_000

interface ChunksOfParts extends Pick<FilesParts, 'store' | 'pool' | 'log'> {
  /** The chunks of more versions are known. */
  onListed?: (() => void) | undefined
}

export class ChunksOf implements Worker {
  readonly name = 'manifests'
  readonly #parts: ChunksOfParts
  readonly #clock: Clock
  /** Versions that could not be had, with the time of the next try. */
  readonly #later = new Map<RecordHash, number>()
  #opened = 0

  constructor(parts: ChunksOfParts & Pick<FilesParts, 'clock'>) {
    this.#parts = parts
    this.#clock = parts.clock
  }

  status(): string {
    const waiting = this.#later.size === 0 ? '' : `, ${this.#later.size} not to be had now`
    return `${this.#opened} manifests opened${waiting}`
  }

  async work(signal: AbortSignal): Promise<WorkResult> {
    const now = this.#clock.monotonicMs()
    const due = this.#parts.store.read
      .withoutContent(versionsPerStep + this.#later.size)
      .filter(({ version }) => (this.#later.get(version) ?? 0) <= now)
      .slice(0, versionsPerStep)
    if (due.length === 0) return { waitMs: this.#later.size === 0 ? idleMs : retryMs }
    const writes: IndexWrite[] = []
    for (const row of due) {
      const ids = await this.#chunksOf(row, signal)
      if (ids !== undefined) writes.push({ op: 'content', version: row.version, ids, content: row.content })
    }
    if (writes.length > 0) await this.#parts.store.index(writes)
    this.#opened += writes.length
    if (writes.length > 0) this.#parts.onListed?.()
    return 'more'
  }

  /** Undefined when a node can not be had now, or is wrong and will never be. */
  async #chunksOf(row: VersionRow, signal: AbortSignal): Promise<ChunkId[] | undefined> {
    const content = decodeContent(row.content)
    try {
      const ids = new Set<ChunkId>()
      await this.#collect(content.form === 'inline' ? content.chunks : [content.root], ids, signal)
      this.#later.delete(row.version)
      return [...ids]
    } catch (thrown) {
      signal.throwIfAborted()
      const wrong = isCode(thrown, 'CHUNK_INVALID')
      if (wrong) this.#parts.log.warn('a manifest was written wrongly', { version: row.version })
      this.#later.set(row.version, wrong ? Number.POSITIVE_INFINITY : this.#clock.monotonicMs() + retryMs)
      return undefined
    }
  }

  async #collect(refs: readonly ChunkRef[], ids: Set<ChunkId>, signal: AbortSignal): Promise<void> {
    for (const ref of refs) {
      // Each node once: one that names another a thousand times, level below level, has no end otherwise.
      if (ids.has(ref.id)) continue
      ids.add(ref.id)
      if (ref.level === 0) continue
      const sealed = await this.#parts.pool.get(ref.id, { signal, priority: 'repair' })
      await this.#collect(openNode(ref, sealed), ids, signal)
    }
  }
}
