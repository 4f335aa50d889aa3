/** The catalogue: what people and the rooms above ask of the records, and what they write. */
import { fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import {
  idOf,
  type DeviceId,
  type EntryId,
  type EpochId,
  type FolderId,
  type PeerId,
  type PoolId,
  type RecordHash,
  type Role,
  type UserId,
} from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { FolderKeys } from '../codec/codec.ts'
import { encodeCodings, type Coding } from '../codec/coding.ts'
import { isOneSecret } from '../codec/folder-keys.ts'
import type { Batch } from '../codec/record.ts'
import { readRelease, signRelease, type Release } from '../codec/release.ts'
import { isScheme } from '../codec/shards.ts'
import {
  decodeVersionBody,
  encodeContent,
  encodeResealBody,
  encodeVersionBody,
  sealedUnder,
  sizeOf,
  withSealed,
  type VersionBody,
} from '../codec/version-body.ts'
import type { IndexWrite } from '../store/store.ts'
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
  Rekeying,
  Resealed,
  WrittenVersion,
} from './catalogue.ts'
import { encodeCertificate, type Certified } from './certificate.ts'
import type { CatalogueState } from './catalogue-state.ts'
import type { Draft, Written } from './chain.ts'
import { folderIdOf } from './folder-book.ts'
import { keyUnavailable } from './folder-keys.ts'
import {
  adoptBody,
  discardBody,
  folderBody,
  nameBody,
  policyBody,
  printedBody,
  type SignedRequest,
} from './record-bodies.ts'
import { planRevocation } from './revoke.ts'
import { makeStatement, readStatement, type Statement } from './statement.ts'
import type { Judged } from './verdict.ts'
import { rowOf } from './versions.ts'
import { Ledger, type LedgerParts } from './ledger.ts'

export class OpenedCatalogue implements Catalogue {
  readonly #parts: LedgerParts
  readonly #ledger: Ledger
  #latestStatements: Map<DeviceId, Statement> | undefined

  constructor(parts: LedgerParts) {
    this.#parts = parts
    this.#ledger = new Ledger(parts)
  }

  get pool(): PoolId {
    return this.#ledger.pool
  }

  get device(): DeviceId {
    return this.#ledger.device
  }

  get peer(): PeerId {
    return this.#ledger.peer
  }

  /** The judged state, for reading. */
  get state(): CatalogueState {
    return this.#ledger.state
  }

