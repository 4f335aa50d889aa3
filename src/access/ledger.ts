/**
 * The records of the pool as they come and go: taking in from outside, writing this device's own,
 * and what follows from both: versions opened, statuses changed, keys wrapped, alarms raised. One
 * change at a time; versions of this device are written beside it.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError, fail, isCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import {
  type DeviceId,
  type FolderId,
  type PeerId,
  type PoolId,
  type RecordHash,
  type Role,
} from '../base/words.ts'
import type { FolderKeys } from '../codec/codec.ts'
import type { Batch, RecordHead } from '../codec/record.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { IndexWrite, Store } from '../store/store.ts'
import type { AdmitReport, CatalogueEvent } from './catalogue.ts'
import { CatalogueState, isForIndex, type Settled } from './catalogue-state.ts'
import { Chain, type ChainEnd, type Draft, type Written } from './chain.ts'
import { deviceOfKeys, type PoolKeys } from './device-keys.ts'
import { keyUnavailable } from './folder-keys.ts'
import { ForkWatch, type Fork } from './forks.ts'
import { HybridClock } from './hybrid-clock.ts'
import { Intake } from './intake.ts'
import { peerIdOf } from './peer-id.ts'
import { batchMadeAgain, readableBatch } from './mend.ts'
import { isOfFiles, isVersion, openOfFiles, statusWrites, type Naming } from './versions.ts'

export interface LedgerParts {
  store: Store
  keys: PoolKeys
  clock: Clock
  random: Random
  log: Log
  naming: Naming
}

/** Versions opened and indexed at once when keys arrive. */
const openAtOnce = 256
/** Rows of a record that could be opened, or never will be. */
const opened: ReadonlySet<IndexWrite['op']> = new Set(['version', 'invalid', 'reseal'])
/** Bytes of batches taken in at once: about 300 versions, 30 ms. */
const admitBytes = 256 * 1024

export class Ledger {
  readonly pool: PoolId
  readonly device: DeviceId
  readonly peer: PeerId
  readonly time: HybridClock
  readonly state: CatalogueState
  readonly #parts: LedgerParts
  readonly #intake: Intake
  readonly #listeners = new Set<(event: CatalogueEvent) => void>()
  readonly #forks: ForkWatch
  /** Folders with versions of this device that no listener has heard of. */
  readonly #changed = new Set<FolderId>()
  #chain: Chain
  #turn: Promise<unknown> = Promise.resolve()
  #wakeForFuture: (() => void) | undefined
  #closed = false

  constructor(parts: LedgerParts) {
    const { keys, store, clock, random, naming } = parts
    this.#parts = parts
    this.pool = keys.pool
    this.device = deviceOfKeys(keys)
    this.peer = peerIdOf(keys.secrets.peer.publicKey)
    this.time = new HybridClock(clock)
    this.state = new CatalogueState(keys, store.read, this.time, naming, random)
    this.#intake = new Intake(this.state.authority, store.read)
    this.#forks = new ForkWatch(store.read)
    this.#chain = this.#newChain()
  }

