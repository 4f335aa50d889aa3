/**
 * Writing this device's own chain: drafts become records, records become signed batches, batches one
 * durable group. While one group is in flight, everything that arrives waits and forms the next.
 *
 * A group that failed may or may not be on disk: the next one begins a new incarnation, so that a
 * number is never used twice.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import {
  idOf,
  type DeviceId,
  type EntryId,
  type EpochId,
  type FolderId,
  type Incarnation,
  type PoolId,
  type RecordHash,
} from '../base/words.ts'
import type { FolderKeys } from '../codec/codec.ts'
import { isAuthority, makeRecord, signBatch } from '../codec/record-bytes.ts'
import {
  recordKinds,
  type Batch,
  type RecordHead,
  type RecordKind,
  type SignedRecord,
} from '../codec/record.ts'
import { sealRecordBody } from '../codec/seal.ts'
import type { SigningKey } from '../codec/sign.ts'
import type { Group, HeldChunk, Store } from '../store/store.ts'
import type { HybridClock } from './hybrid-clock.ts'

/** A record to write. With `keys` its body is sealed under their folder and epoch, else it stays plain. */
export interface Draft {
  kind: RecordKind
  folder?: FolderId | undefined
  epoch?: EpochId | undefined
  entry?: EntryId | undefined
  parents?: readonly RecordHash[] | undefined
  keys?: FolderKeys | undefined
  body?: Uint8Array | undefined
}

/** A record with its place in the chain. */
export interface Written {
  record: SignedRecord
  position: number
}

/** Where a chain goes on. */
export interface ChainEnd {
  previous: RecordHash | undefined
  position: number
}

export interface ChainParts {
  pool: PoolId
  device: DeviceId
  key: SigningKey
  store: Pick<Store, 'commit'>
  time: HybridClock
  random: Random
  /** Called with what became durable, before its writers go on. */
  onWritten(written: readonly Written[]): void
}

interface Job {
  drafts: readonly Draft[]
  /** Chunks that the records name, written with them. */
  chunks: readonly HeldChunk[]
  /** Index rows and pins of the same group. */
  extras(written: readonly Written[]): Pick<Group, 'index' | 'pins'>
  done(written: Written[]): void
  failed(reason: unknown): void
}

/** Records taken into one group: bounds memory and the time until the first is durable. */
const groupRecords = 1024
/** Bytes of chunks taken into one group. */
const groupBytes = 4 * 1024 * 1024

export class Chain {
  readonly #parts: ChainParts
  #jobs: Job[] = []
  #running: Promise<void> | undefined
  #end: ChainEnd
  #incarnation: Incarnation
  #seq = 0
  #closed = false

  constructor(parts: ChainParts, end: ChainEnd) {
    this.#parts = parts
    this.#end = end
    this.#incarnation = idOf<Incarnation>(parts.random.bytes(16))
  }

  /** The device's last record that is durable. */
  get end(): ChainEnd {
    return this.#end
  }

  /** Durable, indexed with `extras`, when it resolves. Drafts of one call stay together and in order. */
  async write(
    drafts: readonly Draft[],
    extras: Job['extras'] = () => ({}),
    chunks: readonly HeldChunk[] = [],
  ): Promise<Written[]> {
    if (drafts.length === 0) return []
    if (this.#closed)
      throw fail('NOT_HERE', { what: 'the pool', reason: 'the peer is stopping or leaving it' })
    for (const draft of drafts) checkDraft(draft)
    return await new Promise<Written[]>((done, failed) => {
      this.#jobs.push({ drafts, chunks, extras, done, failed })
      this.#running ??= this.#run()
    })
  }

  /** Waits for what was begun; nothing begins any more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #run(): Promise<void> {
    await Promise.resolve()
    while (this.#jobs.length > 0) await this.#writeGroup(this.#nextGroup())
    this.#running = undefined
  }

  #nextGroup(): Job[] {
    let records = 0
    let bytes = 0
    const count = this.#jobs.findIndex((job) => {
      records += job.drafts.length
      bytes += job.chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0)
      return records > groupRecords || bytes > groupBytes
    })
    return this.#jobs.splice(0, count < 0 ? this.#jobs.length : Math.max(1, count))
  }

  async #writeGroup(jobs: readonly Job[]): Promise<void> {
    const before = this.#end
    try {
      const written = jobs.map((job) => job.drafts.map((draft) => this.#record(draft)))
      const extras = jobs.map((job, index) => job.extras(written[index]!))
      await this.#parts.store.commit({
        chunks: jobs.flatMap(({ chunks }) => chunks),
        batches: this.#sign(written.flat().map(({ record }) => record)),
        index: extras.flatMap(({ index }) => index ?? []),
        pins: extras.flatMap(({ pins }) => pins ?? []),
      })
      this.#parts.onWritten(written.flat())
      jobs.forEach((job, index) => job.done(written[index]!))
    } catch (thrown) {
      this.#startAgain(before)
      for (const job of jobs) job.failed(thrown)
    }
  }

  #record(draft: Draft): Written {
    const head = this.#head(draft)
    const { keys, body: plain } = draft
    const body = keys !== undefined && plain !== undefined ? sealRecordBody(keys, head, plain) : plain
    const record = makeRecord(head, body)
    this.#end = { previous: record.hash, position: this.#end.position + 1 }
    this.#seq += 1
    return { record, position: this.#end.position }
  }

  #head(draft: Draft): RecordHead {
    const { device } = this.#parts
    const epoch = draft.keys?.epoch ?? draft.epoch
    return {
      kind: recordKinds[draft.kind],
      ...(draft.folder !== undefined && { folder: draft.folder }),
      ...(epoch !== undefined && { epoch }),
      ...(draft.entry !== undefined && { entry: draft.entry }),
      device,
      incarnation: this.#incarnation,
      seq: this.#seq,
      ...(this.#end.previous !== undefined && { previous: this.#end.previous }),
      time: this.#parts.time.next(),
      ...(draft.parents !== undefined && draft.parents.length > 0 && { parents: [...draft.parents] }),
    }
  }

  #sign(records: readonly SignedRecord[]): Batch[] {
    const { key, pool } = this.#parts
    return cutIntoBatches(records).map((run) => signBatch(run, key, pool))
  }

  #startAgain(before: ChainEnd): void {
    this.#end = before
    this.#incarnation = idOf<Incarnation>(this.#parts.random.bytes(16))
    this.#seq = 0
  }
}

/** One draft that cannot be written must not fail the group of others. */
function checkDraft({ kind, body, parents }: Draft): void {
  if (body !== undefined && body.length > limits.recordPlaintext)
    throw fail('TOO_LARGE', { what: `a ${kind} record`, limit: limits.recordPlaintext })
  if (parents !== undefined && parents.length > limits.recordParents)
    throw fail('TOO_LARGE', {
      what: `the list of versions that a ${kind} replaces`,
      limit: limits.recordParents,
    })
}

/** Runs of at most 256 records and half the most bytes; an authority record ends its run. */
function cutIntoBatches(records: readonly SignedRecord[]): SignedRecord[][] {
  const runs: SignedRecord[][] = []
  let run: SignedRecord[] = []
  let bytes = 0
  const end = (): void => {
    if (run.length > 0) runs.push(run)
    run = []
    bytes = 0
  }
  for (const record of records) {
    const size = record.headBytes.length + (record.body?.length ?? 0)
    if (run.length === limits.batchRecords || bytes + size > limits.batchBytes / 2) end()
    run.push(record)
    bytes += size
    if (isAuthority(record.head.kind)) end()
  }
  end()
  return runs
}