  /** Takes in what the store holds; a new pool gets its directory and first folder. */
  async begin(genesis: readonly Uint8Array[], held: Parameters<Ledger['begin']>[1]): Promise<void> {
    await this.#ledger.begin(genesis, held)
    if (genesis.length > 0 && this.#parts.keys.locked !== true)
      await this.#ledger.inTurn(() => this.#firstFolders())
  }

  get user(): UserId {
    const judged = this.state.authority.device(this.device)
    if (judged === undefined) throw fail('FORBIDDEN', { role: 'a device without certificate', action: 'act' })
    return judged.user
  }

  async admit(batches: readonly Uint8Array[]): Promise<AdmitReport> {
    return await this.#ledger.admit(batches)
  }

  async mend(last: RecordHash): Promise<boolean> {
    return await this.#ledger.mend(last)
  }

  /** A stored batch; made again when it rotted, where that can be. */
  async batch(last: RecordHash): Promise<Batch> {
    const { store } = this.#parts
    try {
      return await store.batch(last)
    } catch (thrown) {
      if (!isCode(thrown, 'SEGMENT_DAMAGED') || !(await this.mend(last))) throw thrown
      return store.batch(last)
    }
  }

  cut(): number {
    return this.#ledger.time.cut()
  }

  async write(versions: readonly NewVersion[]): Promise<WrittenVersion[]> {
    this.#ledger.checkMayWrite('write files')
    const drafts: (Draft & { entry: EntryId })[] = []
    const bodies: VersionBody[] = []
    for (const { folder, entry, parents, body, sealed } of versions) {
      const keys = this.state.writing(folder) ?? (await this.writeKeys(folder))
      const id = entry ?? idOf<EntryId>(this.#parts.random.bytes(16))
      const whole = { ...body, tags: withSealed(body.tags, this.#otherSecret(folder, keys, sealed)) }
      bodies.push(whole)
      drafts.push({ kind: 'version', folder, entry: id, parents, keys, body: encodeVersionBody(whole) })
    }
    const written = await this.#ledger.writeVersions(
      drafts,
      (records) => ({
        index: records.flatMap((one, index) =>
          this.#rowsOf(one, { ...versions[index]!, body: bodies[index]! }),
        ),
        pins: versions.flatMap(({ pins }) => pins ?? []),
      }),
      versions.flatMap(({ held }) => held ?? []),
    )
    return written.map(({ record }) => ({ version: record.hash, entry: record.head.entry! }))
  }

  /** The epoch that a version must name because its content was sealed with another secret than it is itself. */
  #otherSecret(folder: FolderId, keys: FolderKeys, sealed: EpochId | undefined): EpochId | undefined {
    if (sealed === undefined || sealed === keys.epoch) return undefined
    const before = this.state.ring.keys(sealed)
    return before !== undefined && isOneSecret(before, keys) ? undefined : sealed
  }

  // People and devices

  devices(): Device[] {
    return this.state.authority.devices().map((judged) => this.#deviceFrom(judged))
  }

  deviceOf(peer: PeerId): Device | undefined {
    const judged = this.state.authority.deviceOfPeer(peer)
    return judged && this.#deviceFrom(judged)
  }

  roleOf(peer: PeerId): Role {
    return this.#ledger.roleOf(peer)
  }

  async setDeviceName(device: DeviceId, name: string): Promise<void> {
    const { directory } = this.state
    const keys = await this.writeKeys(directory)
    await this.append([{ kind: 'name', folder: directory, keys, body: encode(nameBody, { device, name }) }])
  }

  async revoke(devices: readonly DeviceId[]): Promise<Device[]> {
    return await this.#ledger.inTurn(async () => {
      const plan = planRevocation(this.state, this.#parts.store.read, this.device, devices)
      await this.#ledger.writeInTurn(plan.drafts)
      return this.devices().filter(({ device }) => plan.fallen.has(device))
    })
  }

  // Folders

  folders(): Folder[] {
    return this.state.book.folders().map((said) => this.#folderFrom(said))
  }

  #folderFrom({ id, created, name }: Pick<Folder, 'id' | 'created' | 'name'>): Folder {
    const { book, ring } = this.state
    return { id, created, name, policy: book.policyOf(id), open: ring.openFolders().has(id) }
  }

  folderNamed(name: string): Folder | undefined {
    const said = this.state.book.folders().find((folder) => folder.name === name)
    return said && this.#folderFrom(said)
  }

  async createFolder(name: string, policy?: Partial<Policy>): Promise<Folder> {
    return await this.#ledger.inTurn(() => this.#createFolder(name, policy))
  }

  async setPolicy(folder: FolderId, policy: Partial<Policy>): Promise<Folder> {
    await this.append([this.#policyDraft(folder, policy)])
    this.#ledger.emit({ type: 'folders' })
    return this.#folder(folder)
  }

  async removeFolder(folder: FolderId): Promise<void> {
    const { name = '' } = this.#folder(folder)
    const keys = await this.writeKeys(folder)
    await this.append([{ kind: 'folder', folder, keys, body: encode(folderBody, { name, removed: true }) }])
    this.#ledger.emit({ type: 'folders' })
  }

  async rekey(folder: FolderId): Promise<void> {
    if (this.state.book.ownerOf(folder) !== this.user)
      throw fail('FORBIDDEN', { role: this.roleOf(this.peer), action: "give another's folder new keys" })
    await this.#ledger.rekey(folder)
    this.#ledger.emit({ type: 'folders' })
  }

  rekeying(folder: FolderId): Rekeying | undefined {
    const found = this.state.ring.inForce(folder, this.state.readersOf(folder))
    return found && { generation: found.generation, device: found.author }
  }

  async reseal(folder: FolderId, resealed: readonly Resealed[]): Promise<void> {
    this.#ledger.checkMayWrite('seal content anew')
    const keys = await this.writeKeys(folder)
    const drafts = resealed.map((one): Draft => ({
      kind: 'reseal',
      folder,
      keys,
      body: encodeResealBody(one),
    }))
    await this.#ledger.writeVersions(drafts, (records) => ({
      index: records.flatMap(({ record }, index) => resealRows(record.hash, resealed[index]!)),
    }))
    this.#ledger.emit({ type: 'versions', folders: [folder] })
  }

  async discard(folder: FolderId, versions: readonly RecordHash[]): Promise<void> {
    const drafts: Draft[] = []
    for (let from = 0; from < versions.length; from += limits.discardVersions) {
      const part = versions.slice(from, from + limits.discardVersions)
      drafts.push({ kind: 'discard', folder, body: encode(discardBody, { versions: part }) })
    }
    await this.append(drafts)
  }

  async code(folder: FolderId, codings: readonly Coding[]): Promise<void> {
    this.#ledger.checkMayWrite('say of which shards chunks are made')
    const drafts: Draft[] = []
    for (let from = 0; from < codings.length; from += limits.shardedChunks) {
      const part = codings.slice(from, from + limits.shardedChunks)
      drafts.push({ kind: 'shards', folder, body: encodeCodings(part[0]!.scheme, part) })
    }
    await this.#ledger.writeFacts(drafts)
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
    return await this.#ledger.writeKeys(folder)
  }

  keysOf(folder: FolderId, epoch: EpochId): FolderKeys {
    const keys = this.state.ring.keys(epoch)
    if (keys?.folder !== folder) throw keyUnavailable(folder)
    return keys
  }

  /** A version's body, opened again from the record. */
  async bodyOf(version: RecordHash): Promise<VersionBody> {
    const last = this.#parts.store.read.record(version)?.batch
    if (last === undefined) throw fail('RECORD_UNKNOWN', { hash: version })
    const batch = await this.batch(last)
    const record = batch.records.find(({ hash }) => hash === version)
    const plaintext = record && this.state.ring.open(record)
    if (plaintext === undefined) throw keyUnavailable(record?.head.folder ?? ('' as FolderId))
    const opened = decodeVersionBody(plaintext)
    return { ...opened, tags: sealedUnder(opened.tags).tags }
  }

  // Recovery key

  /** Says that the paper of this user's recovery key is in safe hands. */
  async confirmRecovery(device: DeviceId): Promise<void> {
    await this.append([{ kind: 'printed', body: encode(printedBody, { device }) }])
  }

  // Releases

  signRelease(release: Release): Uint8Array {
    const { pool, device } = this
    return signRelease(release, { pool, device, key: this.#parts.keys.secrets.record })
  }

  readRelease(bytes: Uint8Array, from: PeerId): Release & { devices: DeviceId[] } {
    const { authority, book } = this.state
    const release = readRelease(bytes, this.pool, (device) => authority.recordKeyOf(device))
    const signer = this.deviceOf(from)
    const counts = signer?.device === release.device && !signer.revoked && signer.kind === 'device'
    if (!counts || !book.isMember(release.folder, signer.user))
      throw fail('FORBIDDEN', { role: this.roleOf(from), action: 'release pins of this folder' })
    if (release.holder !== this.device)
      throw fail('BAD_INPUT', { what: 'the release', reason: 'it is for another device' })
    const own = this.devices().filter(({ user }) => user === signer.user)
    return { ...release, devices: own.map(({ device }) => device) }
  }

  // Statements

  makeStatement(state: DeviceState): Uint8Array {
    return makeStatement(state, {
      pool: this.pool,
      device: this.device,
      key: this.#parts.keys.secrets.record,
      time: this.#ledger.time.next(),
    })
  }

  async admitStatement(bytes: Uint8Array): Promise<DeviceState | undefined> {
    const { authority } = this.state
    const read = this.#readStatement(bytes, (device) => this.#statements().get(device))
    if (read === undefined) return undefined
    const judged = authority.device(read.device)
    if (judged === undefined || authority.roleOf(judged) === 'ex-member') return undefined
    if (this.#ledger.time.isFuture(read.time)) return undefined
    this.#statements().set(read.device, read)
    await this.#parts.store.index([{ op: 'statement', device: read.device, bytes }])
    this.#ledger.time.observe(read.time)
    return read.state
  }

  stateOf(device: DeviceId): DeviceState | undefined {
    return this.#statements().get(device)?.state
  }

  on(listener: (event: CatalogueEvent) => void): () => void {
    return this.#ledger.on(listener)
  }

  async close(): Promise<void> {
    await this.#ledger.close()
  }

  /** Writes records of this device and settles what follows from them. */
  async append(drafts: readonly Draft[]): Promise<Written[]> {
    return await this.#ledger.append(drafts)
  }

  /** Certifies a device for this user: its wraps and name come before its certificate, in one batch. */
  async certify(subject: Certified, request: SignedRequest, name: string): Promise<RecordHash> {
    return await this.#ledger.inTurn(async () => {
      const certificate: Draft = {
        kind: 'certificate',
        body: encodeCertificate({ request, user: this.user }),
      }
      const written = await this.#ledger.writeInTurn([
        ...(subject.kind === 'storage' ? [] : this.#wrapsFor(subject)),
        ...this.#nameDrafts(subject.device, name),
        certificate,
      ])
      return written.at(-1)!.record.hash
    })
  }

  #rowsOf({ record, position }: Written, version: NewVersion): IndexWrite[] {
    const row: VersionRow = rowOf(
      this.state,
      { hash: record.hash, head: record.head, position },
      version.body,
    )
    return [
      { op: 'version', row },
      { op: 'content', version: record.hash, ids: version.chunks },
      ...(version.index ?? []),
    ]
  }

