/**
 * What one run of a peer's program has of the machine: its clock and its disk. When the process dies
 * nothing of it happens any more: its timers are gone, what it waited for never comes.
 */
import type { Clock } from '../../src/base/clock.ts'
import type { Disk, DiskFile, OpenMode } from '../../src/base/disk.ts'
import type { SeededRandom } from './seeded-random.ts'

export class Process implements Clock {
  readonly #world: Clock
  /** Wall time of this machine minus the world's, milliseconds. */
  readonly #skew: () => number
  readonly #timers = new Set<() => void>()
  #end: () => void = () => undefined
  readonly ended: Promise<void>
  alive = true

  constructor(world: Clock, skew: () => number) {
    this.#world = world
    this.#skew = skew
    this.ended = new Promise((resolve) => (this.#end = resolve))
  }

  die(): void {
    this.alive = false
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    this.#end()
  }

  now(): number {
    return Math.floor(this.#world.now() + this.#skew())
  }

  monotonicMs(): number {
    return this.#world.monotonicMs()
  }

  after(ms: number, run: () => void): () => void {
    if (!this.alive) return () => undefined
    const cancel = this.#world.after(ms, () => {
      this.#timers.delete(cancel)
      run()
    })
    this.#timers.add(cancel)
    return () => {
      this.#timers.delete(cancel)
      cancel()
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error)
      const abort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** The result of `work`; never, when the process is dead by then. */
  async living<T>(work: Promise<T>): Promise<T> {
    const settled = await work.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    if (!this.alive) return new Promise<never>(() => undefined)
    if ('error' in settled) throw settled.error
    return settled.value
  }
}

/** Longest time a sync takes, milliseconds. */
const syncMostMs = 12

/** A disk as one process sees it: a sync takes time, in which the power may go. */
export class ProcessDisk implements Disk {
  readonly #disk: Disk
  readonly #process: Process
  readonly #random: SeededRandom

  constructor(disk: Disk, process: Process, random: SeededRandom) {
    this.#disk = disk
    this.#process = process
    this.#random = random
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const file = await this.#do(() => this.#disk.open(path, mode))
    return {
      read: (offset, length) => this.#do(() => file.read(offset, length)),
      write: (offset, parts) => this.#do(() => file.write(offset, parts)),
      sync: () => this.#slowly(() => file.sync()),
      truncate: (length) => this.#do(() => file.truncate(length)),
      size: () => this.#do(() => file.size()),
      close: () => this.#do(() => file.close()),
    }
  }

  list(folder: string): Promise<string[]> {
    return this.#do(() => this.#disk.list(folder))
  }

  makeFolder(folder: string): Promise<void> {
    return this.#do(() => this.#disk.makeFolder(folder))
  }

  syncFolder(folder: string): Promise<void> {
    return this.#slowly(() => this.#disk.syncFolder(folder))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do(() => this.#disk.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.#do(() => this.#disk.remove(path))
  }

  freeBytes(folder: string): Promise<number> {
    return this.#do(() => this.#disk.freeBytes(folder))
  }

  async #slowly<T>(run: () => Promise<T>): Promise<T> {
    await this.#process.sleep(this.#random.number() * syncMostMs)
    return this.#do(run)
  }

  #do<T>(run: () => Promise<T>): Promise<T> {
    if (!this.#process.alive) return new Promise<never>(() => undefined)
    return this.#process.living(run())
  }
}
