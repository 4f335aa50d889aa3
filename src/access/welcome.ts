/** The records that a new device must hold to know who counts and to open its folders. */
import { fail } from '../base/errors.ts'
import type { DeviceId, PeerId, PoolId, RecordHash } from '../base/words.ts'
import { hash, RunningHash } from '../codec/hash.ts'
import type { Batch } from '../codec/record.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { IndexedRecord, Store } from '../store/store.ts'
import { Ancestry } from './ancestry.ts'
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

/** An answer as it arrives: its head, and the batches that follow. */
export interface WelcomeAnswer {
  head: Uint8Array
  batches: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** Where an answer's records lie while they are judged: a store that holds nothing else. */
export interface WelcomePlace {
  read: Pick<IndexReader, 'record' | 'hasRecord' | 'isPartialBatch' | 'heads'>
  commit(group: { batches: readonly Batch[] }): Promise<void>
}

/** Batches of an answer taken in at once. */
const sliceBytes = 1024 * 1024

/** The batches in arrays of about a MiB. */
export async function* slicesOf(batches: WelcomeAnswer['batches']): AsyncGenerator<Uint8Array[]> {
  let slice: Uint8Array[] = []
  let bytes = 0
  for await (const batch of batches) {
    slice.push(batch)
    bytes += batch.length
    if (bytes < sliceBytes) continue
    yield slice
    slice = []
    bytes = 0
  }
  if (slice.length > 0) yield slice
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

/**
 * Takes an answer's records into `place`, never more than a slice of them in memory, and judges them by
 * themselves; fails with `code` when they do not hold. `digest`: hash of the batches' hashes, as the head
 * names it.
 */
export async function checkHistory(
  expected: ExpectedDevice,
  batches: WelcomeAnswer['batches'],
  digest: Uint8Array,
  place: WelcomePlace,
  code: 'INVITE_REFUSED' | 'RECOVERY_REFUSED' = 'INVITE_REFUSED',
): Promise<void> {
  const refuse = (reason: string): Error => fail(code, { reason })
  const authority = new Authority(expected.pool, new Ancestry(place.read))
  const intake = new Intake(authority, place.read)
  const received = new RunningHash()
  let open = 0
  for await (const slice of slicesOf(batches)) {
    for (const batch of slice) received.add(hash(batch))
    open += slice.length
    const sorted = intake.sort(slice)
    if (sorted.refused.length > 0) throw refuse(notWhole)
    await place.commit({ batches: sorted.batches.map(({ batch }) => batch) })
    open -= sorted.batches.length
  }
  if (!received.digest().equals(digest)) throw refuse('the records of its answer are not the ones it named')
  if (open > 0 || !place.read.hasRecord(expected.pool as string as RecordHash)) throw refuse(notWhole)
  authority.rejudge()
  checkDevice(expected, authority, refuse)
}

const notWhole = 'the records of its answer are not whole'

function checkDevice(
  expected: ExpectedDevice,
  authority: Authority,
  refuse: (reason: string) => Error,
): void {
  const judged = authority.device(expected.device)
  const issuer = authority.device(expected.issuer)
  if (issuer === undefined || authority.certified(issuer).peer !== expected.issuerPeer)
    throw refuse('the inviter is not a device of the pool')
  if (judged?.certificate !== expected.certificate || judged.issuer !== expected.issuer)
    throw refuse('its answer holds no certificate for this device')
  if (!judged.counted || judged.revoked || judged.kind !== expected.kind)
    throw refuse('its certificate does not count')
}

function furthest(records: readonly IndexedRecord[]): number {
  return records.reduce((most, { position }) => Math.max(most, position), 0)
}
