/** The records that a new device must hold to know who counts and to open its folders. */
import { fail } from '../base/errors.ts'
import type { DeviceId, PeerId, PoolId, RecordHash } from '../base/words.ts'
import { hash, RunningHash } from '../codec/hash.ts'
import type { SignedRecord } from '../codec/record.ts'
import type { IndexedRecord, Store } from '../store/store.ts'
import { Authority } from './authority.ts'
import { Intake } from './intake.ts'
import type { OpenedCatalogue } from './opened-catalogue.ts'
import { loadedKinds } from './record-bodies.ts'
import type { DeviceKind } from './verdict.ts'

/** The records of an answer: what the answer's head says of them, then the batches, one in memory at a time. */
export interface History {
  digest: Buffer
  batches: AsyncIterable<Uint8Array>
}

/**
 * Every chain up to its last record of authority, keys or names: a record is taken in only after the
 * one it links to, so what lies between goes along. A cut device's chain goes on to the last heads that
 * the cut keeps: without them nobody could tell that its certificates stand. The certificate's own
 * chain ends with it, so that the same request gets the same answer.
 */
export async function historyFor(
  catalogue: Pick<OpenedCatalogue, 'state' | 'batch'>,
  read: Store['read'],
  certificate: RecordHash,
): Promise<History> {
  const last = read.record(certificate)
  if (last === undefined) throw fail('RECORD_UNKNOWN', { hash: certificate })
  const kept = catalogue.state.authority.keptHeads().flatMap((head) => read.record(head) ?? [])
  const needed = Map.groupBy([...read.recordsOf(loadedKinds), ...kept], ({ head }) => head.device)
  const batches = new Set<RecordHash>()
  for (const [device, records] of needed) {
    const end = device === last.head.device ? last.position : furthest(records)
    for (const record of read.recordsOfDevice(device)) if (record.position <= end) batches.add(record.batch)
  }
  async function* bytesOf(): AsyncGenerator<Uint8Array> {
    for (const batch of batches) yield (await catalogue.batch(batch)).bytes
  }
  const digest = new RunningHash()
  for await (const bytes of bytesOf()) digest.add(hash(bytes))
  return { digest: digest.digest(), batches: bytesOf() }
}

/** Hash of the batches' hashes. */
export function digestOf(batches: readonly Uint8Array[]): Buffer {
  return hash(...batches.map((batch) => hash(batch)))
}

/** What an answer must make of this device. */
export interface ExpectedDevice {
  pool: PoolId
  device: DeviceId
  kind: DeviceKind
  certificate: RecordHash
  issuer: DeviceId
  /** Of the issuer; a recovery key has none. */
  issuerPeer: PeerId | undefined
}

/** Judges an answer's records by themselves, before anything is stored; fails with `code` when they do not hold. */
export function checkHistory(
  expected: ExpectedDevice,
  batches: readonly Uint8Array[],
  code: 'INVITE_REFUSED' | 'RECOVERY_REFUSED' = 'INVITE_REFUSED',
): void {
  const refuse = (reason: string): Error => fail(code, { reason })
  const { authority, complete } = readHistory(expected.pool, batches)
  const judged = authority.device(expected.device)
  const issuer = authority.device(expected.issuer)
  if (!complete) throw refuse('the records of its answer are not whole')
  if (issuer === undefined || authority.certified(issuer).peer !== expected.issuerPeer)
    throw refuse('the inviter is not a device of the pool')
  if (judged?.certificate !== expected.certificate || judged.issuer !== expected.issuer)
    throw refuse('its answer holds no certificate for this device')
  if (!judged.counted || judged.revoked || judged.kind !== expected.kind)
    throw refuse('its certificate does not count')
}

function readHistory(
  pool: PoolId,
  batches: readonly Uint8Array[],
): { authority: Authority; complete: boolean } {
  const previous = new Map<RecordHash, RecordHash | undefined>()
  const authority = new Authority(pool, (heads, record) =>
    heads.some((head) => reaches(previous, head, record.hash)),
  )
  const intake = new Intake(authority, {
    record: () => undefined,
    hasRecord: () => false,
    isPartialBatch: () => false,
  })
  const sorted = intake.sort(batches)
  for (const record of sorted.batches.flatMap(({ batch }): SignedRecord[] => batch.records))
    previous.set(record.hash, record.head.previous)
  authority.rejudge()
  const complete =
    sorted.refused.length === 0 && intake.waiting === 0 && previous.has(pool as string as RecordHash)
  return { authority, complete }
}

function reaches(
  previous: ReadonlyMap<RecordHash, RecordHash | undefined>,
  head: RecordHash,
  hash: RecordHash,
): boolean {
  for (let at: RecordHash | undefined = head; at !== undefined; at = previous.get(at))
    if (at === hash) return true
  return false
}

function furthest(records: readonly IndexedRecord[]): number {
  return records.reduce((most, { position }) => Math.max(most, position), 0)
}
