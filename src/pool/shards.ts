/**
 * Keeps the larger chunks of erasure folders as shards: what was just written is coded at once, what lies
 * here as whole copies is converted, missing shards are made again by the highest-ranked live holder, and
 * what a policy does not ask for any more goes last. Devices that hold shards do all of it blindly, but
 * for saying of which shards a chunk is made: that takes a member.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, FolderId, PeerId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { KnownCoding } from '../store/index-reader.ts'
import type { Replicator } from './replicate.ts'
import { ShardMaker, type ShardMakerParts } from './shard-maker.ts'

/** Chunks coded together, in memory with their shards, named by one record. */
const codeBytes = 6 * 1024 * 1024
/** Codings looked at in one go, some milliseconds; chunks whose shards are proved in one go. */
const lookCodings = 1000
const proveChunks = 8
const pageChunks = 256
/** More than these are found by the next round. */
const mostFresh = 65_536
/** Between a change and the round it causes. */
const settleMs = 2_000
const everyMs = 3600_000
const againFirstMs = 30_000
const againMostMs = 10 * 60_000
/** Of its time, what a round leaves to others after each step. */
const restShare = 0.25
const restMostMs = 2_000

export interface ShardsParts extends ShardMakerParts {
  replicator: Replicator
  clock: Clock
  wake: (worker: string) => void
}

export class Shards {
  readonly #parts: ShardsParts
  readonly #maker: ShardMaker
  /** Just written here, by folder. */
  readonly #fresh = new Map<FolderId, Set<ChunkId>>()
  #round: AsyncGenerator<undefined, undefined> | undefined
  #nextAt: number
  /** Something changed while the round ran. */
  #overtaken = false
  /** Rounds in a row that left something, and what the last one left. */
  #unfinished = 0
  #left = 0
  #coded = 0
  #mended = 0
  #freed = 0

  constructor(parts: ShardsParts) {
    this.#parts = parts
    this.#maker = new ShardMaker(parts)
    this.#nextAt = parts.clock.monotonicMs() + settleMs
  }

  /** Chunks just stored here; gives those that are to be kept as copies. */
  take(folder: FolderId, ids: readonly ChunkId[]): ChunkId[] {
    const { roster, store, wake } = this.#parts
    if (roster.scheme(folder) === undefined) return [...ids]
    const { large = [], small = [] } = Object.groupBy(ids, (id) =>
      (store.read.lengthOf(id) ?? 0) >= limits.shardedMin ? 'large' : 'small',
    )
    const fresh = this.#fresh.get(folder) ?? new Set()
    for (const id of large) if (fresh.size < mostFresh) fresh.add(id)
    this.#fresh.set(folder, fresh)
    if (large.length > 0) wake('shards')
    return small
  }

  /** Something may have changed: a round begins soon. */
  changed(): void {
    this.#unfinished = 0
    this.#overtaken = true
    this.#nextAt = Math.min(this.#nextAt, this.#parts.clock.monotonicMs() + settleMs)
    this.#parts.wake('shards')
  }

  worker(): Worker {
    return {
      name: 'shards',
      work: (signal) => this.#work(signal),
      status: () => this.#status(),
      hurry: () => (this.#nextAt = this.#parts.clock.monotonicMs()),
    }
  }

  async #work(signal: AbortSignal): Promise<WorkResult> {
    const { clock } = this.#parts
    if (await this.#codeFresh(signal)) return 'more'
    const now = clock.monotonicMs()
    if (this.#round === undefined) {
      const waitMs = this.#untilNext(now)
      if (waitMs > 0) return { waitMs }
      this.#begin(now, signal)
    }
    const step = await this.#round!.next()
    if (step.done === true) return this.#end()
    const rest = Math.min(restMostMs, (clock.monotonicMs() - now) * restShare)
    return rest < 1 ? 'more' : { waitMs: rest }
  }

  #begin(now: number, signal: AbortSignal): void {
    this.#nextAt = now + everyMs
    this.#overtaken = false
    this.#left = 0
    this.#round = this.#steps(signal)
  }

