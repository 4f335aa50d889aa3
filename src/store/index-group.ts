/**
 * What the segment log tells the index: one group of operations, one transaction. The same
 * operations come from a commit and from reading a segment again.
 */
import type { ChunkId, RecordHash } from '../base/words.ts'
import { readCodings, type Coding } from '../codec/coding.ts'
import { recordKinds, type Batch, type RecordHead, type SignedRecord } from '../codec/record.ts'
import type { Location, PinList, Position } from './segment-format.ts'
import type { IndexWrite } from './store.ts'

export interface RecordRow {
  hash: RecordHash
  head: RecordHead
  /** Of a record of shards, what it says. */
  codings?: readonly Coding[]
}

export type IndexOp =
  /** A chunk lies at `location`; when it was held already, it moved there. */
  | { op: 'chunk'; id: ChunkId; location: Location }
  /**
   * A batch lies at `location`; when it was known already, it moved there, or came with the bodies that
   * it lacked. `whole` undefined: as before.
   */
  | {
      op: 'batch'
      last: RecordHash
      location: Location
      records: readonly RecordRow[]
      whole: boolean | undefined
    }
  /** A batch cannot be read from its place: it counts as one that lacks bodies. */
  | { op: 'damaged-batch'; last: RecordHash }
  /** A chunk's bytes at `location` are wrong: it counts as not here; nothing happens when it lies elsewhere by now. */
  | { op: 'quarantine'; id: ChunkId; location: Location; at: number }
  /** Damage that was seen and made good: no news any more. */
  | { op: 'scar'; segment: number; offset: number }
  /** A segment was read whole, as far as it went then. */
  | { op: 'verified'; segment: number; at: number; upTo: number }
  /** `moved` pins keep their change numbers; others get new ones. */
  | { op: 'pins'; list: PinList; moved: boolean }
  | { op: 'releases'; list: PinList }
  | { op: 'drops'; ids: readonly ChunkId[] }
  /** Everything live and sound was copied out of a segment: its file goes next, then its row. */
  | { op: 'retire-segment'; segment: number }
  | { op: 'forget-segment'; segment: number }
  | IndexWrite

export interface IndexGroup {
  ops: readonly IndexOp[]
  /** How far the log is covered when this group is applied; absent for derived rows alone. */
  position?: Position | undefined
}

/** A batch's records without bodies, on memory of their own: a message copies whole buffers. */
export function recordRows(batch: Batch): RecordRow[] {
  return batch.records.map((record) => {
    const { hash, head } = record
    return {
      hash,
      head: head.bodyHash === undefined ? head : { ...head, bodyHash: new Uint8Array(head.bodyHash) },
      ...codingsIn(record),
    }
  })
}

/** Every device keeps them, whether it can open the folder or not: who holds a shard can mend it. */
function codingsIn({ head, body }: SignedRecord): { codings?: Coding[] } {
  if (head.kind !== recordKinds.shards || head.folder === undefined || body === undefined) return {}
  return { codings: readCodings(body) }
}

/** `ops` with every view into a larger buffer copied: a message would copy the larger buffer. */
export function compactOps(ops: readonly IndexOp[]): IndexOp[] {
  return ops.map((op) => {
    switch (op.op) {
      case 'version':
        return { ...op, row: { ...op.row, content: new Uint8Array(op.row.content) } }
      case 'reseal':
        return { ...op, row: { ...op.row, content: new Uint8Array(op.row.content) } }
      case 'content':
        return op.content === undefined ? op : { ...op, content: new Uint8Array(op.content) }
      case 'known':
        return { ...op, p: new Uint8Array(op.p), ref: { ...op.ref, ck: new Uint8Array(op.ref.ck) } }
      case 'statement':
        return { ...op, bytes: new Uint8Array(op.bytes) }
      default:
        return op
    }
  })
}