  /** Takes in what the store holds; makes a new pool's records and folders where they are missing. */
  async begin(
    genesis: readonly Uint8Array[],
    held: readonly { batch: Batch; wanted: ReadonlyMap<string, number> }[],
  ): Promise<void> {
    const { read } = this.#parts.store
    const loaded = held.flatMap(({ batch, wanted }) =>
      batch.records
        .filter(({ hash }) => wanted.has(hash))
        .map((record) => ({ record, position: wanted.get(record.hash)! })),
    )
    for (const device of read.devices())
      for (const { head } of read.heads(device)) this.time.observe(head.time)
    await this.#apply(this.state.begin(loaded))
    this.#forks.begin()
    await this.admit(genesis)
    this.#chain = this.#newChain()
    await unlessAway(this.#openUnopened())
    this.#awaitFuture()
    await unlessAway(this.inTurn(() => this.#tendKeys()))
  }

  async admit(batches: readonly Uint8Array[]): Promise<AdmitReport> {
    const report: AdmitReport = { added: 0, waiting: 0, refused: [] }
    const waiting = new Set<RecordHash>()
    for (const slice of slicesOf(batches)) {
      const part = await this.inTurn(() => this.#admitSlice(slice))
      report.added += part.added
      report.refused.push(...part.refused)
      for (const last of part.waiting) waiting.add(last)
    }
    const { read } = this.#parts.store
    return { ...report, waiting: [...waiting].filter((last) => !read.hasRecord(last)).length }
  }

  async #admitSlice(
    batches: readonly Uint8Array[],
  ): Promise<Omit<AdmitReport, 'waiting'> & { waiting: RecordHash[] }> {
    const { batches: accepted, refused, waiting } = this.#intake.sort(batches)
    const written = accepted.flatMap(({ batch, position }) =>
      batch.records.map((record, index) => ({ record, position: position + index })),
    )
    if (written.length > 0) {
      const stored = accepted.map(({ batch }) => batch)
      await this.#takeIn(stored, written)
    }
    for (const { reason } of refused) this.#parts.log.warn('records refused', { reason })
    return { added: written.length, waiting, refused }
  }

  async writeKeys(folder: FolderId): Promise<FolderKeys> {
    return this.state.writing(folder) ?? (await this.inTurn(() => this.#makeWriteKeys(folder)))
  }

  on(listener: (event: CatalogueEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wakeForFuture?.()
    await this.#turn.catch(() => undefined)
    await this.#chain.close()
  }

  /** Writes records of this device and settles what follows from them. */
  async append(drafts: readonly Draft[]): Promise<Written[]> {
    this.checkMayWrite('change the pool')
    return await this.inTurn(() => this.writeInTurn(drafts))
  }

  /** Writes versions of this device: durable, indexed and visible when it resolves. */
  async writeVersions(...job: Parameters<Chain['write']>): Promise<Written[]> {
    const written = await this.#chain.write(...job)
    // Where the clock was set back, even what was written just now may lie in the future.
    if (written.some(({ record }) => this.time.isFuture(record.head.time))) this.#awaitFuture()
    this.#emitChanged()
    return written
  }

  /** Writes records from which nothing follows for who counts or what opens. */
  async writeFacts(drafts: readonly Draft[]): Promise<void> {
    await this.#chain.write(drafts)
  }

  /** What a peer may ask now. */
  roleOf(peer: PeerId): Role {
    const judged = this.state.authority.deviceOfPeer(peer)
    const role = judged === undefined ? 'stranger' : this.state.authority.roleOf(judged)
    const isLockedSelf = peer === this.peer && this.#parts.keys.locked === true
    return isLockedSelf && (role === 'member' || role === 'admin') ? 'storage' : role
  }

  /** What a device's chain shows besides one history. */
  forkOf(device: DeviceId): Fork | undefined {
    return this.#forks.forkOf(device)
  }

  checkMayWrite(action: string): void {
    if (this.#parts.keys.locked === true) throw fail('PEER_LOCKED')
    const role = this.roleOf(this.peer)
    if (role !== 'member' && role !== 'admin') throw fail('FORBIDDEN', { role, action })
  }

  emit(event: CatalogueEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  /** One change of the state at a time; a failed one does not stop the next. */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run, run)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async writeInTurn(drafts: readonly Draft[]): Promise<Written[]> {
    const written = await this.#chain.write(drafts)
    await this.#apply(this.state.settle(), written.length > 0)
    return written
  }

  /** Makes a damaged batch of this device's own versions again, byte for byte; false where that cannot be. */
  async mend(last: RecordHash): Promise<boolean> {
    return await this.inTurn(async () => {
      const batch = batchMadeAgain({ ...this.#parts, state: this.state }, last)
      if (batch === undefined) return false
      await this.#parts.store.commit({ batches: [batch] })
      return true
    })
  }

  // Taking in

  async #takeIn(batches: readonly Batch[], written: readonly Written[]): Promise<void> {
    const filled = filledBy(batches, this.#parts.store.read)
    await this.#parts.store.commit({ batches })
    for (const device of filled) this.state.moved(device)
    this.state.learn(written)
    const settled = this.state.settle()
    const versions = written.filter(({ record }) => isOfFiles(record.head))
    const rows = versions.flatMap(({ record, position }) => openOfFiles(this.state, record, position))
    const folders = new Set([...settled.folders, ...versions.map(({ record }) => record.head.folder!)])
    const index = [...settled.index, ...rows]
    const others = written.some(({ record }) => !isForIndex(record.head))
    await this.#apply({ ...settled, index, folders }, others)
    this.#raiseAlarms(written, filled)
    if (settled.opened) await this.#openUnopened()
    this.#awaitFuture()
    if (others) await this.#tendKeys()
  }

  /** Rows first, so that listeners read what they are told of. `others`: names, policies, wraps are new. */
  async #apply(settled: Settled, others = false): Promise<void> {
    await this.#parts.store.index(settled.index)
    if (settled.judged) this.emit({ type: 'authority' })
    if (settled.judged || settled.opened || others) this.emit({ type: 'folders' })
    if (settled.folders.size > 0) this.emit({ type: 'versions', folders: [...settled.folders] })
  }

  /** Opens the versions whose keys have arrived; those without keys stay where they are. */
  async #openUnopened(): Promise<void> {
    for (const folder of this.state.ring.openFolders()) {
      let skipped = 0
      for (;;) {
        const records = this.#parts.store.read.unopened(folder, skipped + openAtOnce).slice(skipped)
        if (records.length === 0) break
        const rows = await this.#openRecords(records)
        await this.#parts.store.index(rows)
        skipped += records.length - rows.filter(({ op }) => opened.has(op)).length
        this.emit({ type: 'versions', folders: [folder] })
      }
    }
  }

  async #openRecords(
    records: readonly { hash: RecordHash; batch: RecordHash; position: number }[],
  ): Promise<IndexWrite[]> {
    const rows: IndexWrite[] = []
    for (const [last, group] of Map.groupBy(records, ({ batch }) => batch)) {
      const batch = await readableBatch(this.#parts, last)
      if (batch === undefined) continue
      const positions = new Map(group.map(({ hash, position }) => [hash, position]))
      for (const record of batch.records) {
        const position = positions.get(record.hash)
        if (position !== undefined) rows.push(...openOfFiles(this.state, record, position))
      }
    }
    return rows
  }

  /** Once for all that became durable together: the first of its writers tells. */
  #emitChanged(): void {
    const folders = [...this.#changed]
    this.#changed.clear()
    if (folders.length > 0) this.emit({ type: 'versions', folders, own: true })
  }

  #raiseAlarms(written: readonly Written[], filled?: ReadonlySet<DeviceId>): void {
    for (const { device, kind } of this.#forks.look(written, filled)) {
      this.#parts.log.warn('a device has forked its chain', { device, kind })
      this.emit({ type: 'alarm', kind, device })
    }
  }

  /** Wakes when the first version from the future is present. */
  #awaitFuture(): void {
    this.#wakeForFuture?.()
    this.#wakeForFuture = undefined
    const [first] = this.#parts.store.read.future(1)
    if (first === undefined || this.#closed) return
    const wait = Math.min(this.time.untilPresent(first.time) + 1, 2 ** 31 - 1)
    this.#wakeForFuture = this.#parts.clock.after(wait, () => {
      this.inTurn(() => this.#admitPresent()).catch((thrown: unknown) =>
        this.#parts.log.error('versions whose time has come are not shown', {
          reason: asPeerStorError(thrown).message,
        }),
      )
    })
  }

  async #admitPresent(): Promise<void> {
    if (this.#closed) return
    const { read } = this.#parts.store
    const due = read.future(openAtOnce).filter(({ time }) => !this.time.isFuture(time))
    const records = due.map(({ version }) => read.record(version)).filter((record) => record !== undefined)
    const index = statusWrites(this.state, records)
    const folders = new Set(due.map(({ folder }) => folder))
    await this.#apply({ index, folders, judged: false, opened: false })
    this.#awaitFuture()
  }

  async #makeWriteKeys(folder: FolderId): Promise<FolderKeys> {
    const known = this.state.writing(folder)
    if (known !== undefined) return known
    this.checkMayWrite('write in this folder')
    if (!this.state.ring.openFolders().has(folder)) throw keyUnavailable(folder)
    const readers = this.state.readersOf(folder)
    await this.writeInTurn(this.state.ring.lackingWraps(folder, readers))
    const wrapped = this.state.writing(folder)
    if (wrapped !== undefined) return wrapped
    const made = this.state.ring.newEpoch(folder, readers)
    await this.writeInTurn(made.drafts)
    return this.state.writing(folder) ?? made.keys
  }

  /** A fresh secret for a folder: what is written from now on is equal to nothing of before. */
  async rekey(folder: FolderId): Promise<void> {
    this.checkMayWrite('give a folder new keys')
    await this.inTurn(async () => {
      if (!this.state.ring.openFolders().has(folder)) throw keyUnavailable(folder)
      const readers = this.state.readersOf(folder)
      await this.writeInTurn(this.state.ring.newEpoch(folder, readers, { rekey: true }).drafts)
    })
  }

  /** Adds the wraps that head epochs lack and reports those that were wrong. */
  async #tendKeys(): Promise<void> {
    const { authority, ring, book } = this.state
    const judged = authority.device(this.device)
    if (judged === undefined || judged.kind === 'storage' || authority.roleOf(judged) === 'ex-member') return
    const lacking = [...ring.openFolders()]
      .filter((folder) => book.isMember(folder, judged.user))
      .flatMap((folder) => ring.lackingWraps(folder, this.state.readersOf(folder)))
    await this.writeInTurn([...lacking, ...ring.refusals()])
  }

