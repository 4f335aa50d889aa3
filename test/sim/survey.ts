/** What a peer's disk proved to hold at one moment, to be compared with a later one. */
import type { ChunkId, DeviceId, RecordHash } from '../../src/base/words.ts'
import type { LocalStore } from '../../src/store/local-store.ts'
import type { SimPeer } from './sim-peer.ts'

export interface Survey {
  records: Set<RecordHash>
  chunks: Set<ChunkId>
}

/** Everything that a peer's index shows, but for what it is dropping: it only shows what is durable. */
export function surveyOf(peer: SimPeer): Survey {
  const { read } = peer.core!.store as LocalStore
  const records = read.devices().flatMap((device) => read.recordsOfDevice(device).map(({ hash }) => hash))
  const first = '0'.repeat(64) as ChunkId
  const last = 'f'.repeat(64) as ChunkId
  const chunks = new Set(read.idsBetween(first, last, 1_000_000))
  return { records: new Set(records), chunks: chunks.difference(peer.dropping) }
}

/** What a peer showed before and does not now; what it was asked to drop may be gone. */
export function lossBetween(before: Survey, peer: SimPeer): string | undefined {
  const now = surveyOf(peer)
  const record = [...before.records].find((hash) => !now.records.has(hash))
  if (record !== undefined) return `record ${record}`
  const chunk = [...before.chunks].find((id) => !now.chunks.has(id) && !peer.dropped.has(id))
  return chunk && `chunk ${chunk}`
}

/** Whether others together hold all that this peer does: then its disk may be lost. */
export function isHeldElsewhere(peer: SimPeer, others: readonly SimPeer[]): boolean {
  if (peer.core === undefined) return false
  const mine = surveyOf(peer)
  const surveys = others.map(surveyOf)
  const all = <T>(wanted: Set<T>, of: (survey: Survey) => Set<T>): boolean =>
    [...wanted].every((one) => surveys.some((survey) => of(survey).has(one)))
  return all(mine.records, ({ records }) => records) && all(mine.chunks, ({ chunks }) => chunks)
}

/** Every batch that a peer holds, or those of one device, in the order of its chains. */
export async function batchesOf(peer: SimPeer, device?: DeviceId): Promise<Uint8Array[]> {
  const { store } = peer.core!
  const devices = device === undefined ? store.read.devices() : [device]
  const records = devices.flatMap((device) => store.read.recordsOfDevice(device))
  const bytes: Uint8Array[] = []
  for (const last of new Set(records.map(({ batch }) => batch))) bytes.push((await store.batch(last)).bytes)
  return bytes
}
