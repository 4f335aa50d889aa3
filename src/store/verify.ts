/**
 * Reads what lies in the segments from the disk itself, past the system's caches, and compares it with what
 * the index counts on. A chunk whose bytes are wrong goes into quarantine: it counts as not here, so that a
 * good copy comes, and its bytes stay where they are until one has. Damage that touches no bytes of a chunk
 * (an entry's header, pins) is made good from the index.
 */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Disk, DiskFile } from '../base/disk.ts'
import { fail } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { idBytes, type ChunkId, type PoolId, type RecordHash } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import type { IndexOp } from './index-group.ts'
import type { IndexWriter } from './index-thread.ts'
import {
  decodeFileHeader,
  encodeFileHeader,
  entryHeaderBytes,
  fileHeaderBytes,
  segmentFile,
  type EntryCodec,
  type Location,
} from './segment-format.ts'
import { scanSegment } from './segment-scan.ts'
import type { Space } from './space.ts'
import type { PlacedChunk, SqliteReader } from './sqlite-reader.ts'
import type { SegmentLine, Verified, Verifier } from './verifier.ts'

/** Bytes of a segment that one step reads. */
const stepBytes = 4 * 1024 * 1024
/** Chunks whose pins are written again in one go. */
const pinnedAtOnce = 4096

export interface DiskVerifierParts {
  disk: Disk
  folder: string
  codec: EntryCodec
  log: Log
  clock: Clock
  index: IndexWriter
  read: SqliteReader
  space: Space
  pool: PoolId
  /** The segment that is being written. */
  currentSegment: () => number
  /** Writes a chunk that lies at `location` once more; durable and indexed when it resolves. */
  rewrite: (chunk: PlacedChunk, bytes: Uint8Array) => Promise<void>
  /** Writes the pins of some chunks once more. */
  pinAgain: (ids: readonly ChunkId[]) => Promise<void>
}

type State = 'good' | 'header' | 'wrong'

export class DiskVerifier implements Verifier {
  readonly #parts: DiskVerifierParts
  /** When the segment being read was begun, wall milliseconds, and its length then. */
  readonly #begun = new Map<number, { at: number; end: number }>()
  /** Pins may have been hit, and nobody knows of which chunks they were. */
  #pinsDoubtful = false

  constructor(parts: DiskVerifierParts) {
    this.#parts = parts
  }

  segments(): SegmentLine[] {
    return this.#parts.read.segments().filter(({ retired }) => !retired)
  }

  quarantined(): ChunkId[] {
    return this.#parts.read.quarantined().map(({ id }) => id)
  }

  verifiedAt(ids: readonly ChunkId[]): number | undefined {
    return this.#parts.read.verifiedAt(ids)
  }

