/**
 * Keeps the index that search asks up to date: the words of new entries go into it in bulk, a while
 * after they came. Until then a search looks through them one by one.
 */
import type { Clock } from '../base/clock.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { FilesParts } from './files-parts.ts'

/** Entries at once: some 20 ms of the index's thread, which commits wait for. */
const stepEntries = 400
/** Between steps others write. */
const pauseMs = 20
/** What comes together is indexed together. */
const gatherMs = 2_000
const idleMs = 3_600_000

export class SearchIndex implements Worker {
  readonly name = 'search'
  readonly #store: FilesParts['store']
  readonly #clock: Clock
  /** When gathering ends; undefined while there is nothing to do. */
  #due: number | undefined

  constructor({ store, clock }: Pick<FilesParts, 'store' | 'clock'>) {
    this.#store = store
    this.#clock = clock
  }

  status(): string {
    const waiting = this.#store.read.searchWaiting()
    return waiting === 0 ? 'all entries are in the index' : `${waiting} entries not in the index yet`
  }

  async work(): Promise<WorkResult> {
    const now = this.#clock.monotonicMs()
    // Woken with each version that comes: nothing is asked before it is time.
    if (this.#due !== undefined && now < this.#due) return { waitMs: this.#due - now }
    if (this.#store.read.searchWaiting() === 0) {
      this.#due = undefined
      return { waitMs: idleMs }
    }
    this.#due ??= now + gatherMs
    if (now < this.#due) return { waitMs: this.#due - now }
    await this.#store.index([{ op: 'search', limit: stepEntries }])
    return { waitMs: pauseMs }
  }
}
