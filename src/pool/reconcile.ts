/**
 * Once a day this device compares, for each folder that it reads and each device that holds chunks, its own disk
 * included, what is pinned there with what the folder needs: every version that shows, lies in the trash or is kept
 * for a while, and what uploads under way rely on. What nobody needs it releases; what is needed and has no standing
 * pin it pins again, whoever released it.
 *
 * Nothing is released that this device may only not know of yet: all versions here must be open and their chunks
 * known, the holder's feed read to its end, and the pins at least a day old.
 */
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, DatabaseId, FolderId, PeerId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import { isClockOff, type CollectionParts } from './collection.ts'
import { differences, digestsOf, idsWith, type PageOf } from './pin-digests.ts'
import { OwnPins, RemotePins, type PinHolder } from './pin-holders.ts'

const dayMs = 24 * 3600_000
/** What comes a little early is not a day late. */
const everyMs = dayMs - 3600_000
/** Looks for pairs that are due, and another try of one that could not be compared. */
const lookMs = 60_000
const againMs = 600_000

interface Pair {
  folder: FolderId
  peer: PeerId
}

/** What one comparison found. */
interface Found {
  holder: PinHolder
  folder: FolderId
  database: DatabaseId
  /** The holder's change number before it looked, and a day ago; undefined when that is not known. */
  change: number
  before: number | undefined
  useless: ChunkId[]
  lacking: ChunkId[]
}

export class Reconcile {
  readonly #parts: CollectionParts
  readonly #startAt: number
  /** Compared before this wall time: due. */
  #dueBefore = 0
  #hurried = false
  /** When pairs were compared in this run, wall time. */
  readonly #done = new Map<string, number>()
  /** Pairs that could not be compared, until when (monotonic). */
  readonly #later = new Map<string, number>()
  #released = 0
  #pinned = 0
  #compared = 0
  #waiting = ''

  constructor(parts: CollectionParts) {
    this.#parts = parts
    this.#startAt = parts.clock.monotonicMs() + Math.min(parts.times().firstMs, limits.collectFirstMs) / 2
  }

  worker(): Worker {
    return {
      name: 'reconcile',
      work: (signal) => this.#work(signal),
      status: () => this.#status(),
      hurry: () => this.hurry(),
    }
  }

  /** Every pair is due now. */
  hurry(): void {
    this.#dueBefore = this.#parts.clock.now() + 1
    this.#hurried = true
    this.#later.clear()
  }

  /** Compares all that is due, for whoever asks for collection now. */
  async round(signal: AbortSignal): Promise<void> {
    this.hurry()
    for (let pair = this.#due(); pair !== undefined; pair = this.#due()) {
      signal.throwIfAborted()
      await this.#compare(pair, signal)
    }
  }

  async #work(signal: AbortSignal): Promise<WorkResult> {
    const { clock } = this.#parts
    const now = clock.monotonicMs()
    if (now < this.#startAt && !this.#hurried) return { waitMs: Math.max(1, this.#startAt - now) }
    this.#waiting = ''
    if (isClockOff(this.#parts)) {
      this.#waiting = ', waiting because the clocks of this device and others differ'
      return { waitMs: againMs }
    }
    const pair = this.#due()
    if (pair === undefined) return { waitMs: lookMs }
    await this.#compare(pair, signal)
    return 'more'
  }

  /** A folder, and a device that is here now, that were compared long ago or never. */
  #due(): Pair | undefined {
    const { clock, store, membership, folders, pool } = this.#parts
    const connected = pool.health().flatMap(({ peer, connected }) => (connected ? [peer] : []))
    const members = new Set(membership.members().map(({ peer }) => peer))
    const peers = [membership.self, ...connected].filter((peer) => members.has(peer))
    const [now, wall] = [clock.monotonicMs(), clock.now()]
    for (const folder of folders.readable())
      for (const peer of peers) {
        if (now < (this.#later.get(folder + peer) ?? 0)) continue
        const at = this.#done.get(folder + peer) ?? store.read.compared(folder, peer)?.at
        // A clock that was set back makes nothing wait longer than a day.
        if (at === undefined || at < this.#dueBefore || Math.abs(wall - at) >= everyMs)
          return { folder, peer }
      }
    return undefined
  }

  async #compare(pair: Pair, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    const { folder, peer } = pair
    try {
      const reason = this.#notNow(pair) ?? (await this.#exchange(pair, signal))
      if (reason === undefined) return
      log.debug('pins are compared later', { folder, peer, reason })
    } catch (thrown) {
      signal.throwIfAborted()
      const { code, message } = asPeerStorError(thrown)
      log.info('pins could not be compared', { folder, peer, code, reason: message })
    }
    this.#later.set(folder + peer, clock.monotonicMs() + againMs)
  }

  /** Why what is needed cannot be told for certain now. */
  #notNow({ folder, peer }: Pair): string | undefined {
    const { store, membership, pool } = this.#parts
    if (!store.read.isWhole(folder)) return 'versions are not open yet'
    if (store.read.hasPartialBatches()) return 'records are missing'
    if (peer !== membership.self && !pool.isCaughtUp(peer)) return 'its news are not read yet'
    return undefined
  }

  async #exchange(pair: Pair, signal: AbortSignal): Promise<string | undefined> {
    const { folder, peer } = pair
    const { clock, store } = this.#parts
    const holder = this.#holder(pair, signal)
    if (holder === undefined) return 'it is no member any more'
    const at = clock.now()
    const { database, change, digests } = await holder.digests('')
    const last = store.read.compared(folder, peer)
    const isOld = last?.database === database && Math.abs(at - last.at) >= everyMs
    const before = isOld ? last.change : undefined
    const found: Found = { holder, folder, database, change, before, useless: [], lacking: [] }
    await this.#descend(found, '', digests, signal)
    await this.#send(found, true)
    // Compared again within the day, the older number stays: the age of pins is measured by it.
    if (last?.database !== database || isOld)
      await store.index([{ op: 'compared', folder, peer, database, change, at }])
    this.#done.set(folder + peer, Math.max(at, this.#dueBefore))
    this.#compared += 1
    return undefined
  }

