/**
 * Reads a segment's entries in order. Damage below what is known to have been synced is reported
 * and skipped to the next good header; behind that point the first bad entry is where a crash tore
 * the tail, and reading ends there.
 */
import type { DiskFile } from '../base/disk.ts'
import { hash } from '../codec/hash.ts'
import { ReadWindow } from './read-window.ts'
import {
  entryHeaderBytes,
  entryMagic,
  fileHeaderBytes,
  type EntryCodec,
  type EntryHeader,
  type Location,
} from './segment-format.ts'

export interface ScannedEntry {
  header: EntryHeader
  location: Location
  /** Of every kind but chunks: those are read when asked for. */
  payload: Buffer | undefined
}

export interface ScanOptions {
  file: DiskFile
  codec: EntryCodec
  segment: number
  /** Where to begin: at an entry's header. */
  from: number
  /** Bytes of the file that count. */
  end: number
  /** The segment is known to be on the disk up to here: what is bad below is damage, not a torn tail. */
  durableTo: number
  onDamage: (offset: number) => void
  /** Compare chunks with their ids, too. */
  thorough?: boolean
}

/** Yields the good entries; returns the offset where the log goes on. */
export async function* scanSegment(options: ScanOptions): AsyncGenerator<ScannedEntry, number> {
  const { codec, segment, end, onDamage, thorough = false } = options
  const window = new ReadWindow(options.file, end)
  let durableTo = options.durableTo
  let offset = Math.max(options.from, fileHeaderBytes)
  let commit: ScannedEntry[] = []
  let commitStart = offset
  while (offset < end) {
    const entry = await readEntry(window, codec, segment, offset, thorough || offset >= durableTo)
    if (entry === undefined) {
      if (offset >= (durableTo = await knownDurable(window, codec, segment, offset, durableTo))) break
      onDamage(offset)
      offset = await nextHeader(window, codec, segment, offset + 1)
      continue
    }
    durableTo = Math.max(durableTo, entry.header.durableTo)
    commit.push(entry)
    offset = entry.location.offset + entry.header.length
    if (entry.header.more) continue
    yield* commit
    commit = []
    commitStart = offset
  }
  // A commit whose end is missing was never acknowledged, unless damage took its end.
  if (commitStart < durableTo) yield* commit
  return commit.length > 0 && commitStart >= durableTo ? commitStart : offset
}

/** The whole entry at `offset`, its payload compared with its hash; a chunk's only when `thorough`. */
async function readEntry(
  window: ReadWindow,
  codec: EntryCodec,
  segment: number,
  offset: number,
  thorough: boolean,
): Promise<ScannedEntry | undefined> {
  const header = codec.decode(await window.bytes(offset, entryHeaderBytes), segment, offset)
  if (header === undefined) return undefined
  const location = { segment, offset: offset + entryHeaderBytes, length: header.length }
  if (location.offset + header.length > window.end) return undefined
  if (header.kind === 'chunk' && !thorough) return { header, location, payload: undefined }
  const payload = await window.bytes(location.offset, header.length)
  if (!hash(payload).equals(header.hash)) return undefined
  return { header, location, payload: header.kind === 'chunk' ? undefined : payload }
}

/** A later entry may prove that the segment was on the disk beyond `offset` when it was written. */
async function knownDurable(
  window: ReadWindow,
  codec: EntryCodec,
  segment: number,
  offset: number,
  durableTo: number,
): Promise<number> {
  let known = durableTo
  let at = offset
  while (known <= offset && (at = await nextHeader(window, codec, segment, at + 1)) < window.end) {
    const header = codec.decode(await window.bytes(at, entryHeaderBytes), segment, at)
    if (header !== undefined) known = Math.max(known, header.durableTo)
  }
  return known
}

/** Offset of the next good entry header at or after `from`; the end when there is none. */
async function nextHeader(
  window: ReadWindow,
  codec: EntryCodec,
  segment: number,
  from: number,
): Promise<number> {
  let offset = await window.find(entryMagic, from)
  while (offset !== undefined && offset + entryHeaderBytes <= window.end) {
    if (codec.decode(await window.bytes(offset, entryHeaderBytes), segment, offset) !== undefined)
      return offset
    offset = await window.find(entryMagic, offset + 1)
  }
  return window.end
}
