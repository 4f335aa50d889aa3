/** What the verbs stand on; `open-files.ts` gets it from the peer, the simulator makes its own. */
import type { Catalogue } from '../access/catalogue.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { DeviceId, PeerId } from '../base/words.ts'
import type { Budget } from '../codec/budget.ts'
import type { Codec, CompressionLevel } from '../codec/codec.ts'
import type { Pool } from '../pool/pool.ts'
import type { Store } from '../store/store.ts'
import type { FolderQuotas } from './folder-quotas.ts'
import type { ManifestNodes } from './manifest-nodes.ts'
import type { SmallFiles } from './small-files.ts'
import type { Unfinished } from './unfinished.ts'
import type { Thumbnails } from './thumbnails.ts'
import type { UploadBook } from './upload-book.ts'

/** What the peer knows about another device beyond its records. */
export interface PeerPresence {
  online: boolean
  /** Wall milliseconds. */
  lastSeen: number | undefined
  zone: string | undefined
  /** Whether new chunks may be placed there now. */
  hasRoom: boolean
}

export interface Room {
  /** The contributed space and what of it is left. */
  limit: number
  contributed: number
  /** What the disk of the segments has left beside its reserve. */
  disk: number
  storage: string
}

export interface FilesParts {
  store: Store
  catalogue: Catalogue
  /** `catalogue.write`, within the quotas of folders. */
  write: Catalogue['write']
  quotas: Pick<FolderQuotas, 'claim' | 'require'>
  pool: Pick<
    Pool,
    | 'get'
    | 'getAll'
    | 'replicate'
    | 'durable'
    | 'want'
    | 'asked'
    | 'countedPeers'
    | 'scheme'
    | 'unproved'
    | 'verifiedAt'
    | 'mending'
  >
  codec: Codec
  /** Bulk buffers of the whole peer: `limits.bulkBytes`. */
  budget: Pick<Budget, 'take'>
  /** Read lately. */
  smallFiles: SmallFiles
  manifestNodes: ManifestNodes
  clock: Clock
  random: Random
  thumbnails: Thumbnails
  /** Uploads that can go on; one for all callers. */
  uploads: UploadBook
  log: Log
  /** Fails with `FORBIDDEN` unless the caller may read or write this path. */
  require: (scope: 'read' | 'write', path: string) => void
  compression: () => CompressionLevel
  /** Told which chunks uploads under way rely on. */
  unfinished: Pick<Unfinished, 'begin' | 'isUsed'>
  /** Bytes of chunks that may still be kept: as far as the contributed space goes, and the disk. */
  room: () => Promise<Room>
  presence: (peer: PeerId) => PeerPresence
  /** Background work that a person has paused. */
  paused: () => readonly string[]
  /** Something that a person should know: content that is not what its writer said. */
  alarm: (kind: 'hash', device: DeviceId) => void
}
