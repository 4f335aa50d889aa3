/**
 * Many peers as one store: where chunks belong (`place.ts`), bringing them there (`replicate.ts`),
 * getting them back from whoever has them (`fetch.ts`), learning what others know (`feed.ts`), and
 * mending what is lost (`repair.ts`). `open-pool.ts` builds it. The pool knows ids, holders and
 * sizes; never names or plaintext.
 */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { CallOptions, ChunkId, DeviceId, FolderId, PeerId, RecordHash } from '../base/words.ts'
import type { Worker } from '../base/worker.ts'
import type { Budget } from '../codec/budget.ts'
import type { Codec, VerifiedBytes } from '../codec/codec.ts'
import type { Coding } from '../codec/coding.ts'
import type { ShardScheme } from '../codec/shards.ts'
import type { Network } from '../net/network.ts'
import type { ChunkStore, Pin } from '../store/chunk-store.ts'
import type { Departure } from './departure.ts'
import type { CopiesPolicy } from './plan.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { Store } from '../store/store.ts'

/** A device as the pool sees it. */
export interface Member {
  peer: PeerId
  device: DeviceId
  /** Groups devices of one person; distinct owners are preferred. */
  owner: string
  role: 'storage' | 'member' | 'admin'
  /** Bytes it will keep; 0 when it said nothing yet. */
  contributed: number
  zone: string | undefined
  full: boolean
  /** False for clients and retiring devices: nothing new is placed there. */
  keeps: boolean
  addresses: readonly string[]
}

/** What the pool must know about people and folders; `access/` provides it, `peer/` connects them. */
export interface Membership {
  readonly self: PeerId
  readonly pool: string
  /** Devices that are not revoked, this one included. */
  members(): Member[]
  /** Folders with their policy; storage-only devices know them by id. */
  folders(): ({ id: FolderId } & CopiesPolicy)[]
  /** Takes in batches of records; returns when they are stored. `waiting` ones are not: asked for again later. */
  admit(
    batches: readonly Uint8Array[],
    from: PeerId,
  ): Promise<{ waiting: number; refused: readonly { reason: string }[] }>
  /** Says, in a record that every device keeps, of which shards chunks of a folder are made. */
  code(folder: FolderId, codings: readonly Coding[]): Promise<void>
  /** Makes a batch that rotted on this disk again; resolves to whether it could. */
  mend(last: RecordHash): Promise<boolean>
  /** This device's signed statement, and another's. */
  statement(): Uint8Array
  /** Resolves to whether it was newer than what was known of its device. */
  admitStatement(bytes: Uint8Array): Promise<boolean>
  onChange(listener: () => void): () => void
}

/** What the pool needs of this device's store. */
export type PoolStore = Pick<Store, 'database' | 'chunks' | 'verifier' | 'commit' | 'index' | 'batch'> & {
  readonly read: Pick<
    IndexReader,
    | 'hasChunk'
    | 'pins'
    | 'standingPins'
    | 'lastChange'
    | 'changes'
    | 'hasBatch'
    | 'isPartialBatch'
    | 'hasPartialBatches'
    | 'feedPosition'
    | 'holders'
    | 'sharedChunk'
    | 'lacking'
    | 'priorities'
    | 'prioritised'
    | 'seen'
    | 'statements'
    | 'lengthOf'
    | 'codingsOf'
    | 'codingWith'
    | 'uncoded'
    | 'codingsToTend'
    | 'strengths'
  >
}

export interface PoolParts {
  network: Network
  store: PoolStore
  codec: Pick<Codec, 'verify' | 'shard' | 'join'>
  /** One for the whole peer: `limits.bulkBytes`. */
  budget: Pick<Budget, 'take' | 'tryTake'>
  membership: Membership
  clock: Clock
  random: Random
  log: Log
  /** Ends a worker's wait; `WorkerRunner.wake`. */
  wake: (worker: string) => void
  /** Absence after which a device counts as lost; default `limits.graceMs`. */
  repairGraceMs?: number | undefined
  /** Time between two looks of scrubbing at the same segment; default `limits.scrubCycleMs`. */
  scrubCycleMs?: (() => number) | undefined
  /** Devices that one transfer reads from at once; default all. */
  sourcesAtOnce?: (() => number) | undefined
  /** Those of some offered chunks that this device has no use for. */
  unwanted: (offered: readonly { id: ChunkId; pins: readonly Pin[] }[]) => ReadonlySet<ChunkId>
  /** Whether an upload under way relies on a chunk here. */
  inUse: (id: ChunkId) => boolean
  /** Bytes kept here beyond what this device contributes; 0 or less: none. */
  overBytes: () => Promise<number>
  /** Copies here that were too many are dropped: there is space for compaction to return. */
  onDropped?: (() => void) | undefined
}

/** What this peer has seen of another. */
export interface PeerHealth {
  peer: PeerId
  connected: boolean
  /** Wall milliseconds; undefined: never. */
  lastSeen: number | undefined
  latencyMs: number | undefined
  /** Bytes a second, of its answers. */
  rate: number | undefined
  /** 0 to 1: what its recent answers were worth. */
  reputation: number
  /** Chunks that it said it has and did not have when it was asked, since the start. */
  missing: number
  /** Its wall clock minus ours at the last hello, milliseconds. */
  clockAheadMs: number | undefined
  /** It says that this device was revoked; its word alone, so nothing follows from it but a warning. */
  shutsOut: boolean
}