  #end(): WorkResult {
    const now = this.#parts.clock.monotonicMs()
    this.#round = undefined
    if (this.#left === 0) this.#unfinished = 0
    else {
      const again = Math.min(againMostMs, againFirstMs * 2 ** this.#unfinished)
      if (!this.#overtaken) this.#unfinished += 1
      this.#nextAt = Math.min(this.#nextAt, now + again)
    }
    return { waitMs: Math.max(1, this.#untilNext(now)) }
  }

  #untilNext(now: number): number {
    this.#nextAt = Math.min(this.#nextAt, now + this.#parts.roster.nextGraceMs())
    return this.#nextAt - now
  }

  async *#steps(signal: AbortSignal): AsyncGenerator<undefined, undefined> {
    const { roster, store } = this.#parts
    for (const folder of roster.folders()) {
      const scheme = roster.scheme(folder)
      if (scheme !== undefined) yield* this.#convert(folder, signal)
      for (let after: number | undefined = 0; after !== undefined && !signal.aborted;) {
        // Who is away for ten minutes may count no more: that is decided for each chunk.
        const peers = roster.counted(Math.min(limits.graceLastCopyMs, roster.graceMs))
        const page = store.read.codingsToTend(folder, scheme, peers, after, lookCodings)
        after = page.next
        yield* this.#tend(folder, page.codings, signal)
        yield undefined
      }
    }
    return undefined
  }

  /** Chunks that lie here whole and are no shards yet. */
  async *#convert(folder: FolderId, signal: AbortSignal): AsyncGenerator<undefined> {
    const { roster, store } = this.#parts
    for (let after: ChunkId | undefined; !signal.aborted;) {
      const scheme = roster.scheme(folder)
      if (scheme === undefined) return
      const ids = store.read.uncoded(folder, scheme, limits.shardedMin, after, pageChunks)
      const holders = roster.holders(ids)
      const mine = ids.filter((id) => this.#isMine(id, holders.get(id)!, this.#members()))
      this.#left += ids.length - mine.length
      for (const batch of this.#batches(mine)) {
        await this.#code(folder, batch, signal)
        yield undefined
      }
      after = ids.at(-1)
      if (ids.length < pageChunks) return
    }
  }

  async #codeFresh(signal: AbortSignal): Promise<boolean> {
    for (const [folder, ids] of this.#fresh) {
      const [batch = []] = this.#batches(ids)
      for (const id of batch) ids.delete(id)
      if (ids.size === 0) this.#fresh.delete(folder)
      if (batch.length === 0) continue
      await this.#code(folder, batch, signal)
      this.changed()
      return true
    }
    return false
  }

  *#batches(ids: Iterable<ChunkId>): Generator<ChunkId[]> {
    let batch: ChunkId[] = []
    let bytes = 0
    for (const id of ids) {
      const length = this.#parts.store.read.lengthOf(id) ?? limits.chunkMax
      if (batch.length > 0 && bytes + length > codeBytes) {
        yield batch
        batch = []
        bytes = 0
      }
      batch.push(id)
      bytes += length
    }
    if (batch.length > 0) yield batch
  }

