/**
 * Ends the time of replaced versions: what a later version or the trash replaced longer ago than the
 * folder keeps it is no longer listed nor read. Which ones follows from records, policy and time alone,
 * so each member finds them by itself and no record is written; space comes back by collection.
 */
import type { Clock } from '../base/clock.ts'
import type { FolderId, RecordHash } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { ReplacedVersion } from '../store/index-reader.ts'
import type { IndexWrite } from '../store/store.ts'
import type { FilesParts } from './files-parts.ts'

/** Versions looked at in one step: a few milliseconds. */
const stepVersions = 500
const roundMs = 3_600_000

export class Retention implements Worker {
  readonly name = 'retention'
  readonly #parts: Pick<FilesParts, 'store' | 'catalogue'>
  readonly #clock: Clock
  /** Folders left in this round, and how far the first of them was looked at. */
  #folders: FolderId[] = []
  #after = 0
  #expired = 0

  constructor(parts: Pick<FilesParts, 'store' | 'catalogue' | 'clock'>) {
    this.#parts = parts
    this.#clock = parts.clock
  }

  status(): string {
    return `${this.#expired} versions past their time since the start`
  }

  async work(): Promise<WorkResult> {
    if (this.#folders.length === 0) this.#folders = this.#parts.catalogue.folders().map(({ id }) => id)
    const folder = this.#parts.catalogue.folders().find(({ id }) => id === this.#folders[0])
    if (folder !== undefined && (await this.#step(folder.id, folder.policy.keepMs))) return 'more'
    this.#folders.shift()
    this.#after = 0
    return this.#folders.length === 0 ? { waitMs: roundMs } : 'more'
  }

  /** Looks at some versions of a folder; true when there are more. */
  async #step(folder: FolderId, keepMs: number): Promise<boolean> {
    const versions = this.#parts.store.read.replaced(folder, this.#after, stepVersions)
    const before = this.#clock.now() - keepMs
    // Both ways: a folder may keep them longer than it did.
    const isPast = ({ since }: ReplacedVersion): boolean => since !== undefined && since <= before
    const ended = versions.filter((one) => isPast(one) && !one.expired)
    const back = versions.filter((one) => !isPast(one) && one.expired)
    const writes = [...expired(ended, true), ...expired(back, false)]
    if (writes.length > 0) await this.#parts.store.index(writes)
    this.#expired += ended.length
    this.#after = versions.at(-1)?.n ?? 0
    return versions.length === stepVersions
  }
}

function expired(versions: readonly { version: RecordHash }[], gone: boolean): IndexWrite[] {
  if (versions.length === 0) return []
  return [{ op: 'gone', cause: 'expired', versions: versions.map(({ version }) => version), gone }]
}
