/** This device's disk as a `Store`: the segment log, the index that follows it, and the space it may use. */
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { asPeerStorError, fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { CallOptions, ChunkId, DatabaseId, RecordHash } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { decodeBatch, isWhole } from '../codec/record-bytes.ts'
import type { Batch } from '../codec/record.ts'
import type { ChunkToPut, FoundChunk, OwnChunkStore, Pin } from './chunk-store.ts'
import { compactSegment, type CompactionParts } from './compact.ts'
import { InFlight, opsOf } from './in-flight.ts'
import type { IndexOp } from './index-group.ts'
import type { IndexWriter } from './index-thread.ts'
import { batchEntry, chunkEntry, dropEntries, lastOf, pinEntries, releaseEntries } from './log-entries.ts'
import { OwnRowStore } from './own-rows.ts'
import {
  entryHeaderBytes,
  segmentFile,
  type EntryCodec,
  type Location,
  type Position,
} from './segment-format.ts'
import type { NewEntry, SegmentLog } from './segment-log.ts'
import type { SegmentReader } from './segment-reader.ts'
import type { Space } from './space.ts'
import type { SpareCopies } from './spare-copies.ts'
import type { PlacedChunk, SqliteReader } from './sqlite-reader.ts'
import { failWhenFull } from './sqlite.ts'
import type { Verifier } from './verifier.ts'
import { DiskVerifier } from './verify.ts'
import type { Group, HeldChunk, IndexWrite, OwnState, StorageUse, Store } from './store.ts'

/** Bytes of chunks that are appended as one item. */
const stageBytes = 4 * 1024 * 1024
const listPage = 1000

export interface LocalStoreParts {
  disk: Disk
  clock: Clock
  folder: string
  codec: EntryCodec
  log: Log
  index: IndexWriter
  read: SqliteReader
  files: SegmentReader
  space: Space
  spare: SpareCopies
  /** Makes the append side; synced groups go to `onGroup`. */
  openLog: (onGroup: (ops: IndexOp[], position: Position) => Promise<void>) => SegmentLog
}

export class LocalStore implements Store {
  readonly database: DatabaseId
  readonly chunks: OwnChunkStore
  readonly verifier: Verifier
  readonly read: SqliteReader
  readonly own: OwnState
  readonly #parts: LocalStoreParts
  readonly #log: SegmentLog
  readonly #inFlight = new InFlight()
  /** Their space is taken, and nothing of them written. */
  readonly #held = new Set<HeldChunk>()
  #closed = false

  constructor(parts: LocalStoreParts) {
    this.#parts = parts
    this.database = parts.index.state.database
    this.read = parts.read
    this.own = new OwnRowStore(parts.index.ownRows, (kind, id, value) =>
      parts.index.putOwn(kind, id, value).catch((thrown: unknown) => failWhenFull(thrown)),
    )
    this.#log = parts.openLog((ops, position) => this.#takeGroup(ops, position))
    this.chunks = {
      has: (ids) => Promise.resolve(ids.map((id) => this.has(id))),
      get: (ids, options) => this.#get(ids, options),
      put: async (chunks) => {
        await Promise.all([...(await this.#stage(chunks)), this.commit({})])
      },
      list: (prefix, options) => this.#list(prefix, options?.after),
      drop: (ids, may) => this.#drop(ids, may),
    }
    this.verifier = new DiskVerifier({
      ...parts,
      pool: parts.index.state.pool,
      currentSegment: () => this.#log.currentSegment,
      rewrite: (chunk, bytes) => this.#rewrite(chunk, bytes),
      pinAgain: (ids) => this.#pinAgain(ids),
    })
  }

  has(id: ChunkId): boolean {
    return !this.#inFlight.isDropping(id) && this.read.hasChunk(id)
  }

  async stage(chunks: readonly ChunkToPut[]): Promise<void> {
    await Promise.all(await this.#stage(chunks))
  }

  async hold(chunk: ChunkToPut): Promise<HeldChunk> {
    const { id, bytes } = chunk
    const { space } = this.#parts
    checkSize(id, bytes)
    await space.checkDisk(bytes.length)
    space.reserve(bytes.length, 1, `chunk ${id}`)
    const release = (): void => {
      if (this.#held.delete(held)) space.release(bytes.length, 1)
    }
    const held: HeldChunk = { ...chunk, release }
    this.#held.add(held)
    return held
  }

  async commit(group: Group): Promise<void> {
    await this.#checkRoom(group)
    await this.#arrivals(group.chunks ?? [])
    const pins = group.pins ?? []
    for (const { id } of pins) if (!this.#isHere(id)) throw fail('CHUNK_UNAVAILABLE', { id, count: 0 })
    const chunks = this.#absent(group.chunks ?? [])
    const batches = (group.batches ?? []).filter((batch) => this.#isNews(batch))
    const entries = [
      ...chunks.map(chunkEntry),
      ...pinEntries([...pins, ...pinsOf(group.chunks ?? [])]),
      ...releaseEntries(group.releases ?? []),
      ...batches.map(batchEntry),
      ...dropEntries(this.#droppable(group.drops ?? [])),
    ]
    // Once written they keep their space, even if the commit fails: the bytes may be there after all.
    const onWritten = (): void => chunks.forEach((chunk) => this.#held.delete(chunk))
    await this.#append(entries, true, group.index ?? [], onWritten)
    this.#parts.spare.keep(batches)
  }

  /**
   * Waits until the same chunks of other writers are written. If a write of theirs failed after this commit
   * was appended, its records would name a chunk that is not here.
   */
  async #arrivals(chunks: readonly HeldChunk[]): Promise<void> {
    const ended = new Set<Promise<void>>()
    for (;;) {
      const arriving = chunks
        .flatMap(({ id }) => this.#inFlight.arriving(id) ?? [])
        .filter((written) => !ended.has(written))
      if (arriving.length === 0) return
      await Promise.allSettled(arriving)
      for (const written of arriving) ended.add(written)
    }
  }

  /** Those of `chunks` that are not here, each once. */
  #absent(chunks: readonly HeldChunk[]): HeldChunk[] {
    const absent = new Map(chunks.map((chunk) => [chunk.id, chunk]))
    return [...absent.values()].filter(({ id }) => !this.#isHere(id))
  }

  /** From its answer on nothing waits: what is here or news is decided in the step that appends. */
  async #checkRoom({
    batches = [],
    pins = [],
    releases = [],
    drops = [],
    chunks = [],
  }: Group): Promise<void> {
    if (batches.length + pins.length + releases.length + drops.length + chunks.length === 0) return
    await this.#parts.space.checkRecords(batches.reduce((sum, { bytes }) => sum + bytes.length, 0))
  }

  async index(writes: readonly IndexWrite[]): Promise<void> {
    if (writes.length > 0)
      await this.#parts.index.apply({ ops: writes }).catch((thrown: unknown) => failWhenFull(thrown))
  }

  async batch(last: RecordHash): Promise<Batch> {
    const place = this.read.batchPlace(last)
    if (place === undefined) throw fail('RECORD_UNKNOWN', { hash: last })
    try {
      return decodeBatch(await this.#checked(place, () => this.read.batchPlace(last)))
    } catch (thrown) {
      // From now on it counts as one whose bodies are missing: taken in again from whoever has it.
      if (!isCode(thrown, 'SEGMENT_DAMAGED')) throw thrown
      await this.#parts.index.apply({ ops: [{ op: 'damaged-batch', last }] })
      const spare = await this.#parts.spare.batch(last)
      if (spare === undefined) throw thrown
      await this.#bringBack([spare])
      return spare
    }
  }

  keepSpare(batches: readonly Batch[]): void {
    this.#parts.spare.keep(batches)
  }

  /** Stores what the segments have lost and a spare copy has; called once, when all of them were read. */
  async bringBackSpare(): Promise<void> {
    const { spare } = this.#parts
    const lost = spare.batches().filter((last) => !this.read.hasBatch(last))
    for (let from = 0; from < lost.length; from += limits.batchRecords) {
      const some = await Promise.all(
        lost.slice(from, from + limits.batchRecords).map((last) => spare.batch(last)),
      )
      await this.#bringBack(some.filter((batch) => batch !== undefined))
    }
  }

  /** Without room they stay where they are, and are tried again at the next start. */
  async #bringBack(batches: readonly Batch[]): Promise<void> {
    const { log } = this.#parts
    const count = batches.length
    if (count === 0) return
    try {
      await this.commit({ batches })
      log.warn('records were damaged on this disk and are back from their spare copies', { batches: count })
    } catch (thrown) {
      log.warn('records are damaged on this disk, and their spare copies cannot be stored', {
        batches: count,
        reason: asPeerStorError(thrown).message,
      })
    }
  }

  async batchOf(record: RecordHash): Promise<Batch> {
    const last = this.read.batchHolding(record)
    if (last === undefined) throw fail('RECORD_UNKNOWN', { hash: record })
    return this.batch(last)
  }

  setContributed(bytes: number): void {
    this.#parts.space.setContributed(bytes)
  }

  async use(): Promise<StorageUse> {
    const { space } = this.#parts
    // The folder may have gone while the peer runs.
    const freeBytes = await space.free().catch(() => undefined)
    return {
      usedBytes: space.used,
      chunks: space.chunks,
      diskBytes: this.read.segments().reduce((sum, segment) => sum + segment.bytes, 0),
      freeBytes: freeBytes ?? 0,
      away: freeBytes === undefined,
    }
  }

  /** The trouble that ended all writing, if any: for `doctor`. */
  get failed(): Error | undefined {
    return this.#log.failed
  }

  async compact(signal: AbortSignal): Promise<number> {
    const parts: CompactionParts = {
      ...this.#parts,
      currentSegment: this.#log.currentSegment,
      inFlight: this.#inFlight,
      append: (entries, ops = []) => this.#append(entries, true, ops),
      drop: (id) => this.commit({ drops: [id] }),
      verify: (ids) => this.verifier.chunks(ids),
      settle: () => this.commit({}),
    }
    return compactSegment(parts, signal)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#log.close()
    await this.#parts.files.close()
    await this.#parts.spare.close()
    if (this.#parts.index.shared === undefined) this.read.close()
    await this.#parts.index.close()
  }

  /** Whether a chunk is here, or will be when all that was appended is indexed. */
  #isHere(id: ChunkId): boolean {
    return this.#inFlight.arriving(id) !== undefined || this.has(id)
  }

  /** A batch that is not here, or brings bodies that are not. */
  #isNews(batch: Batch): boolean {
    const last = lastOf(batch)
    return !this.read.hasBatch(last) || (isWhole(batch) && this.read.isPartialBatch(last))
  }

  /** Nothing happens when it was moved or dropped meanwhile. */
  async #rewrite({ id, location }: PlacedChunk, bytes: Uint8Array): Promise<void> {
    const place = this.read.place(id)
    const moved = place?.segment !== location.segment || place.offset !== location.offset
    if (!moved && !this.#inFlight.isDropping(id)) await this.#append([chunkEntry({ id, bytes })], true, [])
  }

  async #pinAgain(ids: readonly ChunkId[]): Promise<void> {
    // A release on its way could be undone by a pin behind it.
    while (this.#inFlight.isReleasing()) await this.commit({})
    const here = ids.filter((id) => this.has(id))
    const pins = here.flatMap((id) => this.read.pins(id).map((pin) => ({ id, pin })))
    if (pins.length > 0) await this.#append(pinEntries(pins, true), true, [])
  }

  /** Appends what is not here yet and the pins; gives the writes to wait for. */
  async #stage(chunks: readonly ChunkToPut[]): Promise<Promise<void>[]> {
    for (const { id, bytes } of chunks) checkSize(id, bytes)
    let absent = chunks.filter(({ id }) => !this.#isHere(id))
    const asking = absent.length > 0 ? this.#parts.space.checkDisk(bytesOf(absent)) : undefined
    if (asking !== undefined) {
      await asking
      absent = chunks.filter(({ id }) => !this.#isHere(id))
    }
    // From here to the append nothing waits: decision, reservation and place in the log are one step.
    const fresh = new Map(absent.map((chunk) => [chunk.id, chunk]))
    const bytes = bytesOf([...fresh.values()])
    this.#parts.space.reserve(
      bytes,
      fresh.size,
      chunks.length === 1 ? `chunk ${chunks[0]!.id}` : `${chunks.length} chunks`,
    )
    const waits = chunks.flatMap(({ id }) => this.#inFlight.arriving(id) ?? [])
    for (const run of runsOf(chunks)) {
      const entries = run.flatMap((chunk) => (fresh.delete(chunk.id) ? [chunkEntry(chunk)] : []))
      const pins = pinEntries(pinsOf(run))
      waits.push(this.#append([...entries, ...pins], false, []))
    }
    return waits
  }

  /** Appends entries and keeps account of them until they are indexed. */
  #append(
    entries: readonly NewEntry[],
    durable: boolean,
    ops: readonly IndexOp[],
    onWritten?: () => void,
  ): Promise<void> {
    const chunks = entries.filter(({ kind }) => kind === 'chunk')
    const bytes = chunks.reduce((sum, { payload }) => sum + payload.length, 0)
    const appended = this.#log.append({ entries, durable, ops, onWritten })
    const inFlight = opsOf(entries)
    const done = appended.catch((thrown: unknown) => {
      this.#inFlight.end(inFlight)
      if (!durable) this.#parts.space.release(bytes, chunks.length)
      throw thrown
    })
    this.#inFlight.begin(inFlight, done)
    return done
  }

  async #drop(ids: readonly ChunkId[], may: (id: ChunkId) => boolean = () => true): Promise<ChunkId[]> {
    await this.#parts.space.checkRecords(0)
    // From here to the append nothing waits: nobody can begin to rely on them between.
    const dropped = this.#droppable(ids.filter(may))
    if (dropped.length > 0) await this.#append(dropEntries(dropped), true, [])
    return dropped
  }

  #droppable(ids: readonly ChunkId[]): ChunkId[] {
    return ids.filter((id) => {
      const place = this.read.place(id)
      if (place === undefined || !this.#inFlight.mayDrop(id)) return false
      this.#inFlight.beginDrop(id, place.length)
      return true
    })
  }

  /** A group is on the disk: the index takes it, and the accounts are settled. */
  async #takeGroup(ops: IndexOp[], position: Position): Promise<void> {
    await this.#parts.index.apply({ ops, position }).catch((thrown: unknown) => failWhenFull(thrown))
    const { bytes, chunks } = this.#inFlight.end(ops)
    this.#parts.space.release(bytes, chunks)
  }

  async *#get(ids: readonly ChunkId[], options?: CallOptions): AsyncGenerator<FoundChunk> {
    const found = [...new Set(ids)].flatMap((id) => {
      const location = this.read.place(id)
      return location === undefined ? [] : [{ id, location }]
    })
    const missed: typeof found = []
    for await (const { item, bytes } of this.#parts.files.readAll(found, missed)) {
      options?.signal?.throwIfAborted()
      yield { id: item.id, bytes }
    }
    // A segment may have been compacted since the places were looked up.
    for (const { id } of missed) {
      const place = this.read.place(id)
      const bytes = place === undefined ? undefined : await this.#readable(place)
      if (bytes !== undefined) yield { id, bytes }
    }
  }

  /** Undefined where the file ends before the payload does, or the disk cannot read it: that is not here. */
  async #readable(place: Location): Promise<Buffer | undefined> {
    try {
      return await this.#parts.files.read(place)
    } catch (thrown) {
      if (isCode(thrown, 'SEGMENT_DAMAGED') || (thrown as { code?: unknown }).code === 'EIO') return undefined
      throw thrown
    }
  }

  async *#list(prefix: string, after?: ChunkId): AsyncGenerator<ChunkId> {
    const to = prefix.padEnd(64, 'f') as ChunkId
    let last = after
    while (last === undefined || last < to) {
      const first = prefix.padEnd(64, '0') as ChunkId
      const from = last === undefined || last < first ? first : nextId(last)
      const ids = this.read.idsBetween(from, to, listPage)
      yield* ids
      if (ids.length < listPage) return
      last = ids.at(-1)
    }
  }

  /** A payload compared with its entry's hash, read once more at `again` when it was moved meanwhile. */
  async #checked(place: Location, again: () => Location | undefined): Promise<Buffer> {
    try {
      return await this.#payload(place)
    } catch (thrown) {
      const moved = again()
      if (moved === undefined || moved.segment === place.segment) throw thrown
      return this.#payload(moved)
    }
  }

  async #payload({ segment, offset, length }: Location): Promise<Buffer> {
    const { files, codec } = this.#parts
    const start = offset - entryHeaderBytes
    const damaged = (cause?: unknown): Error =>
      fail('SEGMENT_DAMAGED', { name: segmentFile(segment), offset: start }, cause)
    const entry = await files
      .read({ segment, offset: start, length: entryHeaderBytes + length })
      .catch((thrown: unknown) => {
        // Compaction leaves damaged entries behind: their segment is gone.
        throw (thrown as { code?: unknown }).code === 'ENOENT' ? damaged(thrown) : thrown
      })
    const payload = entry.subarray(entryHeaderBytes)
    const header = codec.decode(entry, segment, start)
    if (header === undefined || !hash(payload).equals(header.hash)) throw damaged()
    return payload
  }
}

/** The id behind `id` in order; `id` is not the last one. */
function nextId(id: ChunkId): ChunkId {
  return (BigInt(`0x${id}`) + 1n).toString(16).padStart(64, '0') as ChunkId
}

function checkSize(id: ChunkId, bytes: Uint8Array): void {
  if (bytes.length > limits.sealedMax)
    throw fail('TOO_LARGE', { what: `chunk ${id}`, limit: limits.sealedMax })
  if (bytes.length === 0) throw fail('INTERNAL', { reason: `chunk ${id} to be stored has no bytes` })
}

function bytesOf(chunks: readonly ChunkToPut[]): number {
  return chunks.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

function pinsOf(chunks: readonly ChunkToPut[]): { id: ChunkId; pin: Pin }[] {
  return chunks.flatMap(({ id, pins }) => pins.map((pin) => ({ id, pin })))
}

/** `chunks` in runs of a few MiB. */
function runsOf(chunks: readonly ChunkToPut[]): ChunkToPut[][] {
  const runs: ChunkToPut[][] = []
  let room = 0
  for (const chunk of chunks) {
    if (room < chunk.bytes.length) {
      runs.push([])
      room = stageBytes
    }
    runs.at(-1)!.push(chunk)
    room -= chunk.bytes.length
  }
  return runs
}