  /** What fails, or was known before, is left to a round. */
  async #code(folder: FolderId, ids: readonly ChunkId[], signal: AbortSignal): Promise<void> {
    const { roster, store, budget, log } = this.#parts
    const scheme = roster.scheme(folder)
    if (scheme === undefined) return
    const isNew = (id: ChunkId): boolean =>
      !store.read.codingsOf(id).some((coding) => isSame(coding.scheme, scheme))
    const release = await budget.take(2 * codeBytes, signal)
    try {
      const lacking = await this.#maker.code(folder, scheme, ids.filter(isNew), signal)
      this.#left += lacking
      this.#coded += ids.length
    } catch (thrown) {
      signal.throwIfAborted()
      this.#left += ids.length
      log.info('chunks could not be made into shards', { reason: asPeerStorError(thrown).message })
    } finally {
      release()
    }
  }

  async *#tend(
    folder: FolderId,
    codings: readonly KnownCoding[],
    signal: AbortSignal,
  ): AsyncGenerator<undefined> {
    const whole: KnownCoding[] = []
    for (const coding of codings) {
      if (signal.aborted) return
      const done = await this.#tendOne(folder, coding, whole, signal).catch((thrown: unknown) => {
        signal.throwIfAborted()
        this.#parts.log.info('shards could not be seen to', { reason: asPeerStorError(thrown).message })
        return false
      })
      if (!done) this.#left += 1
      if (whole.length >= proveChunks) await this.#free(folder, whole.splice(0), signal)
      yield undefined
    }
    await this.#free(folder, whole, signal)
  }

  /** Whether nothing is left to do for a coding; one whose chunk may go from here is put into `whole`. */
  async #tendOne(
    folder: FolderId,
    coding: KnownCoding,
    whole: KnownCoding[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { roster, store } = this.#parts
    const scheme = roster.scheme(folder)
    if (scheme === undefined) return this.#backToCopies(folder, coding, signal)
    if (!isSame(scheme, coding.scheme)) return this.#otherScheme(folder, coding, signal)
    const { moves, unplaced } = this.#maker.plan(coding, this.#counted(coding))
    if (moves.length + unplaced > 0) return this.#mend(folder, coding, signal)
    if (store.read.hasChunk(coding.chunk)) whole.push(coding)
    return true
  }

  async #mend(folder: FolderId, coding: KnownCoding, signal: AbortSignal): Promise<boolean> {
    if (!this.#isMine(coding.chunk, this.#holdersOf(coding))) return false
    const release = await this.#parts.budget.take(3 * coding.length, signal)
    try {
      const mended = await this.#maker.mend(folder, coding, this.#counted(coding), signal)
      if (mended) this.#mended += 1
      return mended
    } finally {
      release()
    }
  }

  async #free(folder: FolderId, codings: readonly KnownCoding[], signal: AbortSignal): Promise<void> {
    if (codings.length === 0) return
    try {
      const freed = await this.#maker.dropWhole(folder, codings, signal)
      this.#freed += freed
      this.#left += codings.length - freed
    } catch (thrown) {
      signal.throwIfAborted()
      this.#left += codings.length
      this.#parts.log.info('whole copies stay', { reason: asPeerStorError(thrown).message })
    }
  }

  /** The folder keeps copies now: they come first, then the shards go. */
  async #backToCopies(folder: FolderId, coding: KnownCoding, signal: AbortSignal): Promise<boolean> {
    const { roster, store, replicator } = this.#parts
    const { chunk, shards } = coding
    const holders = roster.holders([chunk]).get(chunk)!
    const want = roster.want(folder)
    const { targets, unplaced } = roster.plan(chunk, holders, want)
    if (targets.length + unplaced === 0) {
      const reachable = new Set(roster.reachable())
      const peers = holders.filter((peer) => reachable.has(peer))
      const here = shards.filter((id) => store.read.hasChunk(id))
      if (here.length === 0) return true
      return (await this.#maker.dropShards(here, [{ id: chunk, peers, least: want }], signal)) > 0
    }
    const live = holders.filter((peer) => roster.isLive(peer))
    if (live.length === 0) {
      if (!this.#isMine(chunk, this.#holdersOf(coding)) || targets.length === 0) return false
      return (await this.#maker.copy(folder, coding, targets, signal)) && unplaced === 0
    }
    if (!this.#isMine(chunk, live)) return false
    return (await replicator.bring(folder, [chunk])).size === 0
  }

  /** The folder wants other shards now: these come first, then the old ones go. */
  async #otherScheme(folder: FolderId, coding: KnownCoding, signal: AbortSignal): Promise<boolean> {
    const { roster, store } = this.#parts
    const scheme = roster.scheme(folder)!
    const wanted = store.read.codingsOf(coding.chunk).find((other) => isSame(other.scheme, scheme))
    if (wanted === undefined) {
      if (this.#isMine(coding.chunk, this.#holdersOf(coding), this.#members()))
        await this.#code(folder, [coding.chunk], signal)
      return false
    }
    const { relied } = this.#maker.plan(wanted, roster.reachable())
    if (relied.includes(undefined)) return false
    // With as many data shards as before, these are the same.
    const kept = new Set(wanted.shards)
    const here = coding.shards.filter((id) => !kept.has(id) && store.read.hasChunk(id))
    if (here.length === 0) return true
    const instead = wanted.shards.map((id, place) => ({ id, peers: [relied[place]!], least: 1 }))
    return (await this.#maker.dropShards(here, instead, signal)) > 0
  }

  /** Devices that have the chunk or a shard of it, of whatever scheme. */
  #holdersOf({ chunk }: KnownCoding): PeerId[] {
    const { roster, store } = this.#parts
    const shards = store.read.codingsOf(chunk).flatMap((coding) => coding.shards)
    return [...new Set([...roster.holders([chunk, ...shards]).values()].flat())]
  }

  /** With no shard to spare within reach, whoever is away for ten minutes counts no more. */
  #counted({ chunk }: KnownCoding): PeerId[] {
    const { roster, store } = this.#parts
    const strength = store.read.strengths([chunk], roster.reachable()).get(chunk)!
    return roster.counted(strength <= 1 ? Math.min(limits.graceLastCopyMs, roster.graceMs) : undefined)
  }

  #members(): ReadonlySet<PeerId> {
    const members = this.#parts.roster.members().filter(({ role }) => role !== 'storage')
    return new Set(members.map(({ peer }) => peer))
  }

  /** Whether this peer sees to a chunk: the first in rank of those that can, or one of the next when they do not. */
  #isMine(chunk: ChunkId, holders: readonly PeerId[], able?: ReadonlySet<PeerId>): boolean {
    const { roster } = this.#parts
    const ranking = roster.ranking(chunk, 1)
    const others = holders.filter((peer) => !ranking.includes(peer)).sort()
    const turn = [...ranking.filter((peer) => holders.includes(peer)), ...others]
      .filter((peer) => roster.isLive(peer) && (able === undefined || able.has(peer)))
      .indexOf(roster.self)
    return turn >= 0 && turn <= this.#unfinished
  }

  #status(): string {
    const waiting = [...this.#fresh.values()].reduce((sum, { size }) => sum + size, 0)
    const done = `${this.#coded} chunks made into shards, ${this.#mended} mended, ${this.#freed} whole copies given up`
    if (waiting > 0) return `${done}; ${waiting} chunks wait for it`
    return this.#left === 0 ? done : `${done}; ${this.#left} to be looked at again`
  }
}

function isSame(a: { k: number; m: number }, b: { k: number; m: number }): boolean {
  return a.k === b.k && a.m === b.m
}