  async segment(segment: number, from: number, signal: AbortSignal): Promise<Verified> {
    const begun = this.#begin(segment, from)
    if (begun === undefined) return nothing
    const file = await this.#open(segment)
    if (file === undefined) return this.#lost(segment)
    try {
      if (from === 0) await this.#mendFileHeader(file, segment)
      const found = await this.#stretch(file, segment, Math.max(from, fileHeaderBytes), begun.end, signal)
      if (found.next === undefined) await this.#verified(segment, begun)
      if (found.next === undefined && this.#pinsDoubtful) await this.#pinAgain(signal)
      return found
    } finally {
      await file.close()
    }
  }

  async chunks(ids: readonly ChunkId[]): Promise<Verified> {
    const { read } = this.#parts
    const here = read.placesOf(ids)
    const asked = new Set(ids)
    const aside = read.quarantined().filter(({ id }) => asked.has(id))
    const files = new Map<number, DiskFile | undefined>()
    const found: Findings = { ...emptyFindings(), checked: here.length + aside.length }
    try {
      for (const chunk of [...here, ...aside].sort(byPlace)) {
        const { segment, length } = chunk.location
        if (!files.has(segment)) files.set(segment, await this.#open(segment))
        const state = await this.#stateOf(files.get(segment), chunk)
        found.bytes += length
        if (aside.includes(chunk)) {
          if (state === 'good') await this.#restore(chunk)
        } else await this.#settle(chunk, state, files.get(segment), found)
      }
    } finally {
      for (const file of files.values()) await file?.close()
    }
    return this.#end(found, undefined)
  }

  #begin(segment: number, from: number): { at: number; end: number } | undefined {
    const line = this.segments().find(({ number }) => number === segment)
    if (line === undefined) return undefined
    if (from === 0 || !this.#begun.has(segment))
      this.#begun.set(segment, { at: this.#parts.clock.now(), end: line.bytes })
    return this.#begun.get(segment)
  }

  async #verified(segment: number, { at, end }: { at: number; end: number }): Promise<void> {
    this.#begun.delete(segment)
    await this.#parts.index.apply({ ops: [{ op: 'verified', segment, at, upTo: end }] })
  }

  /** Undefined when this file alone is gone; `STORAGE_MISSING` when the whole folder seems to be. */
  async #open(segment: number): Promise<DiskFile | undefined> {
    const { disk, folder, currentSegment } = this.#parts
    try {
      return await disk.open(join(folder, segmentFile(segment)), 'direct')
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== 'ENOENT') throw thrown
      const names = await disk.list(folder)
      if (!names.includes(segmentFile(currentSegment())))
        throw fail('STORAGE_MISSING', { path: folder }, thrown)
      return undefined
    }
  }

  /** A segment's file is gone: so is everything in it. */
  async #lost(segment: number): Promise<Verified> {
    const { read, log } = this.#parts
    if (this.segments().every(({ number }) => number !== segment)) return nothing
    log.error('a segment is gone', { segment: segmentFile(segment) })
    const found = emptyFindings()
    const chunks = read.chunksBetween(segment, 0, Number.MAX_SAFE_INTEGER)
    found.checked = chunks.length
    found.wrong.push(...chunks)
    for (const { last } of read.batchesBetween(segment, 0, Number.MAX_SAFE_INTEGER)) found.batches.push(last)
    this.#pinsDoubtful = true
    return this.#end(found, undefined)
  }

  /** Reads entries from `from` on, up to a step's bytes, and settles what the index counts on there. */
  async #stretch(
    file: DiskFile,
    segment: number,
    from: number,
    until: number,
    signal: AbortSignal,
  ): Promise<Verified> {
    const good = new Set<number>()
    const damage: number[] = []
    const to = await this.#walk(file, { segment, from, until, good, damage })
    signal.throwIfAborted()
    const found = { ...emptyFindings(), checked: good.size, bytes: to - from }
    await this.#compare(file, { segment, from, to, good }, found)
    await this.#noteDamage(segment, damage, found)
    return this.#end(found, to < until ? to : undefined)
  }

  /** Gives the place behind the last entry read; what cannot be read at all is settled entry by entry. */
  async #walk(
    file: DiskFile,
    { segment, from, until, good, damage }: Walk & { until: number; damage: number[] },
  ): Promise<number> {
    const end = Math.min(until, await file.size())
    const onDamage = (offset: number): void => void damage.push(offset)
    const { codec } = this.#parts
    const scan = { file, codec, segment, from, end, durableTo: end, onDamage, thorough: true }
    try {
      for await (const { location } of scanSegment(scan)) {
        good.add(location.offset)
        const behind = location.offset + location.length
        if (behind - from >= stepBytes && behind < until) return behind
      }
      if (end < until) damage.push(Math.max(from, end))
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== 'EIO') throw thrown
      this.#parts.log.error('a segment cannot be read', { segment: segmentFile(segment), offset: from })
    }
    return until
  }

  /** Chunks and batches that the index counts on in this stretch and that were not met sound. */
  async #compare(
    file: DiskFile,
    { segment, from, to, good }: Walk & { to: number },
    found: Findings,
  ): Promise<void> {
    const { read } = this.#parts
    for (const chunk of read.chunksBetween(segment, from, to)) {
      if (good.has(chunk.location.offset)) continue
      found.checked += 1
      await this.#settle(chunk, await this.#stateOf(file, chunk), file, found)
    }
    for (const { last, offset } of read.batchesBetween(segment, from, to)) {
      if (good.has(offset)) continue
      found.checked += 1
      found.batches.push(last)
    }
  }

  async #settle(
    chunk: PlacedChunk,
    state: State,
    file: DiskFile | undefined,
    found: Findings,
  ): Promise<void> {
    if (state === 'wrong') found.wrong.push(chunk)
    if (state !== 'header' || file === undefined) return
    // Written once more: without its header a new index would not find it.
    const { offset, length } = chunk.location
    const bytes = await file.read(offset, length)
    if (!hash(bytes).equals(idBytes(chunk.id))) return void found.wrong.push(chunk)
    await this.#parts.rewrite(chunk, bytes)
    found.madeGood += 1
  }

  /** Read twice before it counts as wrong: memory and cables fail too. */
  async #stateOf(file: DiskFile | undefined, chunk: PlacedChunk): Promise<State> {
    if (file === undefined) return 'wrong'
    const first = await this.#look(file, chunk)
    return first === 'wrong' ? this.#look(file, chunk) : first
  }

  async #look(file: DiskFile, { id, location }: PlacedChunk): Promise<State> {
    const { segment, offset, length } = location
    const start = offset - entryHeaderBytes
    const entry = await file.read(start, entryHeaderBytes + length).catch((thrown: unknown) => {
      if ((thrown as { code?: unknown }).code === 'EIO') return Buffer.alloc(0)
      throw thrown
    })
    if (entry.length < entryHeaderBytes + length) return 'wrong'
    if (!hash(entry.subarray(entryHeaderBytes)).equals(idBytes(id))) return 'wrong'
    const header = this.#parts.codec.decode(entry, segment, start)
    return header?.kind === 'chunk' && header.hash.equals(idBytes(id)) ? 'good' : 'header'
  }

  /** Damage that hit no chunk and no batch may have hit pins. */
  async #noteDamage(segment: number, damage: readonly number[], found: Findings): Promise<void> {
    const { read, log, index } = this.#parts
    const fresh = damage.filter((offset) => !read.isScar(segment, offset))
    if (fresh.length === 0) return
    for (const offset of fresh) log.error('a segment is damaged', { segment: segmentFile(segment), offset })
    const known = new Set(
      [...found.wrong, ...read.quarantined()].map(({ location }) => location.offset - entryHeaderBytes),
    )
    const others = fresh.filter((offset) => !known.has(offset))
    if (others.length > 0) this.#pinsDoubtful = true
    await index.apply({ ops: fresh.map((offset): IndexOp => ({ op: 'scar', segment, offset })) })
    // Those of chunks and batches were counted with them.
    found.madeGood = Math.max(found.madeGood, others.length - found.batches.length)
  }

  /** Writes all pins that the index knows once more, 32 bytes each. */
  async #pinAgain(signal: AbortSignal): Promise<void> {
    const { read, pinAgain } = this.#parts
    const last = 'f'.repeat(64) as ChunkId
    for (let from: ChunkId | undefined = '0'.repeat(64) as ChunkId; from !== undefined;) {
      signal.throwIfAborted()
      const ids: ChunkId[] = read.idsBetween(from, last, pinnedAtOnce + 1)
      from = ids[pinnedAtOnce]
      await pinAgain(ids.slice(0, pinnedAtOnce))
    }
    this.#pinsDoubtful = false
  }

  /** Without a sound file header a segment is of no pool and has no key. */
  async #mendFileHeader(file: DiskFile, segment: number): Promise<void> {
    const { disk, folder, pool, index, read, log } = this.#parts
    if (decodeFileHeader(await file.read(0, fileHeaderBytes)) !== undefined) return
    log.error('the header of a segment is damaged and is written again', { segment: segmentFile(segment) })
    const previousEnd = read.segments().find(({ number }) => number === segment - 1)?.bytes ?? 0
    const header = encodeFileHeader({ pool, number: segment, logKey: index.state.logKey, previousEnd })
    const writable = await disk.open(join(folder, segmentFile(segment)), 'write')
    try {
      await writable.write(0, [header])
      await writable.sync()
    } finally {
      await writable.close()
    }
  }

  async #end(found: Findings, next: number | undefined): Promise<Verified> {
    const { index, read, space, clock, log } = this.#parts
    const { wrong, batches, madeGood, checked, bytes } = found
    const at = clock.now()
    for (const last of batches) await index.apply({ ops: [{ op: 'damaged-batch', last }] })
    // The place is a scar from now on: when a good copy has come, nothing needs what lies there.
    const ops = wrong.flatMap(({ id, location }): IndexOp[] => [
      { op: 'quarantine', id, location, at },
      { op: 'scar', segment: location.segment, offset: location.offset - entryHeaderBytes },
    ])
    if (ops.length > 0) await index.apply({ ops })
    for (const { id, location } of wrong) {
      if (read.place(id) !== undefined) continue
      log.error('a chunk is damaged on this disk', { chunk: id })
      space.release(location.length, 1)
    }
    return { checked, bytes, chunks: wrong.map(({ id }) => id), batches, madeGood, next }
  }

  /** What was taken for damaged can be read after all. */
  async #restore({ id, location }: PlacedChunk): Promise<void> {
    const { index, read, space } = this.#parts
    await index.apply({ ops: [{ op: 'chunk', id, location }] })
    if (isAt(read.place(id), location)) space.restore(location.length, 1)
  }
}

interface Walk {
  segment: number
  from: number
  /** Places of payloads that were met sound. */
  good: Set<number>
}

interface Findings {
  checked: number
  bytes: number
  wrong: PlacedChunk[]
  batches: RecordHash[]
  madeGood: number
}

const nothing: Verified = { checked: 0, bytes: 0, chunks: [], batches: [], madeGood: 0, next: undefined }

function emptyFindings(): Findings {
  return { checked: 0, bytes: 0, wrong: [], batches: [], madeGood: 0 }
}

function byPlace({ location: a }: PlacedChunk, { location: b }: PlacedChunk): number {
  return a.segment - b.segment || a.offset - b.offset
}

function isAt(place: Location | undefined, { segment, offset }: Location): boolean {
  return place?.segment === segment && place.offset === offset
}
