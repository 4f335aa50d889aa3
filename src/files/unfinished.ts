/**
 * The chunks of uploads under way, and what is left of those that ended without a version: a full disk,
 * a client that went away, a crash. It is dropped from this disk at once, and after a crash among the
 * chunks written since the last look.
 *
 * A chunk goes only when nothing here needs it: no upload under way, no version, no pin but this
 * device's own for a folder (uploads that can go on have pins of another kind). Nothing is concluded
 * while a version of this device has no list of its chunks yet.
 */
import type { Catalogue } from '../access/catalogue.ts'
import { asPeerStorError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { ChunkId, DatabaseId, FolderId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Pin } from '../store/chunk-store.ts'
import type { Store } from '../store/store.ts'

/** Changes, or chunks, looked at in one step: a few milliseconds. */
const pageChunks = 1000
const idleMs = 3_600_000
/** Small uploads come by thousands a second, and each look at the index costs 10 µs. */
const uploadsPerMark = 64
/** What could not be decided or dropped is tried again after this. */
const againMs = 60_000

export interface UnfinishedParts {
  store: Store
  catalogue: Pick<Catalogue, 'device' | 'folders'>
  log: Log
  /** Chunks left this disk: others should know. */
  onDropped: () => void
  /** Ends a worker's wait; `WorkerRunner.wake`. */
  wake: (worker: string) => void
  /** Another device gives its copy up because one is here; `Pool.isPromised`. */
  isPromised: (id: ChunkId) => boolean
}

/** The chunks of one upload. */
export interface UploadChunks {
  /** This upload relies on a chunk; `wrote`: it was not here before. */
  use(id: ChunkId, wrote: boolean): void
  /** Others keep these: what nothing else here needs goes from this disk. */
  passed(ids: readonly ChunkId[]): Promise<void>
  /** A version names all of them. */
  kept(): void
  /** There will be no version: what nothing else needs is dropped when it resolves, or soon. */
  failed(): Promise<void>
}

interface Use {
  uploads: number
  /** An upload under way, or one that failed, brought it. */
  wrote: boolean
  kept: boolean
}

/** How far the chunks written here were looked at. */
interface Looked {
  database: DatabaseId
  change: number
}

export class Unfinished implements Worker {
  readonly name = 'leftovers'
  readonly #parts: UnfinishedParts
  readonly #uses = new Map<ChunkId, Use>()
  /** Change numbers at which the uploads under way began. */
  readonly #begun = new Map<UploadChunks, number>()
  /** The last change when one of the uploads of late began, for so many more: a number too low harms nobody. */
  #mark = { change: 0, uses: 0 }
  /** Left by uploads, but not decided yet. */
  readonly #left = new Set<ChunkId>()
  #turn: Promise<unknown> = Promise.resolve()
  #looked: number
  #dropped = 0

  constructor(parts: UnfinishedParts) {
    this.#parts = parts
    const saved = parts.store.own.get<Looked>('work', this.name)
    this.#looked = saved?.database === parts.store.database ? saved.change : 0
  }

  begin(): UploadChunks {
    const used = new Set<ChunkId>()
    const upload: UploadChunks = {
      use: (id, wrote) => {
        const use = this.#use(id)
        if (!used.has(id)) use.uploads += 1
        use.wrote ||= wrote
        used.add(id)
      },
      passed: (ids) => this.#pass(ids),
      kept: () => this.#end(upload, used, true),
      failed: async () => {
        this.#end(upload, used, false)
        if (this.#left.size === 0) return
        // A disk that takes nothing now is tried again by the worker.
        await this.#giveBack().catch(() => this.#parts.wake(this.name))
      },
    }
    this.#begun.set(upload, this.#changeNow())
    return upload
  }

  #changeNow(): number {
    if (this.#mark.uses === 0)
      this.#mark = { change: this.#parts.store.read.lastChange(), uses: uploadsPerMark }
    this.#mark.uses -= 1
    return this.#mark.change
  }

  /**
   * Those of some offered chunks that this device gave back: whoever holds a copy of what an upload
   * left would bring it again for ever.
   */
  unwanted(offered: readonly { id: ChunkId; pins: readonly Pin[] }[]): Set<ChunkId> {
    const { store, catalogue } = this.#parts
    const mine = offered.filter(
      ({ id, pins }) => !this.#uses.has(id) && pins.every(({ device }) => device === catalogue.device),
    )
    const given = store.read.givenBack(mine.map(({ id }) => id))
    return new Set(given.length > 0 && store.read.isListed(catalogue.device) ? given : [])
  }

  /** Whether an upload under way relies on a chunk. */
  isUsed(id: ChunkId): boolean {
    return this.#uses.has(id)
  }

  status(): string {
    const waiting = this.#left.size === 0 ? '' : `, ${this.#left.size} not decided yet`
    return `${this.#dropped} chunks of uploads that did not end were given back${waiting}`
  }

  async work(signal: AbortSignal): Promise<WorkResult> {
    const { store, catalogue, log } = this.#parts
    if (!store.read.isListed(catalogue.device)) return { waitMs: againMs }
    try {
      if (this.#looked < store.read.lastChange()) {
        await this.#look()
        return 'more'
      }
      await this.#giveBack()
      await this.#save()
    } catch (thrown) {
      signal.throwIfAborted()
      log.warn('what uploads left is given back later', { reason: asPeerStorError(thrown).message })
      return { waitMs: againMs }
    }
    return { waitMs: this.#left.size > 0 ? againMs : idleMs }
  }

  /** A page of the chunks written since the last look. */
  async #look(): Promise<void> {
    const { held, upTo } = this.#parts.store.read.changes(this.#looked, pageChunks)
    for (const id of this.#leftovers(held)) {
      const use = this.#uses.get(id)
      // Decided when that upload ends.
      if (use !== undefined) use.wrote = true
      else this.#left.add(id)
    }
    this.#looked = upTo
    await this.#giveBack()
  }

  /** Uploads under way may still leave what they wrote since they began. */
  async #save(): Promise<void> {
    const { store } = this.#parts
    const change = Math.min(this.#looked, ...this.#begun.values())
    const saved = store.own.get<Looked>('work', this.name)
    if (this.#left.size > 0 || (saved?.database === store.database && saved.change >= change)) return
    await store.own.put('work', this.name, { database: store.database, change } satisfies Looked)
  }

  #use(id: ChunkId): Use {
    let use = this.#uses.get(id)
    if (use === undefined) this.#uses.set(id, (use = { uploads: 0, wrote: false, kept: false }))
    return use
  }

  #end(upload: UploadChunks, used: Set<ChunkId>, kept: boolean): void {
    this.#begun.delete(upload)
    for (const id of used) {
      const use = this.#use(id)
      use.uploads -= 1
      use.kept ||= kept
      if (use.uploads > 0) continue
      this.#uses.delete(id)
      if (use.wrote && !use.kept) this.#left.add(id)
    }
    used.clear()
  }

  /** What one upload alone brought and uses, no version names, and other devices have. */
  async #pass(ids: readonly ChunkId[]): Promise<void> {
    const { store, onDropped } = this.#parts
    await store.commit({})
    const isOnly = (id: ChunkId): boolean => {
      const use = this.#uses.get(id)
      return use?.uploads === 1 && use.wrote && !use.kept
    }
    for (let first = 0; first < ids.length; first += pageChunks)
      await this.#dropFrom(ids.slice(first, first + pageChunks), isOnly)
    onDropped()
  }

  /** Drops what is left and nothing needs; one run at a time. */
  #giveBack(): Promise<void> {
    const turn = this.#turn.then(() => this.#drop())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #drop(): Promise<void> {
    const { store, catalogue, onDropped } = this.#parts
    if (this.#left.size === 0) return
    const before = this.#dropped
    // What was written is in the index when this resolves: a version whose commit failed may be there too.
    await store.commit({})
    if (!store.read.isListed(catalogue.device)) return
    const left = [...this.#left]
    for (let first = 0; first < left.length; first += pageChunks) {
      const page = left.slice(first, first + pageChunks)
      const dropped = await this.#dropFrom(page, (id) => !this.#uses.has(id))
      const still = new Set(this.#leftovers(page))
      for (const id of page) if (!still.has(id)) this.#left.delete(id)
      this.#dropped += dropped.length
    }
    if (this.#dropped > before) onDropped()
  }

  /** Decided in the step that writes: a pin or an upload that comes while it waits for the disk counts. */
  #dropFrom(ids: readonly ChunkId[], may: (id: ChunkId) => boolean): Promise<ChunkId[]> {
    const { store, isPromised } = this.#parts
    const folders = this.#folders()
    return store.chunks.drop(
      ids,
      (id) => may(id) && !isPromised(id) && this.#leftovers([id], folders).length > 0,
    )
  }

  #leftovers(ids: readonly ChunkId[], folders = this.#folders()): ChunkId[] {
    const { store, catalogue } = this.#parts
    return store.read.leftovers(ids, catalogue.device, folders)
  }

  #folders(): FolderId[] {
    return this.#parts.catalogue.folders().map(({ id }) => id)
  }
}
