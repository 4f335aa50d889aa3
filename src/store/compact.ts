/**
 * Gives the space of dead chunks back: copies what is live out of a segment that is under half
 * live, syncs and indexes the copies, marks the segment retired, then removes its file. A crash at
 * any step leaves either the old place, both, or the new one.
 */
import { join } from 'node:path'
import type { Disk } from '../base/disk.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import { idOf, type ChunkId, type RecordHash } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { decodeBatch } from '../codec/record-bytes.ts'
import type { Pin } from './chunk-store.ts'
import type { InFlight } from './in-flight.ts'
import type { IndexOp } from './index-group.ts'
import type { IndexWriter } from './index-thread.ts'
import {
  chunkEntry,
  dropEntries,
  lastOf,
  movedBatchEntry,
  pinEntries,
  releaseEntries,
} from './log-entries.ts'
import {
  decodePins,
  entryHeaderBytes,
  idsIn,
  segmentFile,
  type EntryCodec,
  type Location,
} from './segment-format.ts'
import type { NewEntry } from './segment-log.ts'
import type { SegmentReader } from './segment-reader.ts'
import { scanSegment, type ScannedEntry } from './segment-scan.ts'
import type { SqliteReader } from './sqlite-reader.ts'

type Segment = ReturnType<SqliteReader['segments']>[number]

/** Bytes copied before the next look at the signal. */
const stepBytes = 4 * 1024 * 1024

export interface CompactionParts {
  disk: Disk
  folder: string
  codec: EntryCodec
  log: Log
  index: IndexWriter
  read: SqliteReader
  files: SegmentReader
  inFlight: InFlight
  /** The segment that is being written; never compacted. */
  currentSegment: number
  /** Appends entries; durable and indexed when it resolves. */
  append: (entries: readonly NewEntry[], ops?: readonly IndexOp[]) => Promise<void>
  drop: (id: ChunkId) => Promise<void>
  /** Settles what of some chunks can be read, `Verifier.chunks`. */
  verify: (ids: readonly ChunkId[]) => Promise<unknown>
  /** Resolves when everything appended before is indexed. */
  settle: () => Promise<void>
}

/** Compacts one segment and gives the bytes that the disk has back; 0 when none is worth it. */
export async function compactSegment(parts: CompactionParts, signal: AbortSignal): Promise<number> {
  const worst = worstSegment(parts)
  if (worst === undefined) return 0
  const { number: segment } = worst
  let copied = 0
  let step: ScannedEntry[] = []
  let bytes = 0
  for await (const entry of entriesOf(parts, segment)) {
    signal.throwIfAborted()
    step.push(entry)
    bytes += entry.header.length
    if (bytes < stepBytes) continue
    copied += await copyLive(parts, step)
    step = []
    bytes = 0
  }
  copied += await copyLive(parts, step)
  // What the index still finds there lies behind a damaged header: written once more, or not here any more.
  await parts.verify(parts.read.chunksIn(segment))
  if (parts.read.hasQuarantined(segment)) return 0
  for (const id of parts.read.chunksIn(segment)) await parts.drop(id)
  await parts.append([], [{ op: 'retire-segment', segment }])
  await removeSegment(parts, segment)
  return Math.max(1, worst.bytes - copied)
}

/** Removes a retired segment's file, then its row. */
export async function removeSegment(
  { disk, folder, files, index }: Pick<CompactionParts, 'disk' | 'folder' | 'files' | 'index'>,
  segment: number,
): Promise<void> {
  await files.forget(segment)
  await disk.remove(join(folder, segmentFile(segment)))
  await disk.syncFolder(folder)
  await index.apply({ ops: [{ op: 'forget-segment', segment }] })
}

function worstSegment({ read, currentSegment }: CompactionParts): Segment | undefined {
  return (
    read
      .segments()
      .filter((segment) => segment.number < currentSegment && !segment.retired)
      // The only copy of a chunk, damaged as it is, stays until a good one has come.
      .filter(({ number }) => !read.hasQuarantined(number))
      .filter(({ bytes, dead }) => dead > bytes * (1 - limits.segmentLiveMin))
      .sort((a, b) => b.dead / b.bytes - a.dead / a.bytes)[0]
  )
}

