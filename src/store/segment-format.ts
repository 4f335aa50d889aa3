/**
 * The bytes of a segment: a file header, then entries one after the other (docs/FORMAT.md).
 *
 * Entry headers are checked under the store's own random log key together with their place, so that
 * bytes inside a chunk, however chosen, are never taken for an entry after damage, nor are bytes
 * left from another place. Numbers are little-endian.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { idBytes, idOf, type ChunkId, type PoolId } from '../base/words.ts'
import { hash, keyedHash, type KeyedHash } from '../codec/hash.ts'
import type { Pin } from './chunk-store.ts'

export const segmentVersion = 1
export const fileHeaderBytes = 128
export const entryHeaderBytes = 64

const fileMagic = Buffer.from('peerseg\0')
export const entryMagic = Buffer.from('PSE1')

export interface FileHeader {
  pool: PoolId
  number: number
  /** 32 random bytes of this store, the same in all of its segments: one intact header gives it. */
  logKey: Buffer
  /** Bytes of the segment before this one that count; what lies behind was written again here. */
  previousEnd: number
}

export const entryKinds = { chunk: 1, batch: 2, pins: 3, releases: 4, dropped: 5 } as const
export type EntryKind = keyof typeof entryKinds
const kindOf = new Map<number, EntryKind>(
  Object.entries(entryKinds).map(([name, number]) => [number, name as EntryKind]),
)

export interface EntryHeader {
  kind: EntryKind
  /** Whether the next entry belongs to the same commit: both count or neither. */
  more: boolean
  /** Payload bytes behind the header. */
  length: number
  /** When this was written, the segment up to here was on the disk for good. */
  durableTo: number
  /** BLAKE3 of the payload; of a sealed chunk that is its id. */
  hash: Buffer
}

/** Where a payload lies. */
export interface Location {
  segment: number
  /** Of the payload, behind its header. */
  offset: number
  length: number
}

/** How far the log is on the disk, and the index may follow it. */
export interface Position {
  segment: number
  offset: number
}

/** Longest payload of each kind. */
export const payloadMax: Record<EntryKind, number> = {
  chunk: limits.sealedMax,
  batch: limits.batchBytes,
  pins: limits.batchBytes,
  releases: limits.batchBytes,
  dropped: limits.batchBytes,
}

const segmentName = /^seg-(\d{8})\.log$/

export function segmentFile(number: number): string {
  return `seg-${String(number).padStart(8, '0')}.log`
}

/** The number of a segment's file name; undefined for any other file. */
export function segmentNumber(name: string): number | undefined {
  const match = segmentName.exec(name)
  return match === null ? undefined : Number(match[1])
}

export function encodeFileHeader(header: FileHeader): Buffer {
  const bytes = Buffer.alloc(fileHeaderBytes)
  fileMagic.copy(bytes, 0)
  bytes.writeUInt32LE(segmentVersion, 8)
  bytes.writeBigUInt64LE(BigInt(header.number), 16)
  bytes.writeBigUInt64LE(BigInt(header.previousEnd), 24)
  idBytes(header.pool).copy(bytes, 32)
  header.logKey.copy(bytes, 64)
  hash(bytes.subarray(0, 96)).copy(bytes, 96)
  return bytes
}

/** Reads a file header; undefined when it is damaged, `FORMAT_UNKNOWN` when it is newer than this program. */
export function decodeFileHeader(bytes: Buffer): FileHeader | undefined {
  if (bytes.length < fileHeaderBytes || !bytes.subarray(0, 8).equals(fileMagic)) return undefined
  if (!hash(bytes.subarray(0, 96)).equals(bytes.subarray(96, 128))) return undefined
  const version = bytes.readUInt32LE(8)
  if (version !== segmentVersion)
    throw fail('FORMAT_UNKNOWN', { what: 'a segment', found: version, known: segmentVersion })
  return {
    number: Number(bytes.readBigUInt64LE(16)),
    previousEnd: Number(bytes.readBigUInt64LE(24)),
    pool: idOf<PoolId>(bytes.subarray(32, 64)),
    logKey: Buffer.from(bytes.subarray(64, 96)),
  }
}

/** Writes and reads the headers of one store's entries. */
export class EntryCodec {
  readonly #check: KeyedHash
  readonly #place = Buffer.alloc(16)

  constructor(logKey: Uint8Array) {
    this.#check = keyedHash(logKey)
  }

  encode(header: EntryHeader, segment: number, offset: number): Buffer {
    const bytes = Buffer.alloc(entryHeaderBytes)
    entryMagic.copy(bytes, 0)
    bytes[4] = entryKinds[header.kind]
    bytes[5] = header.more ? 1 : 0
    bytes.writeUInt32LE(header.length, 8)
    bytes.writeUInt32LE(header.durableTo, 12)
    header.hash.copy(bytes, 16)
    this.#seal(bytes.subarray(0, 48), segment, offset).copy(bytes, 48, 0, 16)
    return bytes
  }

  /** The header at the start of `bytes`, which lie at `offset` of a segment; undefined when there is none. */
  decode(bytes: Buffer, segment: number, offset: number): EntryHeader | undefined {
    if (bytes.length < entryHeaderBytes || !bytes.subarray(0, 4).equals(entryMagic)) return undefined
    const expected = this.#seal(bytes.subarray(0, 48), segment, offset)
    if (!expected.subarray(0, 16).equals(bytes.subarray(48, 64))) return undefined
    const kind = kindOf.get(bytes[4]!)
    const length = bytes.readUInt32LE(8)
    if (kind === undefined || length > payloadMax[kind]) return undefined
    return {
      kind,
      more: bytes[5] === 1,
      length,
      durableTo: bytes.readUInt32LE(12),
      hash: Buffer.from(bytes.subarray(16, 48)),
    }
  }

  #seal(bytes: Buffer, segment: number, offset: number): Buffer {
    this.#place.writeBigUInt64LE(BigInt(segment), 0)
    this.#place.writeBigUInt64LE(BigInt(offset), 8)
    return this.#check(bytes, this.#place)
  }
}

/** Chunks that got, or lost, one pin. */
export interface PinList {
  pin: Pin
  ids: readonly ChunkId[]
}

/** Most ids in one entry, so that it stays small beside the chunks. */
export const idsPerEntry = 8192

/** Folder, device, then the ids: 32 bytes each. */
export function encodePins(list: PinList): Buffer {
  return Buffer.from(list.pin.folder + list.pin.device + list.ids.join(''), 'hex')
}

export function decodePins(payload: Buffer): PinList {
  const [folder, device, ...ids] = idsIn(payload)
  if (folder === undefined || device === undefined)
    throw fail('INTERNAL', { reason: 'a pins entry is short' })
  return {
    pin: { folder: folder as string as Pin['folder'], device: device as string as Pin['device'] },
    ids,
  }
}

export function encodeIds(ids: readonly ChunkId[]): Buffer {
  return Buffer.from(ids.join(''), 'hex')
}

/** The 32-byte ids that `payload` consists of. */
export function idsIn(payload: Buffer): ChunkId[] {
  const hex = payload.toString('hex')
  return Array.from(
    { length: payload.length >>> 5 },
    (_, index) => hex.slice(index * 64, index * 64 + 64) as ChunkId,
  )
}
