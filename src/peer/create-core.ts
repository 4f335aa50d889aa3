/**
 * One peer in one pool, put together from its parts: store, catalogue, pool, verbs and workers. All
 * time, chance, disk and network come in as parameters; the real ones are in create-peer.ts, the
 * simulator brings its own.
 */
import type { Catalogue, DeviceState } from '../access/catalogue.ts'
import type { OpenedCatalogue } from '../access/opened-catalogue.ts'
import type { PoolKeys } from '../access/device-keys.ts'
import { Invites } from '../access/invite.ts'
import { openCatalogue } from '../access/open-catalogue.ts'
import { slicesOf, type WelcomeAnswer } from '../access/welcome.ts'
import { zoneTag } from '../access/statement.ts'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { asPeerStorError, isCode } from '../base/errors.ts'
import type { PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId, DeviceId, PeerId } from '../base/words.ts'
import { WorkerRunner } from '../base/worker.ts'
import { Budget } from '../codec/budget.ts'
import type { Codec, CompressionLevel } from '../codec/codec.ts'
import type { Thumbnailer } from '../codec/thumbnailer.ts'
import { ChunksOf } from '../files/chunks-of.ts'
import type { FilesParts, PeerPresence } from '../files/files-parts.ts'
import type { Files } from '../files/files.ts'
import { categoryOf } from '../files/mime.ts'
import { ManifestNodes } from '../files/manifest-nodes.ts'
import { SmallFiles } from '../files/small-files.ts'
import { openFiles } from '../files/open-files.ts'
import { checkPath } from '../files/paths.ts'
import { Unfinished } from '../files/unfinished.ts'
import { Thumbnails } from '../files/thumbnails.ts'
import { UploadBook } from '../files/upload-book.ts'
import { UploadKeeper } from '../files/upload-keeper.ts'
import { Rekey } from '../files/rekey.ts'
import { FolderQuotas } from '../files/folder-quotas.ts'
import { Deletions } from '../files/deletions.ts'
import { Expire } from '../files/expire.ts'
import { Retention } from '../files/retention.ts'
import { chunksAt } from '../files/scrub.ts'
import { SearchIndex } from '../files/search-index.ts'
import type { Network } from '../net/network.ts'
import type { CollectionTimes } from '../pool/collection.ts'
import type { Collection } from '../pool/open-collection.ts'
import { openPool } from '../pool/open-pool.ts'
import type { Membership, Pool } from '../pool/pool.ts'
import { Compaction } from '../store/compaction.ts'
import { openIndexOnly, openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { openForgetful, recallOthers } from './forget-opened.ts'
import { collectionOf, needsOf } from './collection-of.ts'
import { serveInvites } from './join.ts'
import { membershipOf } from './membership.ts'
import { serveRecovery } from './recover.ts'
import { Retirement, RetireSwitch } from './retirement.ts'
import { Safety } from './safety.ts'
import { serveRetirement } from './serve-retirement.ts'
import { ScrubJob, serveScrub } from './serve-scrub.ts'
import { SpaceWatch } from './space-watch.ts'
import { clockOff } from './warnings.ts'
import { pausedWorkers } from './worker-verbs.ts'

export interface CoreParts {
  keys: PoolKeys
  /** Records that a new member got with its certificate. */
  welcome?: WelcomeAnswer['batches'] | undefined
  disk: Disk
  clock: Clock
  random: Random
  log: Log
  codec: Codec
  thumbnailer?: Thumbnailer | undefined
  network: Network
  /** Folder of the segments. */
  storage: string
  /** File of the index database, or `:memory:`. */
  database: string
  /** See `StoreOptions`. */
  spare?: string | undefined
  /** The index on a thread of its own. */
  threaded: boolean
  self: SelfDescription
  /** Bytes of chunks kept here at most; undefined: a tenth of what was free at the start. */
  contributed: () => number | undefined
  compression: () => CompressionLevel
  onAlarm?: ((kind: string, device: DeviceId) => void) | undefined
  /** Bulk buffers; one for the whole process. */
  budget?: Budget | undefined
  /** See `PoolParts`. */
  repairGraceMs?: number | undefined
  scrubCycleMs?: (() => number) | undefined
  sourcesAtOnce?: (() => number) | undefined
  /** When collection works, and how long what nothing needs is kept; default `limits`. */
  collectionTimes?: (() => CollectionTimes) | undefined
}

/** What this device says of itself; asked anew each time. */
export interface SelfDescription {
  name: () => string
  zone: () => string | undefined
  /** Keeps nothing for others. */
  client: () => boolean
  version: string
}

export interface Core {
  readonly store: Store
  readonly catalogue: OpenedCatalogue
  readonly pool: Pool
  /** What leaves this disk. */
  readonly collection: Collection
  readonly membership: Membership
  readonly workers: WorkerRunner
  /** How many files have all their copies. */
  readonly safety: Safety
  /** The verbs of whoever owns this peer. */
  readonly files: Files
  /** The verbs of one caller; `require` fails with `FORBIDDEN` where he may not. */
  filesFor(require: FilesParts['require']): Files
  /** The chunks of a file or of everything in a folder. */
  chunksAt(path: string): ChunkId[]
  /** Codes for further devices. */
  readonly invites: Invites
  /** Whether this device goes, and how far that is. */
  readonly retirement: Retirement
  /** Whether much was deleted lately. */
  readonly deletions: Deletions
  /** Reads this whole disk at the word of another device. */
  readonly scrubJob: ScrubJob
  /** Seals content anew after `folder rekey`. */
  readonly rekey: Rekey
  /** What this device says of itself to the others. */
  ownState(): DeviceState
  /** Sealed bytes kept here, as last looked at. */
  used(): number
  /** The hard limit in force, bytes. */
  contributed(): number
  /** Settings of space or name changed. */
  changed(): Promise<void>
  /** Begins work: connects, reads feeds, replicates, repairs. */
  start(): Promise<void>
  /** Ends all work and all writing; what was acknowledged can still be read until `stop`. */
  quiesce(): Promise<void>
  stop(): Promise<void>
}

/**
 * Opens store and catalogue; with `away`, the reason why the storage folder cannot be used, without its
 * segments: files are listed, and read from other devices; nothing is written. Serves the pool's requests
 * on `parts.network`, which starts later.
 */
export async function createCore(parts: CoreParts, away?: PeerStorError): Promise<Core> {
  const { clock, log, keys } = parts
  const options = {
    ...parts,
    folder: parts.storage,
    pool: keys.pool,
    peer: parts.network.peer,
    contributed: parts.contributed() ?? 0,
  }
  const open = (): Promise<Store> => (away === undefined ? openStore(options) : openIndexOnly(options, away))
  const store = await (keys.locked === true ? openForgetful(open, parts.database) : open())
  try {
    if (away === undefined) await recallOthers(store)
    const space = await SpaceWatch.over(store, parts.contributed)
    const catalogue = await openCatalogue({ ...parts, store, naming: { checkPath, categoryOf } })
    if (parts.welcome !== undefined)
      for await (const slice of slicesOf(parts.welcome)) await catalogue.admit(slice)
    await nameItself(catalogue, parts)
    const workers = new WorkerRunner(clock, log, pausedWorkers(store.own))
    const retireSwitch = new RetireSwitch(store.own, catalogue.device)
    const ownState = (): DeviceState => stateOf(parts, space, retireSwitch.isOn, away)
    const whole = membershipOf(catalogue, ownState, keys.locked)
    const membership = away === undefined ? whole : keepingNothing(whole)
    const budget = parts.budget ?? new Budget(limits.bulkBytes)
    const wake = (worker: string): void => workers.wake(worker)
    const onDropped = (): void => {
      pool.announce()
      wake('compact')
    }
    const isPromised = (id: ChunkId): boolean => pool.isPromised(id)
    const unfinished = new Unfinished({ store, catalogue, log, onDropped, wake, isPromised })
    const shared = { store, membership, budget, wake, ...needsOf(unfinished) }
    const pool = openPool({
      ...parts,
      ...shared,
      overBytes: () => space.overBytes(),
      onDropped: () => wake('compact'),
    })
    const collection = collectionOf(parts, { ...shared, pool, catalogue, onDropped })
    const retirement = new Retirement(
      { store, catalogue, membership, pool, clock, wake, onChange: () => ownChanged() },
      retireSwitch,
    )
    const ownChanged = (): void => {
      whole.changed()
      pool.speak()
    }
    const open = {
      budget,
      store,
      space,
      catalogue,
      membership,
      workers,
      unfinished,
      pool,
      collection,
      retireSwitch,
      retirement,
      ownChanged,
      away,
    }
    return new OpenCore({ ...parts, ...open })
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}

/** A device's first name; storage-only devices can not write one. */
async function nameItself(catalogue: Catalogue, { self, log, keys }: CoreParts): Promise<void> {
  if (keys.locked === true) return
  const own = catalogue.devices().find(({ device }) => device === catalogue.device)
  if (own?.kind !== 'device' || own.name !== undefined || own.revoked) return
  try {
    await catalogue.setDeviceName(catalogue.device, self.name())
  } catch (thrown) {
    // The records with its keys, and its name, may have rotted here: other devices have them.
    if (!isCode(thrown, 'KEY_UNAVAILABLE')) throw thrown
    log.warn('the names of devices cannot be opened yet', { reason: asPeerStorError(thrown).message })
  }
}

/** The signed statement of this device: what it gives, and where it is. */
function stateOf(
  { self, network, keys }: CoreParts,
  space: SpaceWatch,
  retiring: boolean,
  away?: PeerStorError,
): DeviceState {
  const zone = self.zone()
  return {
    contributed: space.contributed,
    // In steps, so that the statement is not signed again for every file.
    used: Math.round(space.used / limits.segmentBytes) * limits.segmentBytes,
    ...(zone === undefined ? {} : { zone: zoneTag(keys.pool, zone) }),
    full: space.full || away !== undefined,
    retiring,
    client: self.client(),
    addresses: network.addresses().slice(0, limits.peerAddresses),
    version: self.version,
  }
}

/** What lies on a disk that is away is no copy now; others find out for themselves. */
function keepingNothing(membership: Membership): Membership {
  const isSelf = ({ peer }: { peer: PeerId }): boolean => peer === membership.self
  return {
    ...membership,
    members: () =>
      membership.members().map((member) => (isSelf(member) ? { ...member, keeps: false } : member)),
  }
}

interface OpenCoreParts extends CoreParts {
  away: PeerStorError | undefined
  budget: Budget
  store: Store
  space: SpaceWatch
  catalogue: OpenedCatalogue
  membership: Membership
  workers: WorkerRunner
  unfinished: Unfinished
  pool: Pool
  collection: Collection
  retireSwitch: RetireSwitch
  retirement: Retirement
  /** What this device says of itself decides otherwise now: here at once, and others are told. */
  ownChanged: () => void
}

class OpenCore implements Core {
  readonly deletions: Deletions
  readonly store: Store
  readonly catalogue: OpenedCatalogue
  readonly pool: Pool
  readonly collection: Collection
  readonly membership: Membership
  readonly workers: WorkerRunner
  readonly files: Files
  readonly safety: Safety
  readonly invites: Invites
  readonly retirement: Retirement
  readonly scrubJob: ScrubJob
  readonly rekey: Rekey
  readonly #parts: OpenCoreParts
  readonly #filesParts: FilesParts
  /** Files that asked for the most copies when it was last looked. */
  #priorities = 0

  constructor(parts: OpenCoreParts) {
    this.#parts = parts
    this.store = parts.store
    this.catalogue = parts.catalogue
    this.pool = parts.pool
    this.collection = parts.collection
    this.membership = parts.membership
    this.workers = parts.workers
    const uploads = new UploadBook(
      () => parts.store.own,
      parts.clock,
      parts.random,
      () => parts.workers.wake('uploads'),
    )
    const quotas = new FolderQuotas({ ...parts, uploads })
    this.#filesParts = {
      ...parts,
      quotas,
      write: quotas.guard((versions) => parts.catalogue.write(versions)),
      thumbnails: new Thumbnails(parts.thumbnailer),
      uploads,
      smallFiles: new SmallFiles(),
      manifestNodes: new ManifestNodes(),
      require: () => undefined,
      room: async () => {
        if (parts.away !== undefined) throw parts.away
        return { ...(await parts.space.room()), storage: parts.storage }
      },
      presence: (peer) => this.#presence(peer),
      paused: () => parts.workers.paused(),
      alarm: (kind, device) => parts.onAlarm?.(kind, device),
    }
    this.files = openFiles(this.#filesParts)
    this.deletions = new Deletions(this.#filesParts)
    this.rekey = new Rekey(this.#filesParts)
    this.safety = new Safety({
      read: parts.store.read,
      clock: parts.clock,
      folders: () =>
        parts.catalogue
          .folders()
          .map(({ id }) => ({ id, want: parts.pool.want(id), wantMost: parts.pool.want(id, true) })),
      peers: () => parts.pool.countedPeers(),
    })
    this.invites = new Invites({ ...parts, poolSecret: parts.keys.poolSecret })
    serveInvites(parts.network, () => this.invites)
    this.retirement = parts.retirement
    serveRetirement(parts.network, parts.catalogue, parts.retirement)
    this.scrubJob = new ScrubJob({ ...parts, verifier: parts.store.verifier })
    serveScrub(parts.network, parts.catalogue, this.scrubJob)
    serveRecovery(parts.network, parts.catalogue, parts.store, parts.keys.poolSecret)
  }

  filesFor(require: FilesParts['require']): Files {
    return openFiles({ ...this.#filesParts, require })
  }

  chunksAt(path: string): ChunkId[] {
    return chunksAt(this.#filesParts, path)
  }

  ownState(): DeviceState {
    return stateOf(this.#parts, this.#parts.space, this.#parts.retireSwitch.isOn)
  }

  used(): number {
    return this.#parts.space.used
  }

  contributed(): number {
    return this.#parts.space.contributed
  }

  async changed(): Promise<void> {
    await this.#parts.space.refresh()
    this.#parts.ownChanged()
  }

  async start(): Promise<void> {
    const { away, catalogue, clock, keys, pool, workers, space, unfinished, onAlarm } = this.#parts
    catalogue.on((event) => {
      if (event.type === 'alarm') onAlarm?.(event.kind, event.device)
      else pool.announce()
      if (event.type === 'folders') for (const name of ['retention', 'expiry', 'rekey']) workers.wake(name)
      if (event.type !== 'versions') return
      this.#lookAtPriorities()
      this.deletions.changed(event.folders)
      workers.wake('deletions')
      // This device's own come with the list of their chunks.
      if (event.own !== true) workers.wake('manifests')
      workers.wake('search')
    })
    await pool.start()
    if (away !== undefined) return workers.add(new ChunksOf(this.#filesParts))
    for (const worker of pool.workers()) workers.add(worker)
    workers.add(space)
    workers.add(new Compaction(this.store, clock, () => space.isDiskShort))
    // Whoever can open nothing knows nothing of what files need.
    if (keys.locked === true) return
    workers.add(new ChunksOf({ ...this.#filesParts, onListed: () => this.#lookAtPriorities() }))
    workers.add(new UploadKeeper(this.#filesParts))
    workers.add(this.retirement)
    workers.add(new SearchIndex(this.#filesParts))
    workers.add(new Retention(this.#filesParts))
    workers.add(this.rekey)
    workers.add(this.deletions)
    workers.add(new Expire({ ...this.#filesParts, isClockWrong: () => clockOff({ pool }) !== undefined }))
    workers.add(unfinished)
    for (const worker of this.collection.workers()) workers.add(worker)
  }

  async quiesce(): Promise<void> {
    this.scrubJob.stop()
    // Together: a step of repair ends when its offers do, and those end with the pool.
    await Promise.all([this.workers.stop(), this.pool.stop()])
    await this.catalogue.close()
  }

  async stop(): Promise<void> {
    await this.quiesce()
    await this.store.close()
  }

  /** Repair brings the copies that a file asks for now. */
  #lookAtPriorities(): void {
    const { catalogue, store, pool } = this.#parts
    const priorities = catalogue.folders().reduce((sum, { id }) => sum + store.read.priorities(id), 0)
    if (priorities !== this.#priorities) pool.wantsChanged()
    this.#priorities = priorities
  }

  #presence(peer: PeerId): PeerPresence {
    const member = this.membership.members().find((member) => member.peer === peer)
    const health = this.pool.health().find((health) => health.peer === peer)
    const self = peer === this.catalogue.peer
    return {
      online: self || health?.connected === true,
      lastSeen: self ? this.#parts.clock.now() : health?.lastSeen,
      zone: member?.zone,
      hasRoom: member !== undefined && member.keeps && !member.full,
    }
  }
}
