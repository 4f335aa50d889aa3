/**
 * Reads a segment's entries in order. Damage below what is known to have been synced is reported
 * and skipped to the next good header; behind that point the first bad entry is where a crash tore
 * the tail, and reading ends there.
 */
import type { DiskFile } from '../base/disk.ts'
import { hash } from '../codec/hash.ts'
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
}

const windowBytes = 256 * 1024

/** Yields the good entries; returns the offset where the log goes on. */
export async function* scanSegment(options: ScanOptions): AsyncGenerator<ScannedEntry, number> {
  const { codec, segment, end, onDamage } = options
  const window = new Window(options.file, end)
  let durableTo = options.durableTo
  let offset = Math.max(options.from, fileHeaderBytes)
  let commit: ScannedEntry[] = []
  let commitStart = offset
  while (offset < end) {
    const entry = await readEntry(window, codec, segment, offset, offset >= durableTo)
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
  window: Window,
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
  window: Window,
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
async function nextHeader(window: Window, codec: EntryCodec, segment: number, from: number): Promise<number> {
  let offset = from
  while (offset + entryHeaderBytes <= window.end) {
    const bytes = await window.bytes(offset, Math.min(windowBytes, window.end - offset))
    const found = bytes.indexOf(entryMagic)
    if (found === -1) {
      offset += bytes.length - (entryMagic.length - 1)
      continue
    }
    offset += found
    if (codec.decode(await window.bytes(offset, entryHeaderBytes), segment, offset) !== undefined)
      return offset
    offset += 1
  }
  return window.end
}

/** Reads ahead, so that small entries cost no system call each. */
class Window {
  readonly #file: DiskFile
  readonly end: number
  #start = 0
  #bytes: Buffer = Buffer.alloc(0)

  constructor(file: DiskFile, end: number) {
    this.#file = file
    this.end = end
  }

  /** Up to `length` bytes from `offset`; valid until the next call. */
  async bytes(offset: number, length: number): Promise<Buffer> {
    const wanted = Math.min(length, this.end - offset)
    const inside = offset >= this.#start && offset + wanted <= this.#start + this.#bytes.length
    if (!inside) {
      this.#bytes = await this.#file.read(offset, Math.min(Math.max(wanted, windowBytes), this.end - offset))
      this.#start = offset
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + wanted)
  }
}
