/** What collection and replication must know about folders and uploads under way, out of the catalogue and the verbs. */
import type { OpenedCatalogue } from '../access/opened-catalogue.ts'
import { limits } from '../base/limits.ts'
import type { Unfinished } from '../files/unfinished.ts'
import type { CollectionParts, CollectionTimes, Folders } from '../pool/collection.ts'
import { openCollection, type Collection } from '../pool/open-collection.ts'
import type { PoolParts } from '../pool/pool.ts'
import type { CoreParts } from './create-core.ts'

/** What uploads under way rely on, and what those that failed gave back. */
export function needsOf(unfinished: Unfinished): Pick<PoolParts, 'unwanted' | 'inUse'> {
  return {
    unwanted: (offered) => unfinished.unwanted(offered),
    inUse: (id) => unfinished.isUsed(id),
  }
}

type Rest = Pick<CollectionParts, 'store' | 'pool' | 'membership' | 'inUse' | 'onDropped'>

export function collectionOf(
  parts: CoreParts,
  { catalogue, ...rest }: Rest & { catalogue: OpenedCatalogue },
): Collection {
  const times = parts.collectionTimes ?? usualTimes
  return openCollection({ ...parts, ...rest, folders: foldersOf(catalogue), times })
}

const usualTimes = (): CollectionTimes => ({
  firstMs: limits.collectFirstMs,
  everyMs: limits.collectEveryMs,
  quarantineMs: limits.quarantineMs,
})

function foldersOf(catalogue: OpenedCatalogue): Folders {
  return {
    readable: () => catalogue.folders().flatMap(({ id, open }) => (open ? [id] : [])),
    sign: (release) => catalogue.signRelease(release),
    read: (bytes, from) => catalogue.readRelease(bytes, from),
    ownDevices: () =>
      catalogue.devices().flatMap(({ user, device }) => (user === catalogue.user ? [device] : [])),
  }
}
