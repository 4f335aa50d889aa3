/**
 * Folder keys: epochs, the wraps that bring them to devices, and which epoch to write under.
 *
 * An epoch's key gives its id, so a wrap cannot lie about it; its record's body, sealed under its
 * own keys, holds the folder secret and the keys of the epochs before it: who has the newest reads
 * the whole past. Any key that opens is used for reading; only epochs and wraps of counting writers
 * are used for writing.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import {
  idBytes,
  type DeviceId,
  type EpochId,
  type FolderId,
  type PoolId,
  type RecordHash,
} from '../base/words.ts'
import type { AgreementKey } from '../codec/agree.ts'
import { decode, encode } from '../codec/cbor-schema.ts'
import type { FolderKeys } from '../codec/codec.ts'
import { epochIdOf, folderKeys } from '../codec/folder-keys.ts'
import { derive } from '../codec/hash.ts'
import { recordKinds, type SignedRecord } from '../codec/record.ts'
import { openEpochBody, openRecordBody, unwrapEpochKey, wrapEpochKey } from '../codec/seal.ts'
import type { Placed } from './authority.ts'
import type { Draft } from './chain.ts'
import { epochBody, wrapBody, wrapRefusedBody, type EpochBody } from './record-bodies.ts'

/** The folder of names that every member device can open. */
export function directoryOf(pool: PoolId): FolderId {
  return derive('peerstor/1 directory', idBytes(pool)).toString('hex') as FolderId
}

/** Whom a folder's keys are for. */
export interface Readers {
  /** Encryption keys of all member devices and recovery keys of the folder's members. */
  recipients: ReadonlyMap<DeviceId, Uint8Array>
  /** Whether an epoch or wrap counts: written by a member device of a writer. */
  counts(record: Placed): boolean
  /** A device that was cut or fell. */
  isRemoved(device: DeviceId): boolean
}

interface Wrap extends Placed {
  recipient: DeviceId
}

interface Opened extends Placed {
  body: EpochBody
  keys: FolderKeys
  seals: readonly EpochId[]
}

interface Epoch {
  id: EpochId
  folder: FolderId
  key: Buffer | undefined
  wraps: Map<RecordHash, Wrap>
  /** Its records that are not opened: no key yet, or wrong. */
  sealed: Map<RecordHash, { record: SignedRecord; position: number }>
  opened: Map<RecordHash, Opened>
}

export class FolderKeyRing {
  readonly #device: DeviceId
  /** Of this device; and of the recovery key while its seed is here. */
  readonly #encryptionKeys: ReadonlyMap<DeviceId, AgreementKey>
  readonly #random: Random
  readonly #epochs = new Map<EpochId, Epoch>()
  readonly #refused = new Set<RecordHash>()
  readonly #garbage = new Map<RecordHash, { folder: FolderId; epoch: EpochId }>()
  /** Counts openings, so that a caller sees whether more can be read now. */
  openings = 0

  constructor(device: DeviceId, encryptionKeys: ReadonlyMap<DeviceId, AgreementKey>, random: Random) {
    this.#device = device
    this.#encryptionKeys = encryptionKeys
    this.#random = random
  }

  /** Takes in an epoch, a wrap or a refusal. */
  learn(record: SignedRecord, position: number): void {
    const { kind, folder, epoch } = record.head
    if (folder === undefined || epoch === undefined || record.body === undefined) return
    if (kind === recordKinds.epoch) {
      const state = this.#epoch(folder, epoch)
      state.sealed.set(record.hash, { record, position })
      this.#openEpoch(state)
    } else if (kind === recordKinds.wrap) this.#learnWrap(this.#epoch(folder, epoch), record, position)
    else if (kind === recordKinds.wrapRefused)
      this.#refused.add(decode(wrapRefusedBody, record.body, 'a refused wrap', limits.recordHead).wrap)
  }

  /** Content keys of an epoch, where this device has them. */
  keys(epoch: EpochId): FolderKeys | undefined {
    return this.#candidates(epoch)[0]
  }

  /** The plaintext of a sealed body; undefined without its keys; `RECORD_INVALID` when it is wrong. */
  open(record: SignedRecord): Buffer | undefined {
    const { head, body } = record
    const candidates = head.epoch === undefined ? [] : this.#candidates(head.epoch)
    let failure: unknown
    for (const keys of candidates) {
      if (keys.folder !== head.folder || body === undefined) continue
      try {
        return openRecordBody(keys, head, body)
      } catch (thrown) {
        failure = thrown
      }
    }
    if (failure !== undefined) throw failure
    return undefined
  }

