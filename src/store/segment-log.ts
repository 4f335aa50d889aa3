/**
 * The append side of the segments: one queue, sequential offsets, group commit.
 *
 * Two loops run beside each other. The writer writes what is queued and moves to a new segment when
 * one is full, always after the full one was synced. The syncer takes everything written since the
 * last sync as one group, calls `fdatasync` once, hands the group to the index, then acknowledges;
 * what arrives meanwhile is the next group.
 *
 * A failed sync is never repeated on the same file, because the kernel marks the lost pages clean:
 * everything not yet synced is read back, compared with its hash and written to a new segment.
 */
import { join } from 'node:path'
import type { Disk, DiskFile } from '../base/disk.ts'
import { asPeerStorError, fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { PoolId } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import type { IndexOp } from './index-group.ts'
import {
  encodeFileHeader,
  entryHeaderBytes,
  fileHeaderBytes,
  segmentFile,
  type EntryCodec,
  type EntryKind,
  type Location,
  type Position,
} from './segment-format.ts'

/** An entry on its way to the disk. */
export interface NewEntry {
  kind: EntryKind
  hash: Buffer
  payload: Uint8Array
  /** Others will ask for it at once. */
  readSoon?: boolean | undefined
  /** What the index learns once the entry lies at `location`. */
  op: (location: Location) => IndexOp
}

/** Entries that count together or not at all. */
export interface Append {
  entries: readonly NewEntry[]
  /** Resolve only when synced and indexed; otherwise as soon as the kernel has the bytes. */
  durable: boolean
  /** Index rows of the same transaction, after those of the entries. */
  ops: readonly IndexOp[]
  /** Called when the kernel has the bytes, whatever becomes of them later. */
  onWritten?: (() => void) | undefined
}

export interface SegmentLogOptions {
  disk: Disk
  folder: string
  pool: PoolId
  logKey: Buffer
  codec: EntryCodec
  log: Log
  /** Takes a synced group into the index; the group is acknowledged when it resolves. */
  onGroup: (ops: IndexOp[], position: Position) => Promise<void>
}

export interface OpenSegment {
  number: number
  file: DiskFile
  end: number
  durableTo: number
  /** Its name is not durable yet. */
  isNew: boolean
}

/** An entry in the file; its payload is no longer held in memory. */
interface Written {
  kind: EntryKind
  hash: Buffer
  location: Location
  more: boolean
  op: NewEntry['op']
}

interface Item {
  append: Append
  written: Written[]
  resolve: () => void
  reject: (error: PeerStorError) => void
}

/** Bytes of one write at most, so that a queue of bulk chunks does not delay a commit behind it for long. */
const runBytes = 8 * 1024 * 1024
/** Payloads up to this size are copied together into one buffer instead of being parts of their own. */
const smallPayload = 16 * 1024
/** New segments tried in a row before the storage counts as failed. */
const attemptsMax = 3

export class SegmentLog {
  readonly #options: SegmentLogOptions
  #segment: OpenSegment | undefined
  #nextNumber: number
  #queue: Item[] = []
  #unsynced: Item[] = []
  /** Ops of groups that are synced but that the index could not take yet. */
  #unindexed: IndexOp[] = []
  #writerRuns = false
  #syncerRuns = false
  #syncing: Promise<void> | undefined
  #syncAll = false
  #lock: Promise<unknown> = Promise.resolve()
  #failedSyncs = 0
  #failed: PeerStorError | undefined
  /** What is appended from now on is refused with this. */
  #closed: PeerStorError | undefined

  /** Goes on in `segment`, or begins segment `nextNumber`. */
  constructor(options: SegmentLogOptions, segment: OpenSegment | undefined, nextNumber: number) {
    this.#options = options
    this.#segment = segment
    this.#nextNumber = nextNumber
  }

  /** The trouble that ended all writing, for `doctor`. */
  get failed(): PeerStorError | undefined {
    return this.#failed
  }

  /** Number of the segment that is being written. */
  get currentSegment(): number {
    return this.#segment?.number ?? this.#nextNumber
  }

  append(append: Append): Promise<void> {
    const refused = this.#failed ?? this.#closed
    if (refused !== undefined) return Promise.reject(refused)
    return new Promise((resolve, reject) => {
      this.#queue.push({ append, written: [], resolve, reject })
      if (!this.#writerRuns) void this.#writeQueue()
    })
  }

  /** Resolves when everything appended before is written and synced. */
  async close(): Promise<void> {
    try {
      const last = this.#failed === undefined && this.append({ entries: [], durable: true, ops: [] })
      // What comes later would meet a closed file, and look like a disk that fails.
      this.#closed = fail('INTERNAL', { reason: 'the store is closed' })
      await last
    } catch (thrown) {
      // Whoever waits for something was told; what is on the disk is indexed at the next start.
      this.#options.log.warn('the store closes before the index has all of it', {
        reason: this.#trouble(thrown).message,
      })
    }
    await this.#segment?.file.close()
    this.#segment = undefined
  }

  async #writeQueue(): Promise<void> {
    this.#writerRuns = true
    // Callers of the same tick share one write.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      try {
        while (!this.#fits(this.#queue[0]!)) await this.#roll()
        await this.#exclusive(() => this.#writeRun())
      } catch (thrown) {
        for (const item of this.#queue.splice(0)) item.reject(this.#trouble(thrown))
      }
    }
    this.#writerRuns = false
  }

  #fits(item: Item): boolean {
    if (this.#failed !== undefined) throw this.#failed
    const { entries } = item.append
    if (entries.length === 0) return true
    const segment = this.#segment
    if (segment === undefined) return false
    return segment.end === fileHeaderBytes || segment.end + sizeOf(entries) <= limits.segmentBytes
  }

  /** Syncs the full segment, then begins the next. */
  async #roll(): Promise<void> {
    const full = this.#segment
    await this.#syncEverything()
    if (this.#failed !== undefined) throw this.#failed
    await this.#exclusive(async () => {
      // A failed sync may have begun a new segment already.
      if (this.#segment !== full) return
      this.#segment = await this.#create(full?.end ?? 0)
      await full?.file.close()
    })
  }

  async #create(previousEnd: number): Promise<OpenSegment> {
    const { disk, folder, pool, logKey } = this.#options
    const number = this.#nextNumber
    const path = join(folder, segmentFile(number))
    const file = await disk.open(path, 'create')
    try {
      await file.write(0, [encodeFileHeader({ pool, number, logKey, previousEnd })])
    } catch (thrown) {
      await file.close()
      await disk.remove(path)
      throw thrown
    }
    this.#nextNumber = number + 1
    return { number, file, end: fileHeaderBytes, durableTo: 0, isNew: true }
  }

  /** Writes the longest run of queued items that fits this segment. */
  async #writeRun(): Promise<void> {
    const run = this.#takeRun()
    const segment = this.#segment
    if (segment === undefined) {
      this.#unsynced.push(...run)
    } else {
      const start = segment.end
      try {
        await this.#writeItems(segment, run)
      } catch (thrown) {
        const error = this.#trouble(thrown)
        for (const item of run) item.reject(error)
        await this.#cut(segment, start)
        return
      }
    }
    for (const item of run) {
      item.append.onWritten?.()
      if (!item.append.durable) item.resolve()
    }
    if (run.some((item) => item.append.durable)) this.#startSyncing()
  }

  #takeRun(): Item[] {
    let bytes = 0
    let count = 0
    for (const item of this.#queue) {
      const size = sizeOf(item.append.entries)
      if (count > 0 && (bytes + size > runBytes || !this.#fitsBehind(bytes, size))) break
      bytes += size
      count += 1
    }
    return this.#queue.splice(0, count)
  }

  #fitsBehind(bytes: number, size: number): boolean {
    return size === 0 || (this.#segment?.end ?? 0) + bytes + size <= limits.segmentBytes
  }

  async #writeItems(segment: OpenSegment, items: readonly Item[]): Promise<void> {
    const parts = new Parts()
    let offset = segment.end
    for (const { append, written } of items) {
      written.length = 0
      for (const [index, { kind, hash, payload, op }] of append.entries.entries()) {
        const more = index < append.entries.length - 1
        const header = { kind, more, hash, length: payload.length, durableTo: segment.durableTo }
        parts.add(this.#options.codec.encode(header, segment.number, offset), payload)
        const location = {
          segment: segment.number,
          offset: offset + entryHeaderBytes,
          length: payload.length,
        }
        written.push({ kind, hash, location, more, op })
        offset = location.offset + payload.length
      }
    }
    const readSoon = items.some(({ append }) => append.entries.some((entry) => entry.readSoon === true))
    if (offset > segment.end) await segment.file.write(segment.end, parts.take(), readSoon)
    // In one step: a sync that covers these bytes has these items in its group.
    segment.end = offset
    this.#unsynced.push(...items)
    // From here on the bytes are the file's: the callers' buffers are not held until the sync.
    for (const item of items) item.append = { ...item.append, entries: [] }
  }

  /** Cuts off what a failed write left, so that no part of it is ever taken for an entry. */
  async #cut(segment: OpenSegment, end: number): Promise<void> {
    try {
      await segment.file.truncate(end)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  #startSyncing(): void {
    if (!this.#syncerRuns) this.#syncing = this.#syncGroups()
  }

  /** Resolves when nothing written before is unsynced. */
  async #syncEverything(): Promise<void> {
    this.#syncAll = true
    this.#startSyncing()
    await this.#syncing
  }

  async #syncGroups(): Promise<void> {
    this.#syncerRuns = true
    while (this.#syncAll ? this.#unsynced.length > 0 : this.#unsynced.some((item) => item.append.durable)) {
      const group = this.#unsynced.splice(0)
      try {
        await this.#sync()
      } catch (thrown) {
        await this.#exclusive(() => this.#rewrite(group, thrown))
        continue
      }
      await this.#acknowledge(group)
    }
    this.#syncAll = false
    this.#syncerRuns = false
  }

  /** One `fdatasync` of everything written so far; the folder's too when the segment is new. */
  async #sync(): Promise<void> {
    const segment = this.#segment
    if (segment === undefined) return
    const { end } = segment
    if (end === segment.durableTo) return
    await segment.file.sync()
    if (segment.isNew) await this.#options.disk.syncFolder(this.#options.folder)
    segment.isNew = false
    segment.durableTo = end
    this.#failedSyncs = 0
  }

  async #acknowledge(group: readonly Item[]): Promise<void> {
    const ops = group.flatMap(({ append, written }) => [
      ...written.map((entry) => entry.op(entry.location)),
      ...append.ops,
    ])
    this.#unindexed.push(...ops)
    const position = { segment: this.#segment?.number ?? 0, offset: this.#segment?.durableTo ?? 0 }
    try {
      if (this.#unindexed.length > 0) await this.#options.onGroup(this.#unindexed, position)
      this.#unindexed = []
      for (const item of group) item.resolve()
    } catch (thrown) {
      // The group is on the disk; the index takes it with the next one, or at the next start.
      for (const item of group) item.reject(this.#trouble(thrown))
    }
  }

  /** After a failed sync: a new segment gets everything that is not known to be on the disk. */
  async #rewrite(group: readonly Item[], cause: unknown): Promise<void> {
    const items = [...group, ...this.#unsynced.splice(0)]
    const old = this.#segment
    this.#failedSyncs += 1
    this.#options.log.error('a sync of the storage failed; writing the same to a new segment', {
      segment: old?.number,
      reason: asPeerStorError(cause).message,
    })
    try {
      if (old === undefined || this.#failedSyncs >= attemptsMax) throw cause
      for (const item of items) await this.#readBack(old, item)
      const segment = await this.#create(old.durableTo)
      this.#segment = segment
      await this.#writeItems(segment, items)
      await old.file.close()
    } catch (thrown) {
      this.#fail(thrown)
      for (const item of items) item.reject(this.#trouble(thrown))
    }
  }

  /** Makes an item's entries again from the file, each compared with its hash. */
  async #readBack(old: OpenSegment, item: Item): Promise<void> {
    const entries: NewEntry[] = []
    for (const { kind, hash: expected, location, op } of item.written) {
      const payload = await old.file.read(location.offset, location.length)
      if (!hash(payload).equals(expected))
        throw fail('SEGMENT_DAMAGED', { name: segmentFile(old.number), offset: location.offset })
      entries.push({ kind, hash: expected, payload, op })
    }
    item.append = { ...item.append, entries }
  }

  #fail(thrown: unknown): void {
    this.#failed ??= this.#trouble(thrown)
    this.#options.log.error('the storage failed: nothing is written until the next start', {
      reason: this.#failed.message,
    })
  }

  #trouble(thrown: unknown): PeerStorError {
    const error = asPeerStorError(thrown)
    if (error.code !== 'INTERNAL') return error
    return fail(
      'STORAGE_FAILED',
      { path: this.#options.folder, reason: String(error.data['reason']) },
      thrown,
    )
  }

  /** Runs writes and the change of segments one after the other. */
  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#lock.then(run)
    this.#lock = result.catch(() => undefined)
    return result
  }
}

/** Bytes of entries in the file. */
function sizeOf(entries: readonly NewEntry[]): number {
  return entries.reduce((sum, entry) => sum + entryHeaderBytes + entry.payload.length, 0)
}

/** Buffers for one `writev`: small ones joined, chunk bytes as they are. */
class Parts {
  #done: Uint8Array[] = []
  #small: Uint8Array[] = []

  add(header: Uint8Array, payload: Uint8Array): void {
    this.#small.push(header)
    if (payload.length <= smallPayload) {
      this.#small.push(payload)
      return
    }
    this.#join()
    this.#done.push(payload)
  }

  take(): Uint8Array[] {
    this.#join()
    return this.#done
  }

  #join(): void {
    if (this.#small.length > 0) this.#done.push(Buffer.concat(this.#small))
    this.#small = []
  }
}
