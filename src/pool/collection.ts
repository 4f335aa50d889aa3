/**
 * What leaves a disk, and why: members say what their folders need no more (`reconcile.ts`), holders keep account of
 * it (`serve-pins.ts`) and drop what nothing needs when its time is over (`collect.ts`).
 */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId, DeviceId, FolderId, PeerId } from '../base/words.ts'
import type { Release } from '../codec/release.ts'
import type { Network } from '../net/network.ts'
import type { Store } from '../store/store.ts'
import { limits } from '../base/limits.ts'
import type { Membership, Pool } from './pool.ts'

/** What collection must know about folders; `access/` provides it, `peer/` connects them. */
export interface Folders {
  /** Folders whose versions this device reads, so that it knows what they need; none on storage-only devices. */
  readable(): FolderId[]
  /** Signs a release of this device. */
  sign(release: Release): Uint8Array
  /** Another's release, checked, with the devices of its signer's user; throws when he may not say so. */
  read(bytes: Uint8Array, from: PeerId): Release & { devices: DeviceId[] }
  /** All devices of this device's user. */
  ownDevices(): DeviceId[]
}

export interface CollectionTimes {
  /** From the start to the first pass, between two passes, and how long a chunk waits that nothing needs; milliseconds. */
  firstMs: number
  everyMs: number
  quarantineMs: number
}

export interface CollectionParts {
  network: Network
  store: Pick<Store, 'database' | 'chunks' | 'commit' | 'index' | 'read' | 'own' | 'use'>
  pool: Pick<Pool, 'offer' | 'health' | 'isCaughtUp'>
  membership: Membership
  folders: Folders
  clock: Clock
  random: Random
  log: Log
  times: () => CollectionTimes
  /** An upload under way relies on a chunk. */
  inUse: (id: ChunkId) => boolean
  /** Chunks left this disk: others should know. */
  onDropped: () => void
}

/** A release takes effect on this disk: its pins fall in time. */
export async function takeRelease(
  { store, clock, times }: Pick<CollectionParts, 'store' | 'clock' | 'times'>,
  { folder, ids, upTo, done }: Pick<Release, 'folder' | 'ids' | 'upTo' | 'done'>,
  devices: readonly DeviceId[],
): Promise<void> {
  const at = clock.now()
  const { quarantineMs } = times()
  const soon = at + quarantineMs
  const late = at + Math.max(quarantineMs, limits.releaseOthersMs)
  await store.index([
    { op: 'release', folder, ids, upTo, devices, soon, late, at },
    ...(done ? [{ op: 'reconciled' as const, folder, at }] : []),
  ])
}

/** Whether this device's clock differs much from most of those it hears: then time decides nothing. */
export function isClockOff({ pool }: Pick<CollectionParts, 'pool'>): boolean {
  const ahead = pool
    .health()
    .filter(({ connected }) => connected)
    .flatMap(({ clockAheadMs }) => clockAheadMs ?? [])
    .sort((a, b) => a - b)
  const middle = ahead[Math.floor(ahead.length / 2)]
  return middle !== undefined && Math.abs(middle) > limits.collectClockMs
}
