/** Room for chunks: the contributed space is a hard limit, and the disk keeps a reserve for metadata and deletes. */
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** How long an answer of the file system about its free space is used. */
const freeFreshMs = 1000

export class Space {
  readonly #disk: Disk
  readonly #folder: string
  readonly #clock: Clock
  #contributed: number
  #used: number
  #chunks: number
  #free = 0
  #freeAsked = Number.NEGATIVE_INFINITY

  constructor(options: {
    disk: Disk
    folder: string
    clock: Clock
    contributed: number
    used: number
    chunks: number
  }) {
    this.#disk = options.disk
    this.#folder = options.folder
    this.#clock = options.clock
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

  /** `DISK_FULL` when the disk has no room for `bytes` beside the reserve. */
  checkDisk(bytes: number): Promise<void> | undefined {
    const now = this.#clock.monotonicMs()
    if (now - this.#freeAsked > freeFreshMs || this.#free < bytes + 2 * limits.reserveBytes)
      return this.#askDisk(bytes)
    this.#free -= bytes
    return undefined
  }

  async #askDisk(bytes: number): Promise<void> {
    this.#free = await this.#disk.freeBytes(this.#folder)
    this.#freeAsked = this.#clock.monotonicMs()
    if (this.#free < bytes + limits.reserveBytes) throw fail('DISK_FULL', { path: this.#folder })
    this.#free -= bytes
  }

  /** Takes `bytes` of the contributed space, or fails with `QUOTA_FULL`. */
  reserve(bytes: number, chunks: number, what: string): void {
    if (bytes > 0 && this.#used + bytes > this.#contributed)
      throw fail('QUOTA_FULL', { limit: this.#contributed, what, needed: bytes })
    this.#used += bytes
    this.#chunks += chunks
  }

  release(bytes: number, chunks: number): void {
    this.#used -= bytes
    this.#chunks -= chunks
  }

  free(): Promise<number> {
    return this.#disk.freeBytes(this.#folder)
  }
}
