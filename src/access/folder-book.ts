/**
 * What records say of folders, policies, device names, adoptions and printed papers. Of several
 * sayings the latest that counts holds; who counts is asked anew each time, so arrival order and
 * later verdicts need no bookkeeping.
 */
import { limits } from '../base/limits.ts'
import {
  idBytes,
  type DeviceId,
  type EntryId,
  type FolderId,
  type RecordHash,
  type UserId,
} from '../base/words.ts'
import { decode } from '../codec/cbor-schema.ts'
import { derive } from '../codec/hash.ts'
import { compareTimes, recordKinds, type Hlc, type SignedRecord } from '../codec/record.ts'
import { isScheme } from '../codec/shards.ts'
import type { Authority, Placed } from './authority.ts'
import { defaultPolicy, type Policy } from './catalogue.ts'
import type { HybridClock } from './hybrid-clock.ts'
import { adoptBody, discardBody, folderBody, nameBody, policyBody, printedBody } from './record-bodies.ts'

interface Saying<T> extends Placed {
  time: Hlc
  says: T
}

/** A folder by its first record: its id names the device that made it, so nobody else can. */
interface Birth extends Placed {
  time: Hlc
}

/** A folder's id, from its maker and the entry id of its first record. */
export function folderIdOf(device: DeviceId, entry: EntryId): FolderId {
  return derive('peerstor/1 folder', idBytes(device), idBytes(entry)).toString('hex') as FolderId
}

export class FolderBook {
  readonly #authority: Authority
  readonly #time: HybridClock
  readonly #directory: FolderId
  readonly #births = new Map<FolderId, Birth>()
  readonly #folders = new Map<FolderId, Saying<{ name: string; removed: boolean }>[]>()
  readonly #policies = new Map<FolderId, Saying<Policy>[]>()
  readonly #names = new Map<DeviceId, Saying<string>[]>()
  readonly #adoptions = new Map<RecordHash, (Placed & { folder: FolderId })[]>()
  readonly #discards = new Map<RecordHash, (Placed & { folder: FolderId })[]>()
  readonly #printed: Saying<DeviceId>[] = []

  constructor(authority: Authority, time: HybridClock, directory: FolderId) {
    this.#authority = authority
    this.#time = time
    this.#directory = directory
  }

