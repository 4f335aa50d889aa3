/**
 * The worker that gives the disk back what dropped chunks took: one segment at a time, and as long a
 * rest as three times the work, so that people's reads and writes come first. On a full disk it does not rest.
 */
import type { Clock } from '../base/clock.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Store } from './store.ts'

/** A look for segments that are worth it costs a query. */
const everyMs = 60_000
const restShare = 3
const restMostMs = 10_000

export class Compaction implements Worker {
  readonly name = 'compact'
  readonly #store: Pick<Store, 'compact'>
  readonly #clock: Clock
  readonly #isShort: () => boolean
  #segments = 0
  #bytes = 0

  /** `isShort`: the disk has so little room left that people wait for it. */
  constructor(store: Pick<Store, 'compact'>, clock: Clock, isShort: () => boolean) {
    this.#store = store
    this.#clock = clock
    this.#isShort = isShort
  }

  status(): string {
    return `${this.#segments} segments compacted, ${this.#bytes} bytes given back to the disk`
  }

  async work(signal: AbortSignal): Promise<WorkResult> {
    const startedAt = this.#clock.monotonicMs()
    const freed = await this.#store.compact(signal)
    if (freed === 0) return { waitMs: everyMs }
    this.#segments += 1
    this.#bytes += freed
    if (this.#isShort()) return 'more'
    const tookMs = this.#clock.monotonicMs() - startedAt
    return { waitMs: Math.min(restMostMs, Math.max(1, restShare * tookMs)) }
  }
}