  #newChain(): Chain {
    const { keys, store, random } = this.#parts
    return new Chain(
      {
        pool: this.pool,
        device: this.device,
        key: keys.secrets.record,
        store,
        time: this.time,
        random,
        onWritten: (written) => {
          this.state.learn(written)
          // A copy of this disk may have gone on from the same record, and been heard of before.
          this.#raiseAlarms(written)
          for (const { record } of written) if (isVersion(record.head)) this.#changed.add(record.head.folder!)
        },
      },
      this.#chainEnd(),
    )
  }

  /**
   * Where this device's chain goes on; of several ends (a restored disk) the longest. What links to a
   * record that rotted can be taken in by nobody: such an end only counts when there is no other.
   */
  #chainEnd(): ChainEnd {
    const { read } = this.#parts.store
    const ends = read.heads(this.device).sort((a, b) => b.position - a.position)
    const end = ends.length > 1 ? (ends.find(({ head }) => this.#isAllHere(head)) ?? ends[0]) : ends[0]
    return { previous: end?.hash, position: end?.position ?? -1 }
  }

  #isAllHere(last: RecordHead): boolean {
    let { previous } = last
    while (previous !== undefined) {
      const record = this.#parts.store.read.record(previous)
      if (record === undefined) return false
      ;({ previous } = record.head)
    }
    return true
  }
}

