/** How much is kept here and may still be: looked at now and then, since a statement is asked for often. */
import type { Worker, WorkResult } from '../base/worker.ts'
import { limits } from '../base/limits.ts'
import type { Store } from '../store/store.ts'

/** Without a setting: this share of what is free at the start, what is kept already included. */
const defaultShare = 0.1
/** The share of the last start stays while the one of now is within this factor: each change moves chunks of the whole pool. */
const sameWithin = 1.25
const row = ['setting', 'contributed'] as const
const everyMs = 30_000

export class SpaceWatch implements Worker {
  readonly name = 'space'
  readonly #store: Store
  readonly #asked: () => number | undefined
  readonly #ownLimit: number
  #used = 0
  #diskFree = 0
  contributed = 0

  /** Looks once and sets the store's limit. */
  static async over(store: Store, asked: () => number | undefined): Promise<SpaceWatch> {
    const watch = new SpaceWatch(store, asked, asked() ?? (await ownLimit(store)))
    await watch.refresh()
    return watch
  }

  constructor(store: Store, asked: () => number | undefined, ownLimit: number) {
    this.#store = store
    this.#asked = asked
    this.#ownLimit = ownLimit
  }

  /** Sealed bytes kept. */
  get used(): number {
    return this.#used
  }

  /** Nothing worth placing here fits. */
  get full(): boolean {
    return Math.min(this.#leftOfContribution, this.#leftOfDisk) < 4 * limits.sealedMax
  }

  /** A few segments more, and the disk is full. */
  get isDiskShort(): boolean {
    return this.#leftOfDisk < 16 * limits.segmentBytes
  }

  /** Bytes of chunks that may still be kept: as far as the contributed space goes, and the disk. */
  async room(): Promise<{ limit: number; contributed: number; disk: number }> {
    await this.refresh()
    return { limit: this.contributed, contributed: this.#leftOfContribution, disk: this.#leftOfDisk }
  }

  /** Bytes kept beyond what this device contributes, since that was made smaller; 0 or less: none. */
  async overBytes(): Promise<number> {
    await this.refresh()
    return this.#used - this.contributed
  }

  async refresh(): Promise<void> {
    const { usedBytes, freeBytes } = await this.#store.use()
    this.#used = usedBytes
    this.#diskFree = freeBytes
    this.contributed = this.#asked() ?? this.#ownLimit
    this.#store.setContributed(this.contributed)
  }

  async work(): Promise<WorkResult> {
    await this.refresh()
    return { waitMs: everyMs }
  }

  status(): string {
    return `${this.#used} of ${this.contributed} bytes kept, ${this.#diskFree} free on the disk`
  }

  get #leftOfContribution(): number {
    return Math.max(0, this.contributed - this.#used)
  }

  get #leftOfDisk(): number {
    return Math.max(0, this.#diskFree - limits.reserveBytes)
  }
}

/** What is given without a setting; kept, so that a disk that other programs fill a little changes nothing. */
async function ownLimit(store: Store): Promise<number> {
  const { usedBytes, freeBytes, away } = await store.use()
  const now = Math.floor((usedBytes + freeBytes) * defaultShare)
  const last = store.own.get<number>(...row)
  if (away) return last ?? now
  if (last !== undefined && last <= now * sameWithin && last >= now / sameWithin) return last
  // A peer whose disk takes nothing now starts all the same.
  await store.own.put(...row, now).catch(() => undefined)
  return now
}
