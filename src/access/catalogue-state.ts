/**
 * What the records held mean, in memory: who counts, which keys open what, what folders are called.
 * `learn` takes records in any order; `settle` judges again where that is needed and gives the index
 * rows that follow.
 */
import type { Random } from '../base/random.ts'
import type { DeviceId, FolderId, RecordHash, UserId } from '../base/words.ts'
import type { FolderKeys } from '../codec/codec.ts'
import { isAuthority } from '../codec/record-bytes.ts'
import { recordKinds, type RecordHead, type SignedRecord } from '../codec/record.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { IndexWrite } from '../store/store.ts'
import { Ancestry } from './ancestry.ts'
import { Authority } from './authority.ts'
import type { Written } from './chain.ts'
import { deviceOfKeys, encryptionKeysOf, type PoolKeys } from './device-keys.ts'
import { FolderBook } from './folder-book.ts'
import { directoryOf, FolderKeyRing, type Readers } from './folder-keys.ts'
import type { HybridClock } from './hybrid-clock.ts'
import { isOfFiles, statusWrites, type Naming, type PlacedRecord, type VersionParts } from './versions.ts'

export interface Settled {
  index: IndexWrite[]
  /** Folders whose shown versions may have changed. */
  folders: Set<FolderId>
  /** Who counts was judged anew. */
  judged: boolean
  /** More bodies can be opened than before. */
  opened: boolean
}

export class CatalogueState implements VersionParts {
  readonly authority: Authority
  readonly ring: FolderKeyRing
  readonly book: FolderBook
  readonly time: HybridClock
  readonly naming: Naming
  readonly directory: FolderId
  readonly #read: IndexReader
  /** Folder and name records whose keys are not here yet. */
  readonly #sealed = new Map<RecordHash, Written>()
  readonly #writing = new Map<FolderId, FolderKeys>()
  /** How devices and owners stood when versions were last given their status. */
  readonly #stood = new Map<DeviceId, string>()
  readonly #owners = new Map<FolderId, UserId | undefined>()
  readonly #recheckDevices = new Set<DeviceId>()
  readonly #recheckVersions = new Set<RecordHash>()
  #judge = false
  #openings = 0

  constructor(keys: PoolKeys, read: IndexReader, time: HybridClock, naming: Naming, random: Random) {
    this.directory = directoryOf(keys.pool)
    this.authority = new Authority(keys.pool, new Ancestry(read))
    this.ring = new FolderKeyRing(deviceOfKeys(keys), encryptionKeysOf(keys), random)
    this.book = new FolderBook(this.authority, time, this.directory)
    this.time = time
    this.naming = naming
    this.#read = read
  }

  /** Takes in what the store held at the start; only versions of cut devices are given a status anew. */
  begin(held: readonly Written[]): Settled {
    this.learn(held)
    this.authority.rejudge()
    this.#openSealed()
    this.#changedOwners()
    this.#changedDevices()
    for (const { device, revoked, counted } of this.authority.devices())
      if (revoked || !counted) this.#recheckDevices.add(device)
    return this.settle()
  }

  /** Records were stored that fill a hole in a device's chain: what it did before and behind it is judged anew. */
  moved(device: DeviceId): void {
    this.authority.moved(device)
    this.#writing.clear()
    this.#recheckDevices.add(device)
  }

  /** Takes in records that are stored; versions only move the clock. */
  learn(written: readonly Written[]): void {
    for (const one of written) {
      const { head } = one.record
      this.time.observe(head.time)
      const judged = this.authority.device(head.device)
      if (judged === undefined || judged.revoked || !judged.counted) this.#recheckDevices.add(head.device)
      if (!isForIndex(head)) this.#learnOther(one)
    }
  }

  /** Judges and opens what can be, and gives the rows that change by it. */
  settle(): Settled {
    const judged = this.#judge || this.#recheckDevices.size > 0
    if (judged) this.authority.rejudge()
    if (judged) this.#recheck([...this.book.discarded(), ...this.book.adopted()])
    this.#judge = false
    this.#openSealed()
    const versions = this.#changedVersions()
    const opened = this.ring.openings > this.#openings
    this.#openings = this.ring.openings
    return {
      index: statusWrites(this, versions),
      folders: new Set(versions.map(({ head }) => head.folder!)),
      judged,
      opened,
    }
  }

  /** Keys to write with, as far as records held give any. */
  writing(folder: FolderId): FolderKeys | undefined {
    const known = this.#writing.get(folder) ?? this.ring.writing(folder, this.readersOf(folder))
    if (known !== undefined) this.#writing.set(folder, known)
    return known
  }

