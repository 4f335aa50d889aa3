/** Entries of the segment log made from what the store is told, and index operations made from entries. */
import { idBytes, idOf, type ChunkId, type RecordHash } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { decodeBatch, isWhole } from '../codec/record-bytes.ts'
import type { Batch } from '../codec/record.ts'
import type { ChunkToPut, Pin } from './chunk-store.ts'
import { recordRows, type IndexOp } from './index-group.ts'
import {
  decodePins,
  encodeIds,
  encodePins,
  idsIn,
  idsPerEntry,
  type EntryKind,
  type Location,
  type PinList,
} from './segment-format.ts'
import type { NewEntry } from './segment-log.ts'
import type { ScannedEntry } from './segment-scan.ts'

/** A chunk; its hash is its id: nothing is hashed again. */
export function chunkEntry({ id, bytes, readSoon }: Omit<ChunkToPut, 'pins'>): NewEntry {
  return {
    kind: 'chunk',
    hash: idBytes(id),
    payload: bytes,
    readSoon,
    op: (location) => ({ op: 'chunk', id, location }),
  }
}

export function batchEntry(batch: Batch): NewEntry {
  const last = lastOf(batch)
  const records = recordRows(batch)
  const whole = isWhole(batch)
  return hashed('batch', batch.bytes, (location) => ({ op: 'batch', last, location, records, whole }))
}

/** A batch that the index knows, at a new place. */
export function movedBatchEntry(last: RecordHash, bytes: Buffer): NewEntry {
  return hashed('batch', bytes, (location) => ({
    op: 'batch',
    last,
    location,
    records: [],
    whole: undefined,
  }))
}

/** One entry for each folder and device. */
export function pinEntries(pins: readonly { id: ChunkId; pin: Pin }[], moved = false): NewEntry[] {
  return pinLists(pins).map((list) => hashed('pins', encodePins(list), () => ({ op: 'pins', list, moved })))
}

export function releaseEntries(pins: readonly { id: ChunkId; pin: Pin }[]): NewEntry[] {
  return pinLists(pins).map((list) => hashed('releases', encodePins(list), () => ({ op: 'releases', list })))
}

export function dropEntries(ids: readonly ChunkId[]): NewEntry[] {
  return slices(ids).map((part) => hashed('dropped', encodeIds(part), () => ({ op: 'drops', ids: part })))
}

/** Hash of a batch's last record, which names it. */
export function lastOf(batch: Batch): RecordHash {
  return batch.records.at(-1)!.hash
}

/** What an entry found in a segment tells the index; throws when it holds no valid content. */
export function opOf({ header, location, payload }: ScannedEntry): IndexOp {
  if (header.kind === 'chunk' || payload === undefined)
    return { op: 'chunk', id: idOf<ChunkId>(header.hash), location }
  switch (header.kind) {
    case 'batch': {
      const batch = decodeBatch(payload)
      const whole = isWhole(batch)
      return { op: 'batch', last: lastOf(batch), location, records: recordRows(batch), whole }
    }
    case 'pins':
      return { op: 'pins', list: decodePins(payload), moved: false }
    case 'releases':
      return { op: 'releases', list: decodePins(payload) }
    default:
      return { op: 'drops', ids: idsIn(payload) }
  }
}

function hashed(kind: EntryKind, payload: Uint8Array, op: (location: Location) => IndexOp): NewEntry {
  return { kind, hash: hash(payload), payload, op }
}

function pinLists(pins: readonly { id: ChunkId; pin: Pin }[]): PinList[] {
  const byPin = new Map<string, { pin: Pin; ids: ChunkId[] }>()
  for (const { id, pin } of pins) {
    const key = pin.folder + pin.device
    const list = byPin.get(key)
    if (list === undefined) byPin.set(key, { pin, ids: [id] })
    else list.ids.push(id)
  }
  return [...byPin.values()].flatMap(({ pin, ids }) => slices(ids).map((part) => ({ pin, ids: part })))
}

function slices<T>(items: readonly T[]): T[][] {
  const parts: T[][] = []
  for (let first = 0; first < items.length; first += idsPerEntry)
    parts.push(items.slice(first, first + idsPerEntry))
  return parts
}
