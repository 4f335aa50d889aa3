/** The catalogue over a store: taking in, writing, and what the records held say now. */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import {
  idOf,
  type DeviceId,
  type EntryId,
  type FolderId,
  type PeerId,
  type PoolId,
  type RecordHash,
  type Role,
  type UserId,
} from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { FolderKeys } from '../codec/codec.ts'
import type { Batch } from '../codec/record.ts'
import { decodeVersionBody, encodeVersionBody, type VersionBody } from '../codec/version-body.ts'
import type { IndexWrite, Store } from '../store/store.ts'
import type { VersionRow } from '../store/view.ts'
import type {
  AdmitReport,
  Catalogue,
  CatalogueEvent,
  Device,
  DeviceState,
  Folder,
  NewVersion,
  Policy,
  WrittenVersion,
} from './catalogue.ts'
import { encodeCertificate, type Certified } from './certificate.ts'
import { CatalogueState, type Settled } from './catalogue-state.ts'
import { Chain, type ChainEnd, type Draft, type Written } from './chain.ts'
import { deviceOfKeys, type PoolKeys } from './device-keys.ts'
import { folderIdOf } from './folder-book.ts'
import { keyUnavailable } from './folder-keys.ts'
import { forksIn } from './forks.ts'
import { HybridClock } from './hybrid-clock.ts'
import { Intake } from './intake.ts'
import { peerIdOf } from './peer-id.ts'
import { adoptBody, folderBody, nameBody, policyBody, printedBody, type SignedRequest } from './record-bodies.ts'
import { planRevocation } from './revoke.ts'
import { makeStatement, readStatement } from './statement.ts'
import type { Judged } from './verdict.ts'
import { isVersion, openVersion, rowOf, statusWrites, type Naming } from './versions.ts'

export interface OpenedParts {
  store: Store
  keys: PoolKeys
  clock: Clock
  random: Random
  log: Log
  naming: Naming
}

/** Versions opened and indexed at once when keys arrive. */
const openAtOnce = 256

export class OpenedCatalogue implements Catalogue {
  readonly pool: PoolId
  readonly device: DeviceId
  readonly peer: PeerId
  readonly #parts: OpenedParts
  readonly #time: HybridClock
  readonly #state: CatalogueState
  readonly #intake: Intake
  readonly #listeners = new Set<(event: CatalogueEvent) => void>()
  readonly #forked = new Map<DeviceId, number>()
  #chain: Chain
  #turn: Promise<unknown> = Promise.resolve()
  #wakeForFuture: (() => void) | undefined
  #closed = false

  constructor(parts: OpenedParts) {
    const { keys, store, clock, random, naming } = parts
    this.#parts = parts
    this.pool = keys.pool
    this.device = deviceOfKeys(keys)
    this.peer = peerIdOf(keys.secrets.peer.publicKey)
    this.#time = new HybridClock(clock)
    this.#state = new CatalogueState(keys, store.read, this.#time, naming, random)
    this.#intake = new Intake(this.#state.authority, store.read)
    this.#chain = this.#newChain()
  }

  get user(): UserId {
    const judged = this.#state.authority.device(this.device)
    if (judged === undefined) throw fail('FORBIDDEN', { role: 'a device without certificate', action: 'act' })
    return judged.user
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
    for (const device of read.devices()) for (const { head } of read.heads(device)) this.#time.observe(head.time)
    await this.#apply(this.#state.begin(loaded))
    for (const device of read.devices()) this.#forked.set(device, read.heads(device).length)
    await this.admit(genesis)
    this.#chain = this.#newChain()
    await this.#openUnopened()
    this.#awaitFuture()
    if (genesis.length > 0) await this.#firstFolders()
    await this.#inTurn(() => this.#tendKeys())
  }

