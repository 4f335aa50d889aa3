/**
 * How many files have all their copies. Counting looks at every chunk of every file (1.3 CPU s for
 * 100,000 files of two chunks), so it goes in small steps between other work, and its result is used
 * for as long as nothing has changed; while much changes, for ten times as long as counting took.
 */
import type { Clock } from '../base/clock.ts'
import type { FolderId, PeerId } from '../base/words.ts'
import type { IndexReader } from '../store/index-reader.ts'

export interface FilesByCopies {
  /** With all wanted copies. */
  safe: number
  degraded: number
  /** With none. */
  lost: number
}

export interface SafetyParts {
  read: Pick<IndexReader, 'safety' | 'generation'>
  clock: Clock
  /** Folders with the copies wanted of each, and of its priority files, and the peers whose holdings count. */
  folders: () => readonly { id: FolderId; want: number; wantMost: number }[]
  peers: () => readonly PeerId[]
}

/** Files counted at once: a few milliseconds. */
const stepFiles = 250
/** Counting that took no longer than this is done anew for everybody who asks. */
const quickMs = 50
const restFactor = 10

interface Counted {
  files: FilesByCopies
  /** What it was counted from. */
  of: string
  endedAt: number
  tookMs: number
}

export class Safety {
  readonly #parts: SafetyParts
  #last: Counted | undefined
  #counting: Promise<Counted> | undefined

  constructor(parts: SafetyParts) {
    this.#parts = parts
  }

  async count(): Promise<FilesByCopies> {
    const last = this.#last
    if (last !== undefined && (this.#isRecent(last) || last.of === this.#of())) return last.files
    this.#counting ??= this.#count().finally(() => (this.#counting = undefined))
    this.#last = await this.#counting
    return this.#last.files
  }

  /** Counted now, each folder by itself. */
  async countFolders(): Promise<Map<FolderId, FilesByCopies>> {
    const { folders, peers } = this.#parts
    const counted = new Map<FolderId, FilesByCopies>()
    for (const folder of folders()) {
      const files = { safe: 0, degraded: 0, lost: 0 }
      await this.#countFolder(folder, peers(), files)
      counted.set(folder.id, files)
    }
    return counted
  }

  /** Counted now, as if `peers` were all and `want` copies were wanted of each file. */
  async countAmong(peers: readonly PeerId[], want: number): Promise<FilesByCopies> {
    const files = { safe: 0, degraded: 0, lost: 0 }
    for (const { id } of this.#parts.folders())
      await this.#countFolder({ id, want, wantMost: want }, peers, files)
    return files
  }

  #isRecent({ endedAt, tookMs }: Counted): boolean {
    return tookMs > quickMs && this.#parts.clock.monotonicMs() - endedAt < restFactor * tookMs
  }

  /** All that the counts depend on. */
  #of(): string {
    const { read, folders, peers } = this.#parts
    return JSON.stringify([read.generation(), folders(), peers()])
  }

  async #count(): Promise<Counted> {
    const { clock, folders, peers } = this.#parts
    const of = this.#of()
    const beganAt = clock.monotonicMs()
    const files = { safe: 0, degraded: 0, lost: 0 }
    for (const folder of folders()) await this.#countFolder(folder, peers(), files)
    const endedAt = clock.monotonicMs()
    return { files, of, endedAt, tookMs: endedAt - beganAt }
  }

  async #countFolder(
    { id, want, wantMost }: { id: FolderId; want: number; wantMost: number },
    peers: readonly PeerId[],
    files: FilesByCopies,
  ): Promise<void> {
    const { read, clock } = this.#parts
    for (let after: number | undefined = 0; after !== undefined;) {
      const step = read.safety(id, want, peers, after, stepFiles, wantMost)
      files.safe += step.safe
      files.degraded += step.degraded
      files.lost += step.lost
      after = step.next
      if (after !== undefined) await clock.sleep(0)
    }
  }
}
