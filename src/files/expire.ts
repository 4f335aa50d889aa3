/**
 * Takes files whose time is over to the trash. In each folder one of the owner's devices does it: the
 * first by a hash of folder and device, so that all agree without asking. The next ones wait longer,
 * the more so while those before them are here; should two do it at once, both say the same.
 */
import type { Device } from '../access/catalogue.ts'
import type { DeviceId, FolderId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import { hashHex } from '../codec/hash.ts'
import type { EntryRow } from '../store/view.ts'
import { expiresAt } from './expiry.ts'
import type { FilesParts } from './files-parts.ts'
import { tombstone } from './version-bodies.ts'

/** Entries looked at in one step: a few milliseconds. */
const stepEntries = 500
const roundMs = 3_600_000
/** Behind a device that is here, and behind one that is away; together never longer than the last. */
const behindMs = { online: 24 * roundMs, away: roundMs, most: 72 * roundMs }

export interface ExpireParts extends Pick<FilesParts, 'store' | 'catalogue' | 'clock' | 'presence' | 'log'> {
  /** Whether this device's clock differs much from the others'. */
  isClockWrong: () => boolean
}

/** Where a round stands. */
interface Round {
  folders: FolderId[]
  /** Entries with an expiry of their own, then all by their folder's. */
  own: number | undefined
  path: string
}

export class Expire implements Worker {
  readonly name = 'expiry'
  readonly #parts: ExpireParts
  #round: Round | undefined
  #expired = 0
  #next: number | undefined

  constructor(parts: ExpireParts) {
    this.#parts = parts
  }

  status(): string {
    return `${this.#expired} files moved to the trash after their time since the start`
  }

  async work(): Promise<WorkResult> {
    const { catalogue, clock } = this.#parts
    // A clock that runs ahead would take what still has time.
    if (this.#parts.isClockWrong()) return { waitMs: roundMs }
    this.#round ??= this.#begin()
    const [id] = this.#round.folders
    const folder = catalogue.folders().find((folder) => folder.id === id)
    if (folder?.open === true && (await this.#step(this.#round, folder.id, folder.policy.expireMs)))
      return 'more'
    this.#round = { folders: this.#round.folders.slice(1), own: 0, path: '' }
    if (this.#round.folders.length > 0) return 'more'
    this.#round = undefined
    return { waitMs: Math.min(roundMs, Math.max(1000, (this.#next ?? Infinity) - clock.now())) }
  }

  #begin(): Round {
    this.#next = undefined
    return { folders: this.#parts.catalogue.folders().map(({ id }) => id), own: 0, path: '' }
  }

  /** True when there is more in this folder. */
  async #step(round: Round, folder: FolderId, expireMs: number | undefined): Promise<boolean> {
    const { store, clock } = this.#parts
    if (round.own !== undefined) {
      const { entries, next } = store.read.expiring(folder, round.own, stepEntries)
      await this.#expire(folder, entries, expireMs)
      round.own = next
      return next !== undefined || expireMs !== undefined
    }
    if (expireMs === undefined) return false
    const before = clock.now() - expireMs
    const { entries, next } = store.read.changedBefore(folder, before, round.path, stepEntries)
    await this.#expire(folder, entries, expireMs)
    round.path = next ?? ''
    return next !== undefined
  }

  async #expire(folder: FolderId, entries: readonly EntryRow[], expireMs: number | undefined): Promise<void> {
    if (entries.length === 0) return
    const { catalogue, clock, log } = this.#parts
    const wait = this.#waitFor(folder)
    const now = clock.now()
    const gone = entries.filter((entry) => {
      const at = expiresAt(entry, expireMs)
      if (at === undefined) return false
      if (at + wait > now) this.#next = Math.min(this.#next ?? Infinity, at + wait)
      return at + wait <= now
    })
    if (gone.length === 0) return
    await catalogue.write(gone.map(tombstone))
    this.#expired += gone.length
    log.info('files went to the trash after their time', { folder, files: gone.length })
  }

  /** How long after its time a file is this device's to take. */
  #waitFor(folder: FolderId): number {
    const { catalogue, presence } = this.#parts
    const mine = rankOf(folder, catalogue.device)
    const before = catalogue
      .devices()
      .filter((device) => mayExpire(device, catalogue) && rankOf(folder, device.device) > mine)
    const waits = before.map(({ peer }) => (presence(peer!).online ? behindMs.online : behindMs.away))
    return Math.min(
      behindMs.most,
      waits.reduce((sum, wait) => sum + wait, 0),
    )
  }
}

/** Devices of the same owner: they write where this one does. */
function mayExpire({ kind, peer, user, revoked }: Device, own: ExpireParts['catalogue']): boolean {
  return kind === 'device' && peer !== undefined && user === own.user && !revoked
}

const rankOf = (folder: FolderId, device: DeviceId): string => hashHex(Buffer.from(folder + device, 'hex'))