  async admit(batches: readonly Uint8Array[]): Promise<AdmitReport> {
    return await this.#inTurn(async () => {
      const { batches: accepted, refused } = this.#intake.sort(batches)
      const written = accepted.flatMap(({ batch, position }) =>
        batch.records.map((record, index) => ({ record, position: position + index })),
      )
      if (written.length > 0) await this.#takeIn(accepted.map(({ batch }) => batch), written)
      for (const { reason } of refused) this.#parts.log.warn('records refused', { reason })
      return { added: written.length, waiting: this.#intake.waiting, refused }
    })
  }

  async write(versions: readonly NewVersion[]): Promise<WrittenVersion[]> {
    this.#checkMayWrite('write files')
    const drafts: (Draft & { entry: EntryId })[] = []
    for (const { folder, entry, parents, body } of versions) {
      const keys = this.#state.writing(folder) ?? (await this.writeKeys(folder))
      const id = entry ?? idOf<EntryId>(this.#parts.random.bytes(16))
      drafts.push({ kind: 'version', folder, entry: id, parents, keys, body: encodeVersionBody(body) })
    }
    const written = await this.#chain.write(drafts, (records) => ({
      index: records.flatMap((one, index) => this.#rowsOf(one, versions[index]!)),
      pins: versions.flatMap(({ pins }) => pins ?? []),
    }))
    this.#emit({ type: 'versions', folders: [...new Set(versions.map(({ folder }) => folder))] })
    return written.map(({ record }) => ({ version: record.hash, entry: record.head.entry! }))
  }

  // People and devices

  devices(): Device[] {
    return this.#state.authority.devices().map((judged) => this.#deviceFrom(judged))
  }

  deviceOf(peer: PeerId): Device | undefined {
    const judged = this.#state.authority.deviceOfPeer(peer)
    return judged && this.#deviceFrom(judged)
  }

  roleOf(peer: PeerId): Role {
    const judged = this.#state.authority.deviceOfPeer(peer)
    return judged === undefined ? 'stranger' : this.#state.authority.roleOf(judged)
  }

  async setDeviceName(device: DeviceId, name: string): Promise<void> {
    const { directory } = this.#state
    const keys = await this.writeKeys(directory)
    await this.append([{ kind: 'name', folder: directory, keys, body: encode(nameBody, { device, name }) }])
  }

  async revoke(devices: readonly DeviceId[]): Promise<Device[]> {
    return await this.#inTurn(async () => {
      const plan = planRevocation(this.#state, this.#parts.store.read, this.device, devices)
      await this.#writeAndSettle(plan.drafts)
      return this.devices().filter(({ device }) => plan.fallen.has(device))
    })
  }

  // Folders

  folders(): Folder[] {
    return this.#state.book.folders().map(({ id, created, name }) => ({
      id,
      created,
      name,
      policy: this.#state.book.policyOf(id),
      open: this.#state.ring.openFolders().has(id),
    }))
  }

  folderNamed(name: string): Folder | undefined {
    return this.folders().find((folder) => folder.name === name)
  }

  async createFolder(name: string, policy?: Partial<Policy>): Promise<Folder> {
    return await this.#inTurn(() => this.#createFolder(name, policy))
  }

  async setPolicy(folder: FolderId, policy: Partial<Policy>): Promise<Folder> {
    await this.append([this.#policyDraft(folder, policy)])
    this.#emit({ type: 'folders' })
    return this.#folder(folder)
  }

  async removeFolder(folder: FolderId): Promise<void> {
    const { name = '' } = this.#folder(folder)
    const keys = await this.writeKeys(folder)
    await this.append([{ kind: 'folder', folder, keys, body: encode(folderBody, { name, removed: true }) }])
    this.#emit({ type: 'folders' })
  }

  async adopt(versions: readonly RecordHash[]): Promise<void> {
    const { read } = this.#parts.store
    const records = versions.map((hash) => {
      const record = read.record(hash)
      if (record?.head.folder === undefined) throw fail('RECORD_UNKNOWN', { hash })
      return record
    })
    const byFolder = [...Map.groupBy(records, ({ head }) => head.folder!)]
    await this.append(
      byFolder.map(([folder, group]) => ({
        kind: 'adopt',
        folder,
        body: encode(adoptBody, { versions: group.map(({ hash }) => hash) }),
      })),
    )
  }

  // Keys

  async writeKeys(folder: FolderId): Promise<FolderKeys> {
    return this.#state.writing(folder) ?? (await this.#inTurn(() => this.#makeWriteKeys(folder)))
  }

  readKeys(version: RecordHash): FolderKeys {
    const head = this.#parts.store.read.record(version)?.head
    if (head?.folder === undefined || head.epoch === undefined) throw fail('RECORD_UNKNOWN', { hash: version })
    const keys = this.#state.ring.keys(head.epoch)
    if (keys === undefined) throw keyUnavailable(head.folder)
    return keys
  }

  /** A version's body, opened again from the record. */
  async bodyOf(version: RecordHash): Promise<VersionBody> {
    const batch = await this.#parts.store.batchOf(version)
    const record = batch.records.find(({ hash }) => hash === version)
    const plaintext = record && this.#state.ring.open(record)
    if (plaintext === undefined) throw keyUnavailable(record?.head.folder ?? ('' as FolderId))
    return decodeVersionBody(plaintext)
  }

  // Recovery key

  /** Says that the paper of this user's recovery key is in safe hands. */
  async confirmRecovery(device: DeviceId): Promise<void> {
    await this.append([{ kind: 'printed', body: encode(printedBody, { device }) }])
  }

  /** Whether a recovery key's paper was confirmed. */
  isPrinted(device: DeviceId): boolean {
    return this.#state.book.isPrinted(device)
  }

  // Statements

  makeStatement(state: DeviceState): Uint8Array {
    return makeStatement(state, {
      pool: this.pool,
      device: this.device,
      key: this.#parts.keys.secrets.record,
      time: this.#time.next(),
    })
  }

  async admitStatement(bytes: Uint8Array): Promise<DeviceState | undefined> {
    const { authority } = this.#state
    const read = readStatement(bytes, this.pool, (device) => authority.recordKeyOf(device))
    const judged = authority.device(read.device)
    if (judged === undefined || authority.roleOf(judged) === 'ex-member') return undefined
    if (this.#time.isFuture(read.time)) return undefined
    const known = this.#statementOf(read.device)
    if (known !== undefined && known.isAtLeast(read)) return undefined
    await this.#parts.store.index([{ op: 'statement', device: read.device, bytes }])
    this.#time.observe(read.time)
    return read.state
  }

  stateOf(device: DeviceId): DeviceState | undefined {
    return this.#statementOf(device)?.state
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
    this.#checkMayWrite('change the pool')
    return await this.#inTurn(() => this.#writeAndSettle(drafts))
  }

  /** Certifies a device for this user: its wraps and name come before its certificate, in one batch. */
  async certify(subject: Certified, request: SignedRequest, name: string): Promise<RecordHash> {
    return await this.#inTurn(async () => {
      const certificate: Draft = { kind: 'certificate', body: encodeCertificate({ request, user: this.user }) }
      const written = await this.#writeAndSettle([
        ...(subject.kind === 'storage' ? [] : this.#wrapsFor(subject)),
        ...this.#nameDrafts(subject.device, name),
        certificate,
      ])
      return written.at(-1)!.record.hash
    })
  }

  /** What invites need: the judged state, read only. */
  get state(): CatalogueState {
    return this.#state
  }

  // Taking in

  async #takeIn(batches: readonly Batch[], written: readonly Written[]): Promise<void> {
    await this.#parts.store.commit({ batches })
    this.#state.learn(written)
    const settled = this.#state.settle()
    const versions = written.filter(({ record }) => isVersion(record.head))
    const rows = versions.flatMap(({ record, position }) => openVersion(this.#state, record, position))
    await this.#apply({
      ...settled,
      index: [...settled.index, ...rows],
      folders: new Set([...settled.folders, ...versions.map(({ record }) => record.head.folder!)]),
    })
    this.#raiseAlarms(written)
    if (settled.opened) await this.#openUnopened()
    this.#awaitFuture()
    if (versions.length < written.length) await this.#tendKeys()
  }

  /** Rows first, so that listeners read what they are told of. */
  async #apply(settled: Settled): Promise<void> {
    await this.#parts.store.index(settled.index)
    if (settled.judged) this.#emit({ type: 'authority' })
    if (settled.judged || settled.opened) this.#emit({ type: 'folders' })
    if (settled.folders.size > 0) this.#emit({ type: 'versions', folders: [...settled.folders] })
  }

  /** Opens the versions whose keys have arrived; those without keys stay where they are. */
  async #openUnopened(): Promise<void> {
    for (const folder of this.#state.ring.openFolders()) {
      let skipped = 0
      for (;;) {
        const records = this.#parts.store.read.unopened(folder, skipped + openAtOnce).slice(skipped)
        if (records.length === 0) break
        const rows = await this.#openRecords(records)
        await this.#parts.store.index(rows)
        skipped += records.length - rows.filter(({ op }) => op === 'version' || op === 'invalid').length
        this.#emit({ type: 'versions', folders: [folder] })
      }
    }
  }

  async #openRecords(records: readonly { hash: RecordHash; batch: RecordHash; position: number }[]): Promise<IndexWrite[]> {
    const rows: IndexWrite[] = []
    for (const [last, group] of Map.groupBy(records, ({ batch }) => batch)) {
      const batch = await this.#parts.store.batch(last)
      const positions = new Map(group.map(({ hash, position }) => [hash, position]))
      for (const record of batch.records) {
        const position = positions.get(record.hash)
        if (position !== undefined) rows.push(...openVersion(this.#state, record, position))
      }
    }
    return rows
  }

  #raiseAlarms(written: readonly Written[]): void {
    const { read } = this.#parts.store
    for (const device of new Set(written.map(({ record }) => record.head.device))) {
      const heads = read.heads(device).length
      if (heads > (this.#forked.get(device) ?? 1))
        for (const kind of forksIn(read.recordsOfDevice(device), written)) {
          this.#parts.log.warn('a device has forked its chain', { device, kind })
          this.#emit({ type: 'alarm', kind, device })
        }
      this.#forked.set(device, heads)
    }
  }

  /** Wakes when the first version from the future is present. */
  #awaitFuture(): void {
    this.#wakeForFuture?.()
    this.#wakeForFuture = undefined
    const [first] = this.#parts.store.read.future(1)
    if (first === undefined || this.#closed) return
    const wait = Math.min(this.#time.untilPresent(first.time) + 1, 2 ** 31 - 1)
    this.#wakeForFuture = this.#parts.clock.after(wait, () => void this.#inTurn(() => this.#admitPresent()))
  }

  async #admitPresent(): Promise<void> {
    if (this.#closed) return
    const { read } = this.#parts.store
    const due = read.future(openAtOnce).filter(({ time }) => !this.#time.isFuture(time))
    const records = due.map(({ version }) => read.record(version)).filter((record) => record !== undefined)
    const index = statusWrites(this.#state, records)
    const folders = new Set(due.map(({ folder }) => folder))
    await this.#apply({ index, folders, judged: false, opened: false })
    this.#awaitFuture()
  }

  // Writing

  #rowsOf({ record, position }: Written, version: NewVersion): IndexWrite[] {
    const row: VersionRow = rowOf(this.#state, { hash: record.hash, head: record.head, position }, version.body)
    return [
      { op: 'version', row },
      { op: 'content', version: record.hash, ids: version.chunks },
      ...(version.index ?? []),
    ]
  }

  async #writeAndSettle(drafts: readonly Draft[]): Promise<Written[]> {
    const written = await this.#chain.write(drafts)
    await this.#apply(this.#state.settle())
    return written
  }

  async #makeWriteKeys(folder: FolderId): Promise<FolderKeys> {
    const known = this.#state.writing(folder)
    if (known !== undefined) return known
    this.#checkMayWrite('write in this folder')
    if (!this.#state.ring.openFolders().has(folder)) throw keyUnavailable(folder)
    const readers = this.#state.readersOf(folder)
    await this.#writeAndSettle(this.#state.ring.lackingWraps(folder, readers))
    const wrapped = this.#state.writing(folder)
    if (wrapped !== undefined) return wrapped
    const made = this.#state.ring.newEpoch(folder, readers)
    await this.#writeAndSettle(made.drafts)
    return this.#state.writing(folder) ?? made.keys
  }

  /** Every folder of this user, as if the device counted already. */
  #wrapsFor({ device, encryptionKey }: Certified): Draft[] {
    const { ring, book } = this.#state
    return [...ring.openFolders()]
      .filter((folder) => book.isMember(folder, this.user))
      .flatMap((folder) => {
        const readers = this.#state.readersOf(folder)
        const more = { ...readers, recipients: new Map([...readers.recipients, [device, encryptionKey]]) }
        const isExposed = ring.writing(folder, readers) === undefined && ring.isExposed(folder, readers)
        return isExposed ? ring.newEpoch(folder, more).drafts : ring.lackingWraps(folder, more)
      })
  }

  #nameDrafts(device: DeviceId, name: string): Draft[] {
    const { directory } = this.#state
    const keys = this.#state.writing(directory)
    if (keys === undefined || name === '') return []
    return [{ kind: 'name', folder: directory, keys, body: encode(nameBody, { device, name }) }]
  }

  /** Adds the wraps that head epochs lack and reports those that were wrong. */
  async #tendKeys(): Promise<void> {
    const { authority, ring, book } = this.#state
    const judged = authority.device(this.device)
    if (judged === undefined || judged.kind === 'storage' || authority.roleOf(judged) === 'ex-member') return
    const lacking = [...ring.openFolders()]
      .filter((folder) => book.isMember(folder, judged.user))
      .flatMap((folder) => ring.lackingWraps(folder, this.#state.readersOf(folder)))
    await this.#writeAndSettle([...lacking, ...ring.refusals()])
  }

  async #firstFolders(): Promise<void> {
    const { directory, ring, book } = this.#state
    await this.#inTurn(async () => {
      if (ring.keys === undefined || !ring.openFolders().has(directory))
        await this.#writeAndSettle(ring.newEpoch(directory, this.#state.readersOf(directory)).drafts)
      if (book.born().length === 0) await this.#createFolder('files')
    })
  }

  async #createFolder(name: string, policy?: Partial<Policy>): Promise<Folder> {
    this.#checkMayWrite('create folders')
    if (name === '' || name.includes('/') || this.#parts.naming.checkPath(name) !== name)
      throw fail('BAD_PATH', { path: name, reason: 'a folder name is one part of a path' })
    if (this.folderNamed(name) !== undefined) throw fail('ALREADY_EXISTS', { what: 'folder', name })
    const entry = idOf<EntryId>(this.#parts.random.bytes(16))
    const folder = folderIdOf(this.device, entry)
    const owners = this.#state.readersOf(this.#state.directory)
    const mine = new Map([...owners.recipients].filter(([device]) => this.#userOf(device) === this.user))
    const { keys, drafts } = this.#state.ring.newEpoch(folder, { ...owners, recipients: mine })
    const born: Draft = { kind: 'folder', folder, entry, keys, body: encode(folderBody, { name }) }
    const rules = policy === undefined ? [] : [this.#policyDraft(folder, policy)]
    await this.#writeAndSettle([born, ...drafts, ...rules])
    this.#emit({ type: 'folders' })
    return this.#folder(folder)
  }

  #policyDraft(folder: FolderId, change: Partial<Policy>): Draft {
    if (this.roleOf(this.peer) !== 'admin')
      throw fail('FORBIDDEN', { role: this.roleOf(this.peer), action: 'set policies' })
    const { factor, ...rest } = { ...this.#state.book.policyOf(folder), ...change }
    if (rest.min > rest.copies || rest.copies > rest.max || rest.min < 1 || factor < 0 || factor > 1)
      throw fail('BAD_INPUT', { what: 'the policy', reason: 'min, copies and max must grow, factor lies in 0 to 1' })
    const body = encode(policyBody, { ...rest, factor: Math.round(factor * 1e6) })
    return { kind: 'policy', folder, body }
  }

  #folder(id: FolderId): Folder {
    const folder = this.folders().find((folder) => folder.id === id)
    if (folder === undefined) throw fail('NOT_FOUND', { what: 'folder', name: id })
    return folder
  }

  #deviceFrom(judged: Judged): Device {
    const { authority, book } = this.#state
    const { device, user, kind, certificate, issuer, revoked, counted } = judged
    const { peer, recordKey, encryptionKey } = authority.certified(judged)
    return {
      device,
      peer,
      user,
      kind,
      certificate,
      issuer,
      recordKey,
      encryptionKey,
      role: authority.roleOf(judged),
      revoked: revoked || !counted,
      name: book.nameOf(device, user),
    }
  }

  #userOf(device: DeviceId): UserId | undefined {
    return this.#state.authority.device(device)?.user
  }

  #statementOf(device: DeviceId): ReturnType<typeof readStatement> | undefined {
    const row = this.#parts.store.read.statements().find((row) => row.device === device)
    return row && readStatement(row.bytes, this.pool, (device) => this.#state.authority.recordKeyOf(device))
  }

  #checkMayWrite(action: string): void {
    const role = this.roleOf(this.peer)
    if (role !== 'member' && role !== 'admin') throw fail('FORBIDDEN', { role, action })
  }

  #newChain(): Chain {
    const { keys, store, random } = this.#parts
    return new Chain(
      {
        pool: this.pool,
        device: this.device,
        key: keys.secrets.record,
        store,
        time: this.#time,
        random,
        onWritten: (written) => this.#state.learn(written),
      },
      this.#chainEnd(),
    )
  }

  /** Where this device's chain goes on; of several ends (a restored disk) the longest. */
  #chainEnd(): ChainEnd {
    const [longest] = this.#parts.store.read.heads(this.device).sort((a, b) => b.position - a.position)
    return { previous: longest?.hash, position: longest?.position ?? -1 }
  }

  #emit(event: CatalogueEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  /** One change of the state at a time; a failed one does not stop the next. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run, run)
    this.#turn = turn.catch(() => undefined)
    return turn
  }
}

