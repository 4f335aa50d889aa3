/**
 * What this peer knows of uploads that can go on: one row each in the store's own database, and who
 * writes which now. Until an upload is whole its chunks hang on pins that name it as their folder:
 * no other device is offered them, nothing else of this device keeps or drops them.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { idOf, type ChunkId, type DeviceId, type EpochId, type FolderId } from '../base/words.ts'
import type { Pin } from '../store/chunk-store.ts'
import type { OwnState } from '../store/store.ts'
import type { PutResult } from './files.ts'
import type { Part } from './multipart.ts'
import type { NewUpload, UploadState } from './uploads.ts'

/**
 * The pin that keeps an upload's chunks. It names the upload as folder and as device: neither a folder's
 * nor this device's own pins are what holds them, so whoever collects those leaves them alone.
 */
export const pinOfUpload = (id: string): Pin => ({ folder: id as FolderId, device: id as DeviceId })

/** A sealed piece as it stands in a row: chunk id, chunk key (hex), plaintext bytes. */
export type KeptRef = readonly [id: ChunkId, ck: string, length: number]

/** A row, as JSON. */
export interface UploadRow {
  upload: NewUpload
  folder: FolderId
  /** Its content is sealed under the keys that were in force at its beginning, whatever comes until its end. */
  epoch?: EpochId | undefined
  /** As known at the beginning: it decides how the file is cut. */
  cutAs: number | undefined
  offset: number
  expires: number
  /** Full blocks of listed chunks, then the chunks after them (upload-writer.ts). */
  blocks: KeptRef[]
  listed: string
  /** Bytes behind the last cut. */
  tail: KeptRef[]
  sentBytes: number
  savedBytes: number
  of?: readonly string[] | undefined
  result?: PutResult | undefined
  /** Given up; the row stays until its chunks are gone. */
  removed?: boolean | undefined
  /** A crash may have left chunks that the row does not name. */
  unclean?: boolean | undefined
}

/** A numbered part, as JSON: its chunks are named by sealed blocks alone. */
export interface PartRow extends Part, Pick<UploadRow, 'blocks' | 'epoch' | 'sentBytes' | 'savedBytes'> {
  /** Of two with one number the later counts. */
  order: number
}

/** Who writes a part now. */
export interface PartWriter {
  /** Aborted when the upload ends meanwhile. */
  signal: AbortSignal
  leave: () => void
}

/** Who writes an upload now. */
export interface Lease {
  /** Its source has ended: what came is being made durable. */
  ending: () => void
  release: () => void
}

export class UploadBook {
  readonly #own: () => OwnState
  readonly #clock: Clock
  readonly #random: Random
  readonly #onUnclean: () => void
  /** Writers of numbered parts, and what resolves when each has left. */
  readonly #writers = new Map<string, Map<AbortController, Promise<void>>>()
  #lastOrder = 0
  readonly #leases = new Map<string, { released: Promise<void>; isEnding: boolean }>()
  /** What uploads under way will add to their folders. */
  #open: Map<string, { folder: FolderId; bytes: number }> | undefined
  /** Rows that a former run of this peer may have been writing. */
  #former: Set<string> | undefined

  /** @param onUnclean an upload has ended whose leftovers are to be looked for */
  constructor(own: () => OwnState, clock: Clock, random: Random, onUnclean: () => void = () => undefined) {
    this.#own = own
    this.#clock = clock
    this.#random = random
    this.#onUnclean = onUnclean
  }