  /** Every folder of this user, as if the device counted already. */
  #wrapsFor({ device, encryptionKey }: Certified): Draft[] {
    const { ring, book } = this.state
    return [...ring.openFolders()]
      .filter((folder) => book.isMember(folder, this.user))
      .flatMap((folder) => {
        const readers = this.state.readersOf(folder)
        const more = { ...readers, recipients: new Map([...readers.recipients, [device, encryptionKey]]) }
        const isExposed = ring.writing(folder, readers) === undefined && ring.isExposed(folder, readers)
        return isExposed ? ring.newEpoch(folder, more).drafts : ring.lackingWraps(folder, more)
      })
  }

  #nameDrafts(device: DeviceId, name: string): Draft[] {
    const { directory } = this.state
    const keys = this.state.writing(directory)
    if (keys === undefined || name === '') return []
    return [{ kind: 'name', folder: directory, keys, body: encode(nameBody, { device, name }) }]
  }

  async #firstFolders(): Promise<void> {
    const { directory, ring, book } = this.state
    if (!ring.openFolders().has(directory))
      await this.#ledger.writeInTurn(ring.newEpoch(directory, this.state.readersOf(directory)).drafts)
    if (book.born().length === 0) await this.#createFolder('files')
  }

  async #createFolder(name: string, policy?: Partial<Policy>): Promise<Folder> {
    this.#ledger.checkMayWrite('create folders')
    if (name === '' || name.includes('/') || this.#parts.naming.checkPath(name) !== name)
      throw fail('BAD_PATH', { path: name, reason: 'a folder name is one part of a path' })
    if (this.folderNamed(name) !== undefined) throw fail('ALREADY_EXISTS', { what: 'folder', name })
    const entry = idOf<EntryId>(this.#parts.random.bytes(16))
    const folder = folderIdOf(this.device, entry)
    const owners = this.state.readersOf(this.state.directory)
    const mine = new Map([...owners.recipients].filter(([device]) => this.#userOf(device) === this.user))
    const { keys, drafts } = this.state.ring.newEpoch(folder, { ...owners, recipients: mine })
    const born: Draft = { kind: 'folder', folder, entry, keys, body: encode(folderBody, { name }) }
    const rules = policy === undefined ? [] : [this.#policyDraft(folder, policy)]
    await this.#ledger.writeInTurn([born, ...drafts, ...rules])
    this.#ledger.emit({ type: 'folders' })
    return this.#folder(folder)
  }

  #policyDraft(folder: FolderId, change: Partial<Policy>): Draft {
    if (this.roleOf(this.peer) !== 'admin')
      throw fail('FORBIDDEN', { role: this.roleOf(this.peer), action: 'set policies' })
    const { factor, erasure, ...rest } = { ...this.state.book.policyOf(folder), ...change }
    if (rest.min > rest.copies || rest.copies > rest.max || rest.min < 1 || factor < 0 || factor > 1)
      throw fail('BAD_INPUT', {
        what: 'the policy',
        reason: 'min, copies and max must grow, factor lies in 0 to 1',
      })
    if (erasure !== undefined && !isScheme(erasure))
      throw fail('BAD_INPUT', {
        what: 'the policy',
        reason: `erasure takes 2 to ${limits.shardsData} + 1 to ${limits.shardsParity} shards, like 4+2`,
      })
    const shards: { erasure?: [number, number] } =
      erasure === undefined ? {} : { erasure: [erasure.k, erasure.m] }
    const body = encode(policyBody, { ...rest, factor: Math.round(factor * 1e6), ...shards })
    return { kind: 'policy', folder, body }
  }

  #folder(id: FolderId): Folder {
    const folder = this.folders().find((folder) => folder.id === id)
    if (folder === undefined) throw fail('NOT_FOUND', { what: 'folder', name: id })
    return folder
  }

  #deviceFrom(judged: Judged): Device {
    const { authority, book } = this.state
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
      printed: kind === 'recovery' && book.isPrinted(device, user),
      name: book.nameOf(device, user),
      fork: this.#ledger.forkOf(device),
    }
  }

  #userOf(device: DeviceId): UserId | undefined {
    return this.state.authority.device(device)?.user
  }

  /** The latest of each device; placement asks for them all the time, so they are read and checked once. */
  #statements(): Map<DeviceId, Statement> {
    this.#latestStatements ??= new Map(
      this.#parts.store.read.statements().map(({ device, bytes }) => [device, this.#readStatement(bytes)!]),
    )
    return this.#latestStatements
  }

  #readStatement(
    bytes: Uint8Array,
    known?: (device: DeviceId) => Statement | undefined,
  ): Statement | undefined {
    return readStatement(bytes, this.pool, (device) => this.state.authority.recordKeyOf(device), known)
  }
}

/** What this device has just written of a version's content. */
function resealRows(reseal: RecordHash, { version, hash, content, chunks }: Resealed): IndexWrite[] {
  const bytes = encodeContent(content)
  const row = { reseal, version, counts: true, hash: idOf(hash), size: sizeOf(content), content: bytes }
  return [
    { op: 'reseal', row },
    { op: 'content', version, ids: chunks, content: bytes },
  ]
}