  #holder({ folder, peer }: Pair, signal: AbortSignal): PinHolder | undefined {
    const { membership } = this.#parts
    const members = membership.members()
    const own = members.find((member) => member.peer === membership.self)
    const holder = members.find((member) => member.peer === peer)
    if (own === undefined || holder === undefined) return undefined
    if (peer === membership.self) return new OwnPins(this.#parts, folder, own.device, signal)
    return new RemotePins(this.#parts, folder, holder, own.device, signal)
  }

  async #descend(found: Found, prefix: string, theirs: Uint8Array, signal: AbortSignal): Promise<void> {
    const ours = await digestsOf(this.#needed(found), prefix, () => this.#parts.clock.sleep(1, signal))
    for (const part of differences(ours, theirs, prefix)) {
      if (part.few) await this.#list(found, part.prefix, signal)
      else await this.#descend(found, part.prefix, (await found.holder.digests(part.prefix)).digests, signal)
      await this.#send(found, false)
    }
  }

  #needed({ folder, holder }: Found): PageOf {
    return (after, until, limit) => this.#parts.store.read.neededOf(holder.peer, folder, after, until, limit)
  }

  /** Compares a part id by id. */
  async #list(found: Found, prefix: string, signal: AbortSignal): Promise<void> {
    const pinned = new Set<ChunkId>()
    for await (const page of found.holder.list(prefix)) {
      for (const id of page) pinned.add(id)
      found.useless.push(...this.#useless(found.folder, page))
    }
    for await (const ids of idsWith(this.#needed(found), prefix, () => this.#parts.clock.sleep(1, signal)))
      found.lacking.push(...ids.filter((id) => !pinned.has(id)))
  }

  /** Those that nothing needs at this moment. */
  #useless(folder: FolderId, ids: readonly ChunkId[]): ChunkId[] {
    const needed = new Set(this.#parts.store.read.needed(folder, ids))
    return ids.filter((id) => !needed.has(id) && !this.#parts.inUse(id))
  }

  /** Sends what has gathered, in full messages until the end. */
  async #send(found: Found, end: boolean): Promise<void> {
    const { holder, database, change, lacking, useless } = found
    for (const ids of messages(lacking, end)) {
      await holder.pin(ids)
      this.#pinned += ids.length
    }
    for (const ids of messages(useless, end)) await this.#release(found, ids)
    if (end) await holder.release({ database, upTo: change, ids: [], done: true })
  }

  async #release({ holder, folder, database, before }: Found, ids: readonly ChunkId[]): Promise<void> {
    if (before === undefined) return
    // What became needed since it was listed, by a restored version or an upload, stays.
    const left = this.#useless(folder, ids)
    if (left.length === 0) return
    await holder.release({ database, upTo: before, ids: left, done: false })
    this.#released += left.length
  }

  #status(): string {
    return `${this.#compared} comparisons since the start: ${this.#released} chunks released, ${this.#pinned} pinned again${this.#waiting}`
  }
}

/** Takes what makes full messages out of a list; at the end, what is left too. */
function* messages(ids: ChunkId[], end: boolean): Generator<ChunkId[]> {
  const least = end ? 1 : limits.releaseChunks
  while (ids.length >= least) yield ids.splice(0, limits.releaseChunks)
}