  /** Folders that this device has some key of. */
  openFolders(): Set<FolderId> {
    return new Set([...this.#epochs.values()].filter((e) => e.opened.size > 0).map((e) => e.folder))
  }

  /** The epoch to write under: of the heads wrapped to all recipients and no removed device the best. */
  writing(folder: FolderId, readers: Readers): FolderKeys | undefined {
    const ready = this.#clean(folder, readers).filter(
      ({ epoch }) => this.#lacking(epoch, readers).length === 0,
    )
    return ready.sort(byPreference)[0]?.opened.keys
  }

  /** The generation of the folder's secret and who made the epoch in force; undefined while there is none. */
  inForce(folder: FolderId, readers: Readers): { generation: number; author: DeviceId } | undefined {
    const [best] = this.#heads(folder, readers).sort(byPreference)
    return best && { generation: best.opened.body.generation, author: best.opened.author }
  }

  /** Wraps that clean head epochs lack. */
  lackingWraps(folder: FolderId, readers: Readers): Draft[] {
    return this.#clean(folder, readers).flatMap(({ epoch }) =>
      this.#lacking(epoch, readers).map((device) =>
        this.#wrapDraft(epoch.folder, epoch.key!, device, readers),
      ),
    )
  }

  /**
   * A new epoch over all that this device can open, with its wraps; the first one makes the folder
   * secret, `rekey` a further one, of a higher generation.
   */
  newEpoch(
    folder: FolderId,
    readers: Readers,
    { rekey = false }: { rekey?: boolean } = {},
  ): { drafts: Draft[]; keys: FolderKeys } {
    const before = this.#heads(folder, readers).sort(byPreference)
    const known = rekey ? undefined : before[0]?.opened.body.secret
    const secret = known ?? this.#random.bytes(32)
    const key = this.#random.bytes(32)
    const keys = folderKeys(folder, secret, key)
    const body = {
      secret,
      generation: (before[0]?.opened.body.generation ?? 0) + (rekey ? 1 : 0),
      parents: before.slice(0, limits.epochParents).map(({ epoch }) => epoch.key!),
    }
    const epoch: Draft = { kind: 'epoch', folder, keys, body: encode(epochBody, body) }
    const wraps = [...readers.recipients.keys()].map((device) =>
      this.#wrapDraft(folder, key, device, readers),
    )
    return { keys, drafts: [epoch, ...wraps] }
  }

  /** Reports the wraps for this device that were wrong, once each. */
  refusals(): Draft[] {
    const fresh = [...this.#garbage].filter(([wrap]) => !this.#refused.has(wrap))
    return fresh.map(([wrap, { folder, epoch }]) => ({
      kind: 'wrapRefused',
      folder,
      epoch,
      body: encode(wrapRefusedBody, { wrap }),
    }))
  }

  /** Whether some head epoch reached a device that is removed since. */
  isExposed(folder: FolderId, readers: Readers): boolean {
    return this.#heads(folder, readers).some(({ epoch }) => !this.#isClean(epoch, readers))
  }

  #epoch(folder: FolderId, id: EpochId): Epoch {
    const known = this.#epochs.get(id)
    if (known !== undefined) return known
    const made = { id, folder, key: undefined, wraps: new Map(), sealed: new Map(), opened: new Map() }
    this.#epochs.set(id, made)
    return made
  }

  #learnWrap(epoch: Epoch, record: SignedRecord, position: number): void {
    const { recipient, wrap } = decode(wrapBody, record.body!, 'a wrapped key', limits.recordHead)
    epoch.wraps.set(record.hash, { hash: record.hash, author: record.head.device, position, recipient })
    const encryption = this.#encryptionKeys.get(recipient)
    if (encryption === undefined) return
    try {
      this.#useKey(epoch, unwrapEpochKey(encryption, epoch.folder, epoch.id, wrap))
    } catch {
      if (recipient === this.#device)
        this.#garbage.set(record.hash, { folder: epoch.folder, epoch: epoch.id })
    }
  }

  #useKey(epoch: Epoch, key: Buffer): void {
    if (epoch.key !== undefined || epochIdOf(epoch.folder, key) !== epoch.id) return
    epoch.key = key
    this.#openEpoch(epoch)
  }

  /** Opens the records of an epoch, then the epochs that they seal. */
  #openEpoch(epoch: Epoch): void {
    if (epoch.key === undefined) return
    for (const { record, position } of epoch.sealed.values()) {
      const opened = openEpoch(epoch, record, position)
      epoch.sealed.delete(record.hash)
      if (opened === undefined) continue
      epoch.opened.set(record.hash, opened)
      this.openings += 1
      for (const parent of opened.body.parents)
        this.#useKey(this.#epoch(epoch.folder, epochIdOf(epoch.folder, parent)), Buffer.from(parent))
    }
  }

  /** One for each folder secret that a record of the epoch claims: normally one. */
  #candidates(id: EpochId): FolderKeys[] {
    const opened = [...(this.#epochs.get(id)?.opened.values() ?? [])]
    return opened.sort((a, b) => (a.hash < b.hash ? -1 : 1)).map(({ keys }) => keys)
  }

  /** Counted epochs that no counted epoch seals; when they seal each other, all of them. */
  #heads(folder: FolderId, readers: Readers): Head[] {
    const counted = [...this.#epochs.values()]
      .filter((epoch) => epoch.folder === folder)
      .flatMap((epoch) => {
        const opened = [...epoch.opened.values()].filter((record) => readers.counts(record))
        return isOneSecret(opened) ? [{ epoch, opened: opened[0]! }] : []
      })
    const sealed = new Set(counted.flatMap(({ opened }) => opened.seals))
    const heads = counted.filter(({ epoch }) => !sealed.has(epoch.id))
    return heads.length > 0 ? heads : counted
  }

  #clean(folder: FolderId, readers: Readers): Head[] {
    return this.#heads(folder, readers).filter(({ epoch }) => this.#isClean(epoch, readers))
  }

  #isClean(epoch: Epoch, readers: Readers): boolean {
    return ![...epoch.wraps.values()].some(
      (wrap) => readers.isRemoved(wrap.recipient) && readers.counts(wrap),
    )
  }

  /** A refused wrap does not count, but one's own does: the refusal of a good wrap must not go on for ever. */
  #lacking(epoch: Epoch, readers: Readers): DeviceId[] {
    const good = [...epoch.wraps.values()].filter(
      (wrap) => readers.counts(wrap) && (!this.#refused.has(wrap.hash) || wrap.author === this.#device),
    )
    const has = new Set(good.map((wrap) => wrap.recipient))
    return [...readers.recipients.keys()].filter((device) => !has.has(device))
  }

  #wrapDraft(folder: FolderId, key: Buffer, recipient: DeviceId, readers: Readers): Draft {
    const wrap = wrapEpochKey(this.#random, readers.recipients.get(recipient)!, folder, key)
    const epoch = epochIdOf(folder, key)
    return { kind: 'wrap', folder, epoch, body: encode(wrapBody, { recipient, wrap }) }
  }
}

