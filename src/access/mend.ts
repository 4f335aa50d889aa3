/**
 * Records whose bytes rotted on this disk. Others have most of them; a version that this device wrote
 * last may lie nowhere else, and all that it writes afterwards links to it. Everything that such a
 * record was made of stands in the index, so it is made again, and its hash proves it the same.
 */
import { asPeerStorError, isCode } from '../base/errors.ts'
import type { RecordHash } from '../base/words.ts'
import { makeRecord, signBatch } from '../codec/record-bytes.ts'
import type { Batch, RecordHead, SignedRecord } from '../codec/record.ts'
import { sealRecordBody } from '../codec/seal.ts'
import { decodeContent, encodeVersionBody, withSealed, type VersionBody } from '../codec/version-body.ts'
import type { IndexedRecord } from '../store/store.ts'
import type { VersionRow } from '../store/view.ts'
import type { CatalogueState } from './catalogue-state.ts'
import { deviceOfKeys } from './device-keys.ts'
import type { LedgerParts } from './ledger.ts'

/** A stored batch; undefined, and said in the log, when its bytes are damaged. */
export async function readableBatch(
  { store, log }: Pick<LedgerParts, 'store' | 'log'>,
  last: RecordHash,
): Promise<Batch | undefined> {
  try {
    return await store.batch(last)
  } catch (thrown) {
    if (!isCode(thrown, 'SEGMENT_DAMAGED')) throw thrown
    log.error('records are damaged on this disk', { last, reason: asPeerStorError(thrown).message })
    return undefined
  }
}

/** The batch as this device signed it; undefined when it holds anything but versions of this device. */
export function batchMadeAgain(
  parts: Pick<LedgerParts, 'keys' | 'store'> & { state: CatalogueState },
  last: RecordHash,
): Batch | undefined {
  const { keys, store } = parts
  const device = deviceOfKeys(keys)
  const records: SignedRecord[] = []
  let indexed = store.read.record(last)
  while (indexed?.batch === last) {
    const record = indexed.head.device === device ? recordMadeAgain(parts, indexed) : undefined
    if (record === undefined) return undefined
    records.unshift(record)
    indexed = indexed.head.previous && store.read.record(indexed.head.previous)
  }
  return records.length === 0 ? undefined : signBatch(records, keys.secrets.record, keys.pool)
}

function recordMadeAgain(
  { store, state }: Pick<LedgerParts, 'store'> & { state: CatalogueState },
  { hash, head }: IndexedRecord,
): SignedRecord | undefined {
  const row = store.read.version(hash)
  const keys = head.epoch && state.ring.keys(head.epoch)
  if (row === undefined || keys === undefined) return undefined
  const { bodyHash: _, ...bare }: RecordHead = head
  const record = makeRecord(bare, sealRecordBody(keys, bare, encodeVersionBody(bodyOf(row))))
  return record.hash === hash ? record : undefined
}

/** As it was written: what it was sealed as anew since then is another record. */
function bodyOf(row: VersionRow): VersionBody {
  const { kind, path, mode, modified, created, size, type, description, target } = row
  const { hash, content, sealed } = row.written ?? row
  const what = { kind, path, mode, modified, created, size, type, description, target }
  const tags = withSealed(row.tags, sealed)
  return { ...what, tags, hash: Buffer.from(hash, 'hex'), content: decodeContent(content) }
}
