/**
 * Notices when much was deleted within an hour, on whatever device and by whatever program: files lie in
 * the trash then, and one command brings them back. What is told follows from the trash alone, so it ends
 * when they are back, or given up, or after some days; what expired was not deleted.
 */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { FolderId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { EntryRow } from '../store/view.ts'
import { expiresAt } from './expiry.ts'
import type { FilesParts } from './files-parts.ts'
import { lastContent } from './trash.ts'

/** Removed files looked at in one step, and in all. */
const stepEntries = 500
const mostLooked = 20_000
const windowMs = 3_600_000
/** Deletes come by hundreds a second: a folder is looked at again after this. */
const againMs = 2_000
const roundMs = 3_600_000

export interface MassDeletion {
  folder: FolderId
  files: number
  /** Files that there were. */
  of: number
  /** Wall milliseconds of the first and the last. */
  since: number
  until: number
}

/** design.md §6, Guard. */
export function isMass(files: number, of: number): boolean {
  return files > limits.deletionsMany || (files >= limits.deletionsFew && files >= of * limits.deletionsShare)
}

export class Deletions implements Worker {
  readonly name = 'deletions'
  readonly #parts: FilesParts
  readonly #clock: Clock
  readonly #found = new Map<FolderId, MassDeletion>()
  readonly #listeners = new Set<(found: MassDeletion) => void>()
  #dirty: Set<FolderId> | undefined
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(parts: FilesParts) {
    this.#parts = parts
    this.#clock = parts.clock
  }

  /** Told once of each that begins; not of those of before this start. */
  on(listener: (found: MassDeletion) => void): void {
    this.#listeners.add(listener)
  }

  /** What stands now. */
  found(): MassDeletion[] {
    return [...this.#found.values()]
  }

  /** Versions of these folders came; the worker is to be woken. */
  changed(folders: readonly FolderId[]): void {
    for (const folder of folders) this.#dirty?.add(folder)
  }

  status(): string {
    return this.#found.size === 0 ? 'nothing unusual' : `much was deleted in ${this.#found.size} folders`
  }

  hurry(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  async work(): Promise<WorkResult> {
    const wait = this.#lookedAt + againMs - this.#clock.monotonicMs()
    if (wait > 0) return { waitMs: wait }
    this.#lookedAt = this.#clock.monotonicMs()
    const all = this.#parts.catalogue.folders().map(({ id }) => id)
    for (const id of this.#found.keys()) if (!all.includes(id)) this.#found.delete(id)
    const isFirst = this.#dirty === undefined
    const due =
      this.#dirty === undefined ? all : all.filter((id) => this.#dirty!.has(id) || this.#found.has(id))
    this.#dirty = new Set()
    for (const id of due) {
      const known = this.#found.has(id)
      await this.#look(id)
      const found = this.#found.get(id)
      if (found !== undefined && !known && !isFirst) for (const tell of this.#listeners) tell(found)
    }
    return { waitMs: roundMs }
  }

  async #look(folder: FolderId): Promise<void> {
    const now = this.#clock.now()
    const runs: MassDeletion[] = []
    let removed = 0
    const shown = this.#parts.store.read.totals(folder).files
    for await (const { ms } of this.#deleted(folder, now - limits.deletionsToldMs)) {
      removed += 1
      const run = runs.at(-1)
      // Newest first: a run is what lies within an hour of its last.
      if (run === undefined || ms < run.until - windowMs)
        runs.push({ folder, files: 1, of: shown + removed, since: ms, until: ms })
      else Object.assign(run, { files: run.files + 1, of: shown + removed, since: ms })
    }
    const mass = runs.find(({ files, of }) => isMass(files, of))
    if (mass === undefined) this.#found.delete(folder)
    else this.#found.set(folder, mass)
  }

  /** Times of what was deleted and did not expire, newest first. */
  async *#deleted(folder: FolderId, after: number): AsyncGenerator<{ ms: number }> {
    const { store, catalogue, clock } = this.#parts
    const expireMs = catalogue.folders().find(({ id }) => id === folder)?.policy.expireMs
    let cursor: string | undefined
    let looked = 0
    do {
      const { entries, next } = store.read.trash(folder, cursor, stepEntries)
      for (const entry of entries) {
        if (entry.time.ms < after) return
        if (entry.type !== folderType && !this.#expired(entry, expireMs)) yield entry.time
      }
      looked += entries.length
      cursor = next
      await clock.sleep(0)
    } while (cursor !== undefined && looked < mostLooked)
  }

  #expired(entry: EntryRow, expireMs: number | undefined): boolean {
    const own = expiresAt({ ...entry, kind: 'file' }, undefined)
    if (own !== undefined) return own <= entry.time.ms
    if (expireMs === undefined) return false
    const last = lastContent(this.#parts, entry)
    const at = last === undefined ? undefined : expiresAt(last, expireMs)
    return at !== undefined && at <= entry.time.ms
  }
}

/** What folders that were made on purpose have for a type. */
const folderType = 'inode/directory'
