/**
 * The catalogue: every record of the pool, who counts (`verdict.ts`), with which keys it opens, and
 * the writing of this device's own records. `open-catalogue.ts` builds it over a Store.
 *
 * Taking in and writing are the same path: parse, check signature and chain, store, run the verdict
 * when an authority record is new, open what the keys allow, index. Validity depends only on the set
 * of records held, never on the order of arrival.
 */
import type {
  ChunkId,
  DeviceId,
  EntryId,
  EpochId,
  FolderId,
  PeerId,
  PoolId,
  RecordHash,
  Role,
  UserId,
} from '../base/words.ts'
import type { FolderKeys } from '../codec/codec.ts'
import type { Coding } from '../codec/coding.ts'
import type { ShardScheme } from '../codec/shards.ts'
import type { Release } from '../codec/release.ts'
import type { Fork } from './forks.ts'
import type { VersionBody, VersionContent } from '../codec/version-body.ts'
import type { Pin } from '../store/chunk-store.ts'
import type { HeldChunk, IndexWrite } from '../store/store.ts'

/** What one certificate made, as the verdict judges it now. */
export interface Device {
  device: DeviceId
  /** Absent for a recovery key. */
  peer: PeerId | undefined
  user: UserId
  /** What its requests may ask: `storage`, `member`, `admin`; `ex-member` once cut. */
  role: Role
  /** `recovery` keys are devices without PeerId. */
  kind: 'device' | 'storage' | 'recovery'
  certificate: RecordHash
  /** Device that issued the certificate. */
  issuer: DeviceId
  revoked: boolean
  /** A recovery key whose owner has confirmed that its paper is in safe hands. */
  printed: boolean
  recordKey: Uint8Array
  encryptionKey: Uint8Array
  /** From the pool directory; undefined where this peer cannot open it. */
  name: string | undefined
  /** Its chain forked: it signed two histories, or a restored or copied disk went on beside it. */
  fork: Fork | undefined
}

/** Redundancy and retention of a folder (contract.md `folder set`). */
export interface Policy {
  copies: number
  min: number
  max: number
  factor: number
  keepMs: number
  /** Larger chunks as shards, wherever the pool has devices enough; copies as above until then. */
  erasure?: ShardScheme | undefined
  /** So long after their last version files go to the trash by themselves; absent: never. */
  expireMs?: number | undefined
  /** The most that the files which show here may hold together, plaintext bytes; absent: no limit. */
  quota?: number | undefined
}

export const defaultPolicy: Policy = { copies: 3, min: 2, max: 5, factor: 0.1, keepMs: 30 * 86_400_000 }

export interface Folder {
  id: FolderId
  /** Undefined on a device that cannot open the folder. */
  name: string | undefined
  policy: Policy
  created: number
  /** Whether this device can read and write it now. */
  open: boolean
}

/** A new version to write. `entry` absent: a new entry. */
export interface NewVersion {
  folder: FolderId
  entry?: EntryId | undefined
  /** Every head version that this one replaces; empty for a new entry. */
  parents: readonly RecordHash[]
  body: VersionBody
  /** All chunks of the version, manifest nodes included: indexed with it. */
  chunks: readonly ChunkId[]
  /** The epoch whose keys sealed them; absent: one of the folder's present secret. */
  sealed?: EpochId | undefined
  /** More index rows of the same transaction (dedup entries). */
  index?: readonly IndexWrite[]
  /** Chunks that are written with it. */
  held?: readonly HeldChunk[]
  /** New pins for chunks that were already here. */
  pins?: readonly { id: ChunkId; pin: Pin }[]
}

export interface WrittenVersion {
  version: RecordHash
  entry: EntryId
}

/** The content of a version as it was sealed anew, under the keys that `writeKeys` gives now. */
export interface Resealed {
  version: RecordHash
  /** Shown hash under those keys, 32 bytes. */
  hash: Uint8Array
  content: VersionContent
  /** All chunks, manifest nodes included. */
  chunks: readonly ChunkId[]
}

/** Whose work it is to seal a folder's content anew, and under which keys; generation 0: nobody ever asked for it. */
export interface Rekeying {
  generation: number
  device: DeviceId
}

export interface AdmitReport {
  added: number
  /** Of these batches, those kept aside until a certificate or an earlier record arrives. */
  waiting: number
  refused: { reason: string }[]
}