async function* entriesOf(parts: CompactionParts, segment: number): AsyncGenerator<ScannedEntry> {
  const file = await parts.disk.open(join(parts.folder, segmentFile(segment)), 'read')
  const bytes = parts.read.segments().find(({ number }) => number === segment)?.bytes ?? 0
  const end = Math.min(bytes, await file.size())
  const onDamage = (offset: number): void =>
    parts.log.error('a segment is damaged', { segment: segmentFile(segment), offset })
  try {
    yield* scanSegment({ file, codec: parts.codec, segment, from: 0, end, durableTo: end, onDamage })
  } finally {
    await file.close()
  }
}

interface Loaded {
  entry: ScannedEntry
  /** Of a live chunk: its bytes. */
  bytes?: Buffer
}

/** Copies those of `entries` that still say something; gives their bytes. */
async function copyLive(parts: CompactionParts, entries: readonly ScannedEntry[]): Promise<number> {
  const loaded: Loaded[] = []
  for (const entry of entries) {
    const bytes = await liveChunk(parts, entry)
    loaded.push(bytes === undefined ? { entry } : { entry, bytes })
  }
  // A release on its way could be undone by a pin copied behind it.
  while (parts.inFlight.isReleasing()) await parts.settle()
  // From here to the append nothing waits: what is live now is written behind all that made it so.
  const copies = loaded.flatMap(({ entry, bytes }) => copiesOf(parts, entry, bytes))
  if (copies.length > 0) await parts.append(copies)
  return copies.reduce((sum, { payload }) => sum + entryHeaderBytes + payload.length, 0)
}

/** The bytes of a chunk entry when the index points to it. Damaged ones go into quarantine. */
async function liveChunk(
  parts: CompactionParts,
  { header, location }: ScannedEntry,
): Promise<Buffer | undefined> {
  if (header.kind !== 'chunk') return undefined
  const id = idOf<ChunkId>(header.hash)
  if (!isAt(parts.read.place(id), location)) return undefined
  const bytes = await parts.files.read(location)
  if (hash(bytes).equals(header.hash)) return bytes
  await parts.verify([id])
  return undefined
}

function copiesOf(parts: CompactionParts, entry: ScannedEntry, bytes: Buffer | undefined): NewEntry[] {
  const { header, location, payload } = entry
  switch (header.kind) {
    case 'chunk':
      return bytes === undefined ? [] : chunkCopies(parts, idOf<ChunkId>(header.hash), location, bytes)
    case 'batch':
      return batchCopies(parts, location, payload!)
    case 'pins': {
      const { pin, ids } = decodePins(payload!)
      return pinEntries(
        ids.filter((id) => isPinned(parts, id, pin)).map((id) => ({ id, pin })),
        true,
      )
    }
    case 'releases': {
      // An older segment may still hold the pin that fell.
      const { pin, ids } = decodePins(payload!)
      return releaseEntries(ids.filter((id) => !isPinned(parts, id, pin)).map((id) => ({ id, pin })))
    }
    default:
      // A chunk dropped: an older segment may still hold the bytes.
      return dropEntries(idsIn(payload!).filter((id) => isGone(parts, id)))
  }
}

function chunkCopies(parts: CompactionParts, id: ChunkId, location: Location, bytes: Buffer): NewEntry[] {
  if (!isAt(parts.read.place(id), location) || parts.inFlight.isDropping(id)) return []
  // Its pins lie in entries of their own, which are copied when their segment's turn comes.
  return [chunkEntry({ id, bytes })]
}

function batchCopies(parts: CompactionParts, location: Location, payload: Buffer): NewEntry[] {
  const last: RecordHash = lastOf(decodeBatch(payload))
  return isAt(parts.read.batchPlace(last), location) ? [movedBatchEntry(last, payload)] : []
}

function isPinned({ read, inFlight }: CompactionParts, id: ChunkId, pin: Pin): boolean {
  if (inFlight.isDropping(id) || !read.hasChunk(id)) return false
  return read.pins(id).some(({ folder, device }) => folder === pin.folder && device === pin.device)
}

function isGone({ read, inFlight }: CompactionParts, id: ChunkId): boolean {
  return !read.hasChunk(id) && inFlight.arriving(id) === undefined
}

function isAt(place: Location | undefined, { segment, offset }: Location): boolean {
  return place !== undefined && place.segment === segment && place.offset === offset
}