  /** The row of an upload that is neither given up nor expired. */
  open(id: string): UploadRow {
    const row = this.#own().get<UploadRow>('upload', id)
    if (row === undefined || row.removed === true) throw fail('UPLOAD_UNKNOWN', { id: shown(id) })
    if (row.expires <= this.#clock.now()) throw fail('UPLOAD_EXPIRED', { id })
    return row
  }

  /** Bytes that uploads under way will bring to a folder, as far as is known. */
  openBytes(folder: FolderId): number {
    let sum = 0
    for (const open of this.#knowOpen().values()) if (open.folder === folder) sum += open.bytes
    return sum
  }

  /** Its bytes are about to be those of a file: they count no more as under way. */
  settle(id: string): void {
    this.#knowOpen().delete(id)
  }

  /** All rows, also of uploads that ended. */
  rows(): { id: string; row: UploadRow }[] {
    return this.#own()
      .list<UploadRow>('upload')
      .map(({ id, value }) => ({ id, row: value }))
  }

  async begin(row: Omit<UploadRow, 'expires'>): Promise<string> {
    this.#knowFormer()
    const [ended, open] = partition(this.rows())
    if (open.length >= limits.uploads) throw fail('RATE_LIMITED', { who: 'open uploads', seconds: 3600 })
    const tooMany = ended.toSorted((a, b) => b.row.expires - a.row.expires).slice(limits.uploadsEnded)
    for (const { id } of tooMany) await this.forget(id)
    const id = idOf<FolderId>(this.#random.bytes(32))
    await this.put(id, { ...row, expires: 0 })
    return id
  }

  /** Durable when it resolves; puts the expiry off. */
  async put(id: string, row: UploadRow): Promise<UploadRow> {
    const ended = row.result !== undefined || row.removed === true
    const expires = this.#clock.now() + (ended ? limits.uploadEndedMs : limits.uploadLifeMs)
    const unclean = row.unclean === true || this.#knowFormer().has(id)
    const written = { ...row, expires, ...(unclean ? { unclean } : {}) }
    this.#count(id, written)
    await this.#own().put('upload', id, written)
    if (ended && unclean) this.#onUnclean()
    return written
  }

  async forget(id: string): Promise<void> {
    this.#open?.delete(id)
    await this.forgetParts(id)
    await this.#own().remove('upload', id)
    this.#former?.delete(id)
  }

  async forgetParts(id: string): Promise<void> {
    await Promise.all(this.#partRows(id).map((part) => this.#own().remove('part', part.id)))
  }

  /** Nothing of it is left behind any more. */
  async clean(id: string, row: UploadRow): Promise<void> {
    this.#former?.delete(id)
    await this.#own().put('upload', id, { ...row, unclean: undefined })
  }

  /** Its end is put off, when a good while has passed since the last time. */
  async touch(id: string): Promise<void> {
    const row = this.#own().get<UploadRow>('upload', id)
    const late = this.#clock.now() + limits.uploadLifeMs / 2
    if (row !== undefined && row.expires < late) await this.put(id, row)
  }

  /** What a part left behind when it failed is looked for at the end of its upload. */
  async soil(id: string): Promise<void> {
    const row = this.#own().get<UploadRow>('upload', id)
    if (row !== undefined && row.unclean !== true) await this.put(id, { ...row, unclean: true })
  }

  /** Durable when it resolves. */
  async putPart(id: string, part: Omit<PartRow, 'order'>): Promise<void> {
    const order = Math.max(this.#clock.now(), this.#lastOrder + 1)
    this.#lastOrder = order
    const open = this.#knowOpen().get(id)
    if (open !== undefined) open.bytes += part.size
    await this.#own().put('part', `${id}/${part.number}/${order}`, { ...part, order })
  }

  /** All parts that were written, also those that a later one replaced. */
  partsOf(id: string): PartRow[] {
    return this.#partRows(id).map(({ value }) => value)
  }

  #partRows(id: string): { id: string; value: PartRow }[] {
    return this.#own()
      .list<PartRow>('part')
      .filter((part) => part.id.startsWith(`${id}/`))
  }

  /** A writer of a part comes in; `UPLOAD_BUSY` when the upload is ending. */
  enter(id: string): PartWriter {
    if (this.#leases.has(id)) throw fail('UPLOAD_BUSY', { id })
    const { promise, resolve } = Promise.withResolvers<void>()
    const stop = new AbortController()
    const writers = this.#writers.get(id) ?? new Map<AbortController, Promise<void>>()
    this.#writers.set(id, writers.set(stop, promise))
    const leave = (): void => {
      writers.delete(stop)
      if (writers.size === 0) this.#writers.delete(id)
      resolve()
    }
    return { signal: stop.signal, leave }
  }

  /** Ends all writers of parts; call with the lease, so that no new one comes. */
  async stopWriters(id: string): Promise<void> {
    const writers = [...(this.#writers.get(id) ?? [])]
    for (const [stop] of writers) stop.abort(fail('UPLOAD_BUSY', { id }))
    await Promise.all(writers.map(([, left]) => left))
  }

  /** `UPLOAD_BUSY` when somebody writes it. */
  lease(id: string): Lease {
    if (this.#leases.has(id)) throw fail('UPLOAD_BUSY', { id })
    const { promise, resolve } = Promise.withResolvers<void>()
    const lease = { released: promise, isEnding: false }
    this.#leases.set(id, lease)
    return {
      ending: () => (lease.isEnding = true),
      release: () => {
        this.#leases.delete(id)
        resolve()
      },
    }
  }

  /** Waits for a writer that has nothing more to read: where the upload stands is about to change. */
  async settled(id: string): Promise<void> {
    const lease = this.#leases.get(id)
    if (lease?.isEnding === true) await lease.released
  }

  isLeased(id: string): boolean {
    return this.#leases.has(id) || this.#writers.has(id)
  }

  stateOf(id: string, { upload, offset, expires, of, result }: UploadRow): UploadState {
    const { path, part = false, size, modified } = upload
    return { id, path, part, size, modified, offset, expires, of, result }
  }

  #knowOpen(): Map<string, { folder: FolderId; bytes: number }> {
    if (this.#open !== undefined) return this.#open
    this.#open = new Map()
    for (const { id, row } of this.rows()) this.#count(id, row)
    return this.#open
  }

  /** One in numbered parts grows with them. */
  #count(id: string, { upload, folder, offset, result, removed, of }: UploadRow): void {
    const open = this.#knowOpen()
    if (result !== undefined || removed === true || of !== undefined) open.delete(id)
    else if (upload.started === undefined) open.set(id, { folder, bytes: upload.size ?? offset })
    else if (!open.has(id)) {
      const parts = new Map(this.partsOf(id).map(({ number, size }) => [number, size]))
      open.set(id, { folder, bytes: [...parts.values()].reduce((sum, size) => sum + size, 0) })
    }
  }

  #knowFormer(): Set<string> {
    this.#former ??= new Set(
      this.rows()
        .filter(({ row }) => row.result === undefined)
        .map(({ id }) => id),
    )
    return this.#former
  }
}

const shown = (id: string): string => id.slice(0, 80).replaceAll(/[^\w-]/g, '?')

/** Those that nothing is left to do for, and all others. */
function partition<Row extends { row: UploadRow }>(rows: readonly Row[]): [ended: Row[], open: Row[]] {
  const isEnded = ({ row }: Row): boolean => row.result !== undefined && row.unclean !== true
  return [rows.filter(isEnded), rows.filter((row) => !isEnded(row))]
}