export interface FetchOptions extends CallOptions {
  /** Read by a person now, a download, or repair. */
  priority?: 'read' | 'download' | 'repair' | undefined
  /** Told who served each chunk; this peer's own id for its disk. */
  onSource?: ((peer: PeerId) => void) | undefined
}

export type PoolEvent =
  /** Holdings of chunks changed: copies of files may have. */
  | { type: 'copies' }
  /** A peer could not prove that it has chunks that it says it has. */
  | { type: 'missing'; peer: PeerId; chunks: number }
  /** A peer sent what is not what was asked for, or not in the agreed form; it was refused. */
  | { type: 'wrong'; peer: PeerId }
  /** Damage was found on this disk, and so much of it mended. */
  | { type: 'damage'; found: number; healed: number }
  /** A peer's records and holdings are known up to its newest change. */
  | { type: 'caught-up'; peer: PeerId }

export interface Mending {
  chunks: number
  etaSeconds: number | undefined
}

/** What was read and compared on this disk, the damage found there and how much of it is good again. */
export interface ScrubResult {
  /** Chunks, records and other entries. */
  checked: number
  bytes: number
  damaged: number
  healed: number
}

export interface Pool {
  start(): Promise<void>
  stop(): Promise<void>
  /** One verified chunk: from this disk, else from any holder; wrong data and dead holders fall back to the next. */
  get(id: ChunkId, options?: FetchOptions): Promise<VerifiedBytes>
  /** Verified chunks in the order of `ids`, several in flight, bounded by the bulk budget. */
  getAll(
    ids: AsyncIterable<ChunkId> | Iterable<ChunkId>,
    options?: FetchOptions,
  ): AsyncIterable<{ id: ChunkId; bytes: VerifiedBytes }>
  /** Chunks just stored here: offered to their holders soon; repair does what fails now. */
  replicate(folder: FolderId, ids: readonly ChunkId[]): void
  /** Waits until every chunk has `copies` holders (this peer included) or `timeoutMs` passed; resolves to the lowest number. */
  durable(ids: readonly ChunkId[], copies: number, timeoutMs: number, options?: CallOptions): Promise<number>
  /** Of chunks that are here, those that fewer than `others` devices prove to have, each asked now. */
  unproved(ids: readonly ChunkId[], others: number, options?: CallOptions): Promise<ChunkId[]>
  /** Copies wanted in a folder now, or of its priority files: policy, at most the members that keep chunks. */
  want(folder: FolderId, priority?: boolean): number
  /** How the larger chunks of a folder are kept as shards; undefined: copies, by policy or for want of devices. */
  scheme(folder: FolderId): ShardScheme | undefined
  /** How many of `peers` may fail, plus one, before each of these chunks is lost. */
  strengths(ids: readonly ChunkId[], peers: readonly PeerId[]): ReadonlyMap<ChunkId, number>
  /** Copies that a folder asks for, were there devices enough. */
  asked(folder: FolderId): number
  /** Peers whose holdings count: members that keep chunks and are not away beyond their grace. */
  countedPeers(): PeerId[]
  /** Files ask for more or fewer copies: repair looks soon. */
  wantsChanged(): void
  /** Repair under way: chunks mended since it began, and seconds to go as far as can be told. */
  mending(): Mending | undefined
  /** Copies being moved to where they belong. */
  moving(): Mending | undefined
  /** Whether the feed of a peer was read up to its newest change. */
  isCaughtUp(peer: PeerId): boolean
  /** New records here: connected peers are told. */
  announce(): void
  /** What this device says of itself was changed by a person: others are told at once. */
  speak(): void
  /** A peer as a place for chunks, for whoever asks one in particular. */
  storeOf(peer: PeerId): ChunkStore
  /** When a device last read these from its disk and compared them, wall milliseconds; undefined: not all, or not known. */
  verifiedAt(peer: PeerId, ids: readonly ChunkId[], options?: CallOptions): Promise<number | undefined>
  /** Offers chunks to a peer; where they lie already they only get their pins. Yields what became of each. */
  offer(
    peer: PeerId,
    chunks: readonly { id: ChunkId; pins: readonly Pin[] }[],
    options?: CallOptions,
  ): AsyncIterable<{ id: ChunkId; outcome: 'kept' | 'full' | 'failed' }>
  /** What this peer has seen of each member. */
  health(): PeerHealth[]
  /** Reads everything on this disk, or those of `ids` that are here, and mends what is damaged. */
  scrub(ids: readonly ChunkId[] | undefined, options?: CallOptions<ScrubResult>): Promise<ScrubResult>
  /** Bytes compared, damage found and mended, since the start. */
  scrubbed(): { checkedBytes: number; found: number; healed: number }
  /** Whether a chunk stays here for a while because another device gives its copy up. */
  isPromised(id: ChunkId): boolean
  /** Whether this device can go. */
  readonly departure: Departure
  /** feed, replicate, repair, rebalance, shards, scrub, challenge. */
  workers(): Worker[]
  on(listener: (event: PoolEvent) => void): () => void
}