  /** Takes in a plain record of a kind it knows. */
  learn(record: SignedRecord, position: number): void {
    const { kind, folder, entry, device } = record.head
    const place = { hash: record.hash, author: device, position, time: record.head.time }
    if (kind === recordKinds.folder && folder !== undefined && entry !== undefined) {
      if (folderIdOf(device, entry) === folder) this.#births.set(folder, place)
    } else if (kind === recordKinds.policy && folder !== undefined) {
      const { factor, erasure, ...rest } = decode(policyBody, record.body!, 'a policy', limits.recordHead)
      const [k = 0, m = 0] = erasure ?? []
      const shards = isScheme({ k, m }) ? { erasure: { k, m } } : {}
      push(this.#policies, folder, { ...place, says: { ...rest, factor: factor / 1e6, ...shards } })
    } else if (kind === recordKinds.adopt && folder !== undefined) {
      const { versions } = decode(adoptBody, record.body!, 'an adoption', limits.recordBody)
      for (const version of versions) push(this.#adoptions, version, { ...place, folder })
    } else if (kind === recordKinds.discard && folder !== undefined) {
      const { versions } = decode(discardBody, record.body!, 'a discard', limits.recordBody)
      for (const version of versions) push(this.#discards, version, { ...place, folder })
    } else if (kind === recordKinds.printed) {
      const { device } = decode(printedBody, record.body!, 'a printed record', limits.recordHead)
      this.#printed.push({ ...place, says: device })
    }
  }

  /** Takes in a sealed record of a folder's name or a device's, once opened. */
  learnOpened(record: SignedRecord, position: number, plaintext: Uint8Array): void {
    const { kind, folder, device, time } = record.head
    const place = { hash: record.hash, author: device, position, time }
    if (folder === undefined) return
    if (kind === recordKinds.folder) {
      const { name, removed } = decode(folderBody, plaintext, 'a folder', limits.recordBody)
      push(this.#folders, folder, { ...place, says: { name, removed: removed === true } })
    } else if (kind === recordKinds.name && folder === this.#directory) {
      const { device, name } = decode(nameBody, plaintext, 'a device name', limits.recordBody)
      push(this.#names, device, { ...place, says: name })
    }
  }

  /** The user whose folder it is; undefined when its first record is unknown or does not count. */
  ownerOf(folder: FolderId): UserId | undefined {
    const birth = this.#births.get(folder)
    return birth === undefined ? undefined : this.#authority.memberActing(birth)
  }

  /** Whether a user reads and writes a folder. */
  isMember(folder: FolderId, user: UserId): boolean {
    return folder === this.#directory || this.ownerOf(folder) === user
  }

  /** Folders whose first record counts, oldest first, removed ones left out. */
  folders(): { id: FolderId; created: number; name: string | undefined }[] {
    return [...this.#births]
      .filter(([folder]) => this.ownerOf(folder) !== undefined)
      .sort(([, a], [, b]) => compareTimes(a, b))
      .map(([id, birth]) => ({ id, created: birth.time.ms, said: this.#folderSaid(id) }))
      .filter(({ said }) => said?.removed !== true)
      .map(({ id, created, said }) => ({ id, created, name: said?.name }))
  }

  /** Every folder whose first record is here, whoever wrote it. */
  born(): FolderId[] {
    return [...this.#births.keys()]
  }

  /** Every version that some record adopts, whoever wrote it. */
  adopted(): RecordHash[] {
    return [...this.#adoptions.keys()]
  }

  policyOf(folder: FolderId): Policy {
    const isAdmins = (saying: Placed): boolean => this.#authority.keepsAsAdmin(saying)
    return this.#latest(this.#policies.get(folder), isAdmins) ?? defaultPolicy
  }

  /** A device's name as said last by a device of its user, or by an admin. */
  nameOf(device: DeviceId, user: UserId): string | undefined {
    const may = (saying: Placed): boolean =>
      this.#authority.memberActing(saying) === user || this.#authority.keepsAsAdmin(saying)
    return this.#latest(this.#names.get(device), may)
  }

  /** Every version that some record discards, whoever wrote it. */
  discarded(): RecordHash[] {
    return [...this.#discards.keys()]
  }

  /** Whether a writer of the folder gave this version up; undefined when no record speaks of it. */
  isDiscarded(version: RecordHash, folder: FolderId): boolean | undefined {
    return this.#discards.get(version)?.some((discard) => this.#isWriters(discard, folder))
  }

  /** A writer of the folder took this held-back version over. */
  isAdopted(version: RecordHash, folder: FolderId): boolean {
    return (this.#adoptions.get(version) ?? []).some((adoption) => this.#isWriters(adoption, folder))
  }

  #isWriters(act: Placed & { folder: FolderId }, folder: FolderId): boolean {
    const user = this.#authority.memberActing(act)
    return act.folder === folder && user !== undefined && this.isMember(folder, user)
  }

  /** Its owner has confirmed the paper of this recovery key. */
  isPrinted(device: DeviceId, user: UserId): boolean {
    return this.#printed.some(
      (saying) => saying.says === device && this.#authority.memberActing(saying) === user,
    )
  }

  #folderSaid(folder: FolderId): { name: string; removed: boolean } | undefined {
    return this.#latest(this.#folders.get(folder), (saying) => {
      const user = this.#authority.memberActing(saying)
      return user !== undefined && this.isMember(folder, user)
    })
  }

  #latest<T>(sayings: readonly Saying<T>[] = [], counts: (saying: Placed) => boolean): T | undefined {
    return sayings
      .filter((saying) => !this.#time.isFuture(saying.time) && counts(saying))
      .reduce<Saying<T> | undefined>(
        (latest, saying) => (latest === undefined || compareTimes(saying, latest) > 0 ? saying : latest),
        undefined,
      )?.says
  }
}

function push<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
