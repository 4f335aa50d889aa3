/** Room for chunks: the contributed space is a hard limit, and the disk keeps a reserve for metadata and deletes. */
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { contributionFull, fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** How long an answer of the file system about its free space is used. */
const freeFreshMs = 1000

/** The free space of one folder's disk, as asked not long ago. */
class FreeSpace {
  readonly #disk: Disk
  readonly #folder: string
  readonly #clock: Clock
  #free = 0
  #askedMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  constructor({ disk, folder, clock }: { disk: Disk; folder: string; clock: Clock }) {
    this.#disk = disk
    this.#folder = folder
    this.#clock = clock
  }

  /** Takes `bytes` of what is free, or fails with `DISK_FULL` when less than `reserve` would be left. */
  take(bytes: number, reserve: number): Promise<void> | undefined {
    const fresh = this.#clock.monotonicMs() - this.#askedMs <= freeFreshMs
    if (!fresh || this.#free < bytes + 2 * reserve) return this.#askAndTake(bytes, reserve)
    this.#free -= bytes
    return undefined
  }

  async #askAndTake(bytes: number, reserve: number): Promise<void> {
    // Everybody who needs an answer now shares one.
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))
    await this.#asking
    if (this.#free < bytes + reserve) throw fail('DISK_FULL', { path: this.#folder })
    this.#free -= bytes
  }

  async #ask(): Promise<void> {
    this.#free = await this.#disk.freeBytes(this.#folder).catch((thrown: unknown) => {
      throw fail('STORAGE_MISSING', { path: this.#folder }, thrown)
    })
    this.#askedMs = this.#clock.monotonicMs()
  }
}

export class Space {
  readonly #disk: Disk
  readonly #folder: string
  readonly #segments: FreeSpace
  /** Undefined when the index is in memory. */
  readonly #index: FreeSpace | undefined
  #contributed: number
  #used: number
  #chunks: number

  constructor(options: {
    disk: Disk
    /** Where segments lie. */
    folder: string
    /** Where the index database lies; undefined when it is in memory. */
    indexFolder: string | undefined
    clock: Clock
    contributed: number
    used: number
    chunks: number
  }) {
    this.#disk = options.disk
    this.#folder = options.folder
    this.#segments = new FreeSpace(options)
    const { indexFolder } = options
    this.#index = indexFolder === undefined ? undefined : new FreeSpace({ ...options, folder: indexFolder })
    this.#contributed = options.contributed
    this.#used = options.used
    this.#chunks = options.chunks
  }

  /** Chunk bytes kept, those being written included. */
  get used(): number {
    return this.#used
  }

  get chunks(): number {
    return this.#chunks
  }

  setContributed(bytes: number): void {
    this.#contributed = bytes
  }

  /** `DISK_FULL` when the disk has no room for `bytes` of chunks beside the reserve. */
  checkDisk(bytes: number): Promise<void> | undefined {
    return this.#segments.take(bytes, limits.reserveBytes)
  }

  /**
   * `DISK_FULL` when the log or the index may not have room for records. Asked before anything is written:
   * what the log has but the index cannot take would come to count later, after its writer was refused.
   */
  async checkRecords(bytes: number): Promise<void> {
    await this.#segments.take(bytes, limits.recordRoomBytes)
    await this.#index?.take(bytes, limits.recordRoomBytes)
  }

  /** Takes `bytes` of the contributed space, or fails with `QUOTA_FULL`. */
  reserve(bytes: number, chunks: number, what: string): void {
    if (bytes > 0 && this.#used + bytes > this.#contributed)
      throw contributionFull(this.#contributed, what, bytes)
    this.#used += bytes
    this.#chunks += chunks
  }

  release(bytes: number, chunks: number): void {
    this.#used -= bytes
    this.#chunks -= chunks
  }

  /** What was taken for lost is here after all. */
  restore(bytes: number, chunks: number): void {
    this.#used += bytes
    this.#chunks += chunks
  }

  free(): Promise<number> {
    return this.#disk.freeBytes(this.#folder)
  }
}
