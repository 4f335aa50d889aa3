/**
 * What may come in: batches whose form holds, whose device some certificate names, whose signature is
 * that device's, and whose previous record is here. The rest is refused, or waits in a small bounded
 * place, unstored and so never forwarded.
 */
import { asPeerStorError, fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { RecordHash } from '../base/words.ts'
import { decodeBatch, isBatchSigned, isWhole } from '../codec/record-bytes.ts'
import { recordKinds, type Batch, type RecordHead, type SignedRecord } from '../codec/record.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { Authority } from './authority.ts'

export interface Sorted {
  /** To store, in an order in which each follows what it links to; with the place of the first record. */
  batches: { batch: Batch; position: number }[]
  refused: { reason: string }[]
  /** Last records of the batches that something is missing for. */
  waiting: RecordHash[]
}

/** What is stored already. */
type Known = Pick<IndexReader, 'record' | 'hasRecord' | 'isPartialBatch'>

interface Place {
  head: RecordHead
  position: number
}

export class Intake {
  readonly #authority: Authority
  readonly #read: Known
  readonly #waiting = new Map<RecordHash, { batch: Batch; for: string }>()
  #waitingBytes = 0

  constructor(authority: Authority, read: Known) {
    this.#authority = authority
    this.#read = read
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Sorts batches from outside, and those that waited for them; authority learns their certificates. */
  sort(batches: readonly Uint8Array[]): Sorted {
    const run = new Run(this.#authority, this.#read)
    for (const bytes of batches) {
      try {
        this.#take(run, decodeBatch(Buffer.from(bytes)))
      } catch (thrown) {
        run.refused.push({ reason: asPeerStorError(thrown).message })
      }
    }
    return { batches: run.accepted, refused: run.refused, waiting: run.waiting }
  }

  #take(run: Run, first: Batch): void {
    const todo = [first]
    for (let batch = todo.pop(); batch !== undefined; batch = todo.pop()) {
      const missing = run.accept(batch)
      if (missing !== undefined) {
        run.waiting.push(batch.records.at(-1)!.hash)
        this.#keep(batch, missing)
      } else todo.push(...this.#released(batch))
    }
  }

  #keep(batch: Batch, missing: string): void {
    const last = batch.records.at(-1)!.hash
    if (this.#waiting.has(last) || batch.bytes.length > limits.waitingBytes) return
    this.#waiting.set(last, { batch, for: missing })
    this.#waitingBytes += batch.bytes.length
    while (this.#waiting.size > limits.waitingBatches || this.#waitingBytes > limits.waitingBytes)
      this.#forget(this.#waiting.keys().next().value!)
  }

  #forget(last: RecordHash): void {
    const entry = this.#waiting.get(last)!
    this.#waiting.delete(last)
    this.#waitingBytes -= entry.batch.bytes.length
  }

  /** Batches that wait for a record or a certificate of `batch`. */
  #released(batch: Batch): Batch[] {
    if (this.#waiting.size === 0) return []
    const here = new Set<string>(batch.records.map(({ hash }) => hash))
    const isReady = (missing: string): boolean =>
      here.has(missing) || this.#authority.recordKeyOf(missing as never) !== undefined
    const ready = [...this.#waiting].filter(([, entry]) => isReady(entry.for))
    for (const [last] of ready) this.#forget(last)
    return ready.map(([, entry]) => entry.batch)
  }
}

/** One call's batches: the later ones may follow earlier ones that are not stored yet. */
class Run {
  readonly accepted: { batch: Batch; position: number }[] = []
  readonly refused: { reason: string }[] = []
  readonly waiting: RecordHash[] = []
  readonly #authority: Authority
  readonly #read: Known
  readonly #new = new Map<RecordHash, Place>()

  constructor(authority: Authority, read: Known) {
    this.#authority = authority
    this.#read = read
  }

  /** Accepts or refuses; otherwise gives what is missing: a record's hash or a device's id. */
  accept(batch: Batch): string | undefined {
    const { head } = batch.records[0]!
    if (this.#isHere(batch.records.at(-1)!.hash) && !this.#completes(batch)) return undefined
    const previous = head.previous && this.#placeOf(head.previous)
    if (head.previous !== undefined && previous === undefined) return head.previous
    if (head.kind === recordKinds.pool) this.#learnPool(batch)
    const recordKey = this.#authority.recordKeyOf(head.device)
    if (recordKey === undefined) return head.device
    try {
      checkBodies(batch.records)
      checkLink(head, previous)
      this.#checkSignature(batch, recordKey)
      this.#add(batch, previous === undefined ? 0 : previous.position + 1)
    } catch (thrown) {
      this.refused.push({ reason: asPeerStorError(thrown).message })
    }
    return undefined
  }

  #add(batch: Batch, position: number): void {
    this.accepted.push({ batch, position })
    batch.records.forEach((record, index) => {
      this.#new.set(record.hash, { head: record.head, position: position + index })
      this.#authority.learn(record, position + index)
    })
  }

  /** The first record names the key that signs it; only this pool's own is believed. */
  #learnPool(batch: Batch): void {
    const record = batch.records[0]!
    if (record.hash === (this.#authority.pool as string)) this.#authority.learn(record, 0)
  }

  #checkSignature(batch: Batch, recordKey: Uint8Array): void {
    const { head } = batch.records[0]!
    const pool = head.kind === recordKinds.pool ? undefined : this.#authority.pool
    if (!isBatchSigned(batch, recordKey, pool)) throw invalid(head, 'its batch is not signed by its device')
  }

  #isHere(hash: RecordHash): boolean {
    return this.#new.has(hash) || this.#read.hasRecord(hash)
  }

  /** Whether it brings bodies that whoever sent it before left out. */
  #completes(batch: Batch): boolean {
    return isWhole(batch) && this.#read.isPartialBatch(batch.records.at(-1)!.hash)
  }

  #placeOf(hash: RecordHash): Place | undefined {
    return this.#new.get(hash) ?? this.#read.record(hash)
  }
}

/** Bodies of versions may have been dropped; all others stay. */
function checkBodies(records: readonly SignedRecord[]): void {
  for (const { head, body } of records)
    if (body === undefined && head.bodyHash !== undefined && head.kind !== recordKinds.version)
      throw invalid(head, 'its body is missing')
}

function checkLink(head: RecordHead, previous: Place | undefined): void {
  if (previous === undefined) {
    if (head.seq !== 0) throw invalid(head, 'its chain does not begin at 0')
    return
  }
  const before = previous.head
  if (before.device !== head.device) throw invalid(head, 'it links to a record of another device')
  const expected = before.incarnation === head.incarnation ? before.seq + 1 : 0
  if (head.seq !== expected) throw invalid(head, `number ${head.seq} stands where ${expected} must`)
}

function invalid(head: RecordHead, reason: string): Error {
  return fail('RECORD_INVALID', { device: head.device, reason })
}