interface Head {
  epoch: Epoch
  opened: Opened
}

/** Highest generation, then smallest id. */
function byPreference(a: Head, b: Head): number {
  return b.opened.body.generation - a.opened.body.generation || (a.epoch.id < b.epoch.id ? -1 : 1)
}

function isOneSecret(opened: readonly Opened[]): boolean {
  const [first, ...rest] = opened
  return first !== undefined && rest.every(({ body }) => Buffer.compare(body.secret, first.body.secret) === 0)
}

function openEpoch(epoch: Epoch, record: SignedRecord, position: number): Opened | undefined {
  try {
    const { plaintext, keys } = openEpochBody(epoch.folder, epoch.key!, record.head, record.body!, secretIn)
    const body = readEpoch(plaintext)
    const seals = body.parents.map((key) => epochIdOf(epoch.folder, key))
    return { hash: record.hash, author: record.head.device, position, body, keys, seals }
  } catch {
    return undefined
  }
}

function readEpoch(plaintext: Uint8Array): EpochBody {
  return decode(epochBody, plaintext, 'an epoch', limits.recordBody)
}

function secretIn(plaintext: Buffer): Uint8Array {
  return readEpoch(plaintext).secret
}

export function keyUnavailable(folder: FolderId): Error {
  return fail('KEY_UNAVAILABLE', { folder })
}