export type CatalogueEvent =
  /** Version records became visible, hidden or newly readable; `own`: this device wrote them just now. */
  | { type: 'versions'; folders: FolderId[]; own?: boolean }
  /** Who counts has changed: members, roles, revocations. */
  | { type: 'authority' }
  /** Folders, policies, names of devices or wraps of keys are new. */
  | { type: 'folders' }
  /** Proof of two records with one (device, incarnation, seq), or a device continued twice. */
  | { type: 'alarm'; kind: Fork; device: DeviceId }

/** The changing state of a device: one signed statement, the later replaces the earlier. */
export interface DeviceState {
  /** Bytes it will keep for the pool. */
  contributed: number
  used: number
  /** First 8 bytes of the zone tag, hex; absent without a zone. */
  zone?: string | undefined
  full: boolean
  retiring: boolean
  /** `--client`: keeps nothing for others. */
  client: boolean
  /** Multiaddrs where it may be dialled. */
  addresses: string[]
  /** Program version. */
  version: string
}

export interface Catalogue {
  readonly pool: PoolId
  readonly device: DeviceId
  readonly user: UserId
  readonly peer: PeerId

  /** Takes in batches from anywhere; the same batch twice is nothing. */
  admit(batches: readonly Uint8Array[], from?: PeerId): Promise<AdmitReport>
  /**
   * A batch was found damaged on this disk. One of this device's own versions is made again from the
   * index, byte for byte; resolves to whether it was.
   */
  mend(last: RecordHash): Promise<boolean>
  /** Writes versions: signed in batches, one durable group with what was staged before. */
  write(versions: readonly NewVersion[]): Promise<WrittenVersion[]>
  /** A time (ms) that all versions here lie at or before, and all that is written from now on behind. */
  cut(): number

  devices(): Device[]
  deviceOf(peer: PeerId): Device | undefined
  roleOf(peer: PeerId): Role
  folders(): Folder[]
  folderNamed(name: string): Folder | undefined
  /** Keys to write with now; `KEY_UNAVAILABLE` when this device has none. */
  writeKeys(folder: FolderId): Promise<FolderKeys>
  /** Keys of an epoch; `KEY_UNAVAILABLE` when this device has none. */
  keysOf(folder: FolderId, epoch: EpochId): FolderKeys
  /** A version's body, opened again from its record; `KEY_UNAVAILABLE` without keys. */
  bodyOf(version: RecordHash): Promise<VersionBody>

  createFolder(name: string, policy?: Partial<Policy>): Promise<Folder>
  setPolicy(folder: FolderId, policy: Partial<Policy>): Promise<Folder>
  removeFolder(folder: FolderId): Promise<void>
  /** A fresh folder secret, for its owner's devices to ask for: what is written from now on shows no equality to what was. */
  rekey(folder: FolderId): Promise<void>
  /** Undefined where this device has no keys of the folder. */
  rekeying(folder: FolderId): Rekeying | undefined
  /** Says what the content of versions became when it was sealed anew; all of it is durable here. */
  reseal(folder: FolderId, resealed: readonly Resealed[]): Promise<void>
  setDeviceName(device: DeviceId, name: string): Promise<void>
  /** Cuts devices at the heads held here; returns all that fall with them. New epochs are made in the same batch. */
  revoke(devices: readonly DeviceId[]): Promise<Device[]>
  /** Held-back versions of a device that a writer takes over. */
  adopt(versions: readonly RecordHash[]): Promise<void>
  /** Gives up replaced versions of a folder before its retention ends. */
  discard(folder: FolderId, versions: readonly RecordHash[]): Promise<void>
  /** Says of which shards chunks are made, all of one scheme; `FORBIDDEN` on a storage-only device. */
  code(folder: FolderId, codings: readonly Coding[]): Promise<void>

  /** Signs a release of pins by this device. */
  signRelease(release: Release): Uint8Array
  /**
   * A release of pins here by the device of `from`, with all devices of its user. `FORBIDDEN` unless it is a device
   * of the folder's members that counts, and `RECORD_INVALID` when its signature is wrong.
   */
  readRelease(bytes: Uint8Array, from: PeerId): Release & { devices: DeviceId[] }
  /** Signs this device's changing state; `statement.ts`. */
  makeStatement(state: DeviceState): Uint8Array
  /** Checks another device's statement; stores and returns it when it is newer. */
  admitStatement(bytes: Uint8Array): Promise<DeviceState | undefined>
  stateOf(device: DeviceId): DeviceState | undefined

  on(listener: (event: CatalogueEvent) => void): () => void
  close(): Promise<void>
}
