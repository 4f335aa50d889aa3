/** Positional reads from segment files, which are kept open while they are in use. */
import { join } from 'node:path'
import type { Disk, DiskFile } from '../base/disk.ts'
import { fail } from '../base/errors.ts'
import { segmentFile, type Location } from './segment-format.ts'

const openFiles = 32
/** Small payloads that lie this near to each other are read in one go. */
const gapBytes = 16 * 1024
const smallBytes = 64 * 1024
const joinedBytes = 1024 * 1024

export class SegmentReader {
  readonly #disk: Disk
  readonly #folder: string
  /** Least recently used first. */
  readonly #files = new Map<number, Promise<DiskFile>>()

  constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  /** The payload at `location`, on memory of its own. */
  async read(location: Location): Promise<Buffer> {
    const bytes = await this.#readOnce(location).catch(() => {
      // Its file may have been closed for another one just now.
      void this.forget(location.segment)
      return this.#readOnce(location)
    })
    if (bytes.length < location.length)
      throw fail('SEGMENT_DAMAGED', { name: segmentFile(location.segment), offset: location.offset })
    return bytes
  }

  /**
   * Payloads in the order of their places; several small neighbours cost one read. What could not
   * be read goes to `missed`.
   */
  async *readAll<T extends { location: Location }>(
    wanted: readonly T[],
    missed: T[],
  ): AsyncGenerator<{ item: T; bytes: Buffer }> {
    for (const run of neighbours(wanted)) {
      const first = run[0]!.location
      const last = run.at(-1)!.location
      const whole = { ...first, length: last.offset + last.length - first.offset }
      const bytes = await this.read(whole).catch(() => undefined)
      if (bytes === undefined) missed.push(...run)
      else
        for (const item of run)
          yield { item, bytes: run.length === 1 ? bytes : part(bytes, item.location, first) }
    }
  }

  /** Closes a segment's file: it is going away, or could not be read. */
  async forget(segment: number): Promise<void> {
    const file = this.#files.get(segment)
    this.#files.delete(segment)
    await closeQuietly(file)
  }

  async close(): Promise<void> {
    for (const segment of this.#files.keys()) await this.forget(segment)
  }

  async #readOnce({ segment, offset, length }: Location): Promise<Buffer> {
    return (await this.#file(segment)).read(offset, length)
  }

  #file(segment: number): Promise<DiskFile> {
    const open = this.#files.get(segment) ?? this.#disk.open(join(this.#folder, segmentFile(segment)), 'read')
    this.#files.delete(segment)
    this.#files.set(segment, open)
    open.catch(() => this.#files.delete(segment))
    if (this.#files.size > openFiles) this.#closeOldest()
    return open
  }

  #closeOldest(): void {
    const [oldest] = this.#files
    if (oldest === undefined) return
    this.#files.delete(oldest[0])
    void closeQuietly(oldest[1])
  }
}

/** Reads under way on the file end first; a file that never opened needs no closing. */
async function closeQuietly(file: Promise<DiskFile> | undefined): Promise<void> {
  try {
    await (await file)?.close()
  } catch {
    // Opened for reading alone: nothing can be lost by closing it.
  }
}

/** `wanted` by place, cut where a joined read would not pay. */
function neighbours<T extends { location: Location }>(wanted: readonly T[]): T[][] {
  const sorted = [...wanted].sort(
    (a, b) => a.location.segment - b.location.segment || a.location.offset - b.location.offset,
  )
  const runs: T[][] = []
  for (const item of sorted) {
    const run = runs.at(-1)
    if (run !== undefined && joins(run, item)) run.push(item)
    else runs.push([item])
  }
  return runs
}

function joins<T extends { location: Location }>(run: readonly T[], next: T): boolean {
  const first = run[0]!.location
  const last = run.at(-1)!.location
  const { location } = next
  if (location.segment !== first.segment) return false
  if (Math.max(location.length, last.length) > smallBytes) return false
  const gap = location.offset - (last.offset + last.length)
  return gap >= 0 && gap <= gapBytes && location.offset + location.length - first.offset <= joinedBytes
}

/** One payload out of a joined read that began at `first`, on memory of its own. */
function part(joined: Buffer, { offset, length }: Location, first: Location): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  joined.copy(bytes, 0, offset - first.offset, offset - first.offset + length)
  return bytes
}