  /** For whom a folder's keys are; `without`: if these devices were removed too. */
  readersOf(folder: FolderId, without: ReadonlySet<DeviceId> = new Set()): Readers {
    const isGone = (device: DeviceId): boolean => {
      const judged = this.authority.device(device)
      return judged === undefined || judged.revoked || !judged.counted || without.has(device)
    }
    const recipients = this.authority
      .devices()
      .filter((judged) => judged.kind !== 'storage' && !isGone(judged.device))
      .filter((judged) => this.book.isMember(folder, judged.user))
      .map((judged) => [judged.device, this.authority.certified(judged).encryptionKey] as const)
    return {
      recipients: new Map(recipients),
      isRemoved: (device) => this.authority.device(device) !== undefined && isGone(device),
      counts: (record) => {
        const user = this.authority.memberActing(record)
        return user !== undefined && this.book.isMember(folder, user)
      },
    }
  }

  #learnOther({ record: shared, position }: Written): void {
    const record = detached(shared)
    const { kind } = record.head
    this.#writing.clear()
    this.authority.learn(record, position)
    if (isAuthority(kind)) this.#judge = true
    try {
      this.ring.learn(record, position)
      this.book.learn(record, position)
    } catch {
      // A body that does not parse is kept with its record and ignored.
    }
    if (kind === recordKinds.folder || kind === recordKinds.name)
      this.#sealed.set(record.hash, { record, position })
    if (kind === recordKinds.adopt) this.#recheck(this.book.adopted())
    if (kind === recordKinds.discard) this.#recheck(this.book.discarded())
  }

  #openSealed(): void {
    for (const { record, position } of this.#sealed.values()) {
      try {
        const plaintext = this.ring.open(record)
        if (plaintext === undefined) continue
        this.book.learnOpened(record, position, plaintext)
      } catch {
        // Sealed wrongly: kept and ignored.
      }
      this.#sealed.delete(record.hash)
    }
  }

  #recheck(versions: readonly RecordHash[]): void {
    for (const version of versions) this.#recheckVersions.add(version)
  }

  /** Versions whose status may differ: their device stands otherwise, or their folder's owner does. */
  #changedVersions(): PlacedRecord[] {
    const versions = new Map<RecordHash, PlacedRecord>()
    const add = (records: readonly PlacedRecord[]): void =>
      records.filter(({ head }) => isOfFiles(head)).forEach((record) => versions.set(record.hash, record))
    for (const device of this.#changedDevices()) add(this.#read.recordsOfDevice(device))
    for (const [folder, before] of this.#changedOwners()) add(this.#versionsIn(folder, before === undefined))
    for (const hash of this.#recheckVersions) {
      const record = this.#read.record(hash)
      if (record !== undefined) add([record])
    }
    this.#recheckVersions.clear()
    return [...versions.values()]
  }

  #changedDevices(): Set<DeviceId> {
    const changed = new Set(this.#recheckDevices)
    this.#recheckDevices.clear()
    for (const { device, user, kind, counted, cuts } of this.authority.devices()) {
      const stands = JSON.stringify([user, kind, counted, cuts])
      if (this.#stood.get(device) !== stands) changed.add(device)
      this.#stood.set(device, stands)
    }
    return changed
  }

  #changedOwners(): [FolderId, UserId | undefined][] {
    const changed: [FolderId, UserId | undefined][] = []
    for (const folder of this.book.born()) {
      const before = this.#owners.get(folder)
      const owner = this.book.ownerOf(folder)
      if (before !== owner) changed.push([folder, before])
      this.#owners.set(folder, owner)
    }
    return changed
  }

  /** A folder without owner has only held versions. */
  #versionsIn(folder: FolderId, onlyHeld: boolean): PlacedRecord[] {
    if (onlyHeld) {
      const held = this.#read.held(folder).map(({ version }) => version)
      return [...held, ...this.#read.heldReseals(folder)]
        .map((hash) => this.#read.record(hash))
        .filter((record) => record !== undefined)
    }
    return this.#read
      .devices()
      .flatMap((device) => this.#read.recordsOfDevice(device))
      .filter(({ head }) => head.folder === folder)
  }
}

/** Records that the index alone keeps: those of files, and of which shards chunks are made. */
export function isForIndex(head: RecordHead): boolean {
  return isOfFiles(head) || head.kind === recordKinds.shards
}

/** A record of its own bytes: one that is kept must not keep its whole batch. */
function detached(record: SignedRecord): SignedRecord {
  const { headBytes, body } = record
  return { ...record, headBytes: Buffer.from(headBytes), body: body && Buffer.from(body) }
}