/** Batches taken in at once: few enough that opening them does not hold up everything else. */
function slicesOf(batches: readonly Uint8Array[]): Uint8Array[][] {
  const slices: Uint8Array[][] = []
  let bytes = Infinity
  for (const batch of batches) {
    if (bytes + batch.length > admitBytes) {
      slices.push([])
      bytes = 0
    }
    slices.at(-1)!.push(batch)
    bytes += batch.length
  }
  return slices
}

/** Devices in whose chain these batches, not stored yet, fill a hole: something that is here links to them. */
function filledBy(batches: readonly Batch[], read: IndexReader): Set<DeviceId> {
  const devices = new Set<DeviceId>()
  for (const { records } of batches) {
    const { device, previous } = records[0]!.head
    // Before a hole a chain ends; only one at its beginning leaves but one end.
    if (devices.has(device) || (previous !== undefined && read.heads(device).length < 2)) continue
    if (records.some(({ hash }) => read.isFollowed(hash))) devices.add(device)
  }
  return devices
}

/** What has to wait for the storage folder waits for the next start. */
async function unlessAway(work: Promise<void>): Promise<void> {
  await work.catch((thrown: unknown) => {
    if (!isCode(thrown, 'STORAGE_MISSING') && !isCode(thrown, 'STORAGE_FAILED')) throw thrown
  })
}
