/**
 * Moves copies to where they belong, after devices joined, went, came back or changed their size: first a copy
 * more, then, proved, one less (`surplus.ts`). Of the live holders of a chunk the highest-ranked one copies it and the
 * lowest-ranked one gives its copy up. Where copies are missing nothing is moved: that is repair's, which goes first.
 *
 * A round goes through the chunks here in order of their ids; those that it could not bring to their end are
 * looked at again alone. Where a round is lost by a restart, what was moved stays moved.
 *
 * A device that keeps more than it contributes, because that was made smaller, gives away what lies elsewhere by rank
 * as anybody does, and while that is not enough any chunk that another device can take.
 */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Holds } from './holds.ts'
import type { Balance } from './plan.ts'
import type { Mending, Membership, PoolStore } from './pool.ts'
import type { Replicator } from './replicate.ts'
import type { Roster } from './roster.ts'
import type { Surplus, SurplusChunk } from './surplus.ts'

/** Between a change and the round it causes: more may follow. */
const settleMs = 15_000
/** Between two rounds over what was left, while others bring their part; without news later each time. */
const soonMs = 2_000
const againFirstMs = 30_000
const againMostMs = 10 * 60_000
/** Between taking chunks in and looking at them. */
const freshMs = 60_000
/** Of its time, what rebalancing leaves to others after each page. */
const restShare = 1
const restMostMs = 5_000
/** While repair has something to do. */
const behindRepairMs = 2_000
/** What is left of a round and remembered one by one; with more the next round looks at everything again. */
const mostLeft = 65_536
/** Chunks given away at once by a device that keeps too much: few, so that it stops in time. */
const overPage = 8
/** Rounds in a row that came to nothing before a device that keeps too much gives away what belongs to it. */
const patience = 2

export interface RebalanceParts {
  store: PoolStore
  membership: Membership
  roster: Roster
  holds: Holds
  replicator: Replicator
  surplus: Surplus
  clock: Clock
  /** Whether repair has something to do. */
  isMending: () => boolean
  /** Bytes kept here beyond what this device contributes; 0 or less: none. */
  overBytes: () => Promise<number>
  wake: (worker: string) => void
}

interface Round {
  /** Chunks left by the round before; undefined: all that are here. */
  ids: readonly ChunkId[] | undefined
  after: ChunkId | undefined
  looked: number
  moved: number
  dropped: number
  left: Set<ChunkId>
  /** Devices that took nothing. */
  refusing: Set<PeerId>
  startedAt: number
  /** Whether it gives away what belongs here, too. */
  over: boolean
}

/** A chunk here, and where its copies lie and belong. */
interface Looked {
  id: ChunkId
  want: number
  balance: Balance
}

export class Rebalance {
  readonly #parts: RebalanceParts
  #round: Round | undefined
  /** When the next round begins, monotonic. */
  #nextAt: number
  /** What the last round left; the next one looks at these alone, unless at everything. */
  #left: readonly ChunkId[] = []
  #whole = true
  /** When everything is looked at whatever happens, monotonic. */
  #wholeAt = 0
  /** Devices that chunks wait for. */
  #awaited = new Set<PeerId>()
  /** Taken in from others since: some in place of a device that could not be reached. */
  #fresh = new Set<ChunkId>()
  #tookMs = 0
  /** Rounds in a row that left something and moved nothing. */
  #idle = 0
  /** What decided where chunks belong when the last whole round began. */
  #placed = ''
  #moved = 0
  #dropped = 0
  /** Copies brought or given up since everything was well, and since when. */
  #progress = 0
  #since = 0

  constructor(parts: RebalanceParts) {
    this.#parts = parts
    this.#nextAt = parts.clock.monotonicMs() + settleMs
  }

  /** Who is a member, what devices contribute, or how many copies are wanted may have changed. */
  changed(): void {
    if (this.#placedNow() !== this.#placed) this.#lookAtAll()
  }

  /** A device is back after so long: meanwhile others may have got copies in its place, or wait for it. */
  came(peer: PeerId, absentMs: number): void {
    const graceMs = Math.min(limits.graceLastCopyMs, this.#parts.roster.graceMs)
    if (this.#awaited.has(peer) || absentMs > graceMs) this.#lookAtAll()
    else this.news()
  }

  /** Holdings have changed, or somebody came. */
  news(): void {
    if (this.#left.length > 0) this.#at(Math.max(soonMs, this.#tookMs))
  }

  /** Chunks came here from others. */
  kept(ids: readonly ChunkId[]): void {
    if (this.#fresh.size > mostLeft) return
    for (const id of ids) this.#fresh.add(id)
    this.#at(freshMs)
  }

  worker(): Worker {
    return {
      name: 'rebalance',
      work: (signal) => this.#work(signal),
      status: () => this.#status(),
      hurry: () => {
        this.#whole = true
        this.#nextAt = 0
      },
    }
  }

  /** What is moved, since something was to be moved; undefined while everything lies where it belongs. */
  moving(): Mending | undefined {
    const chunks = this.#progress + progressOf(this.#round)
    if (chunks === 0) return undefined
    return { chunks, etaSeconds: this.#etaSeconds() }
  }

  /** A round that runs goes on first: begun anew each time, a device that comes and goes would end none. */
  #lookAtAll(): void {
    this.#whole = true
    this.#idle = 0
    this.#at(settleMs)
  }

  #at(ms: number): void {
    this.#nextAt = Math.min(this.#nextAt, this.#parts.clock.monotonicMs() + ms)
    this.#parts.wake('rebalance')
  }

  async #work(signal: AbortSignal): Promise<WorkResult> {
    const { clock, isMending } = this.#parts
    const now = clock.monotonicMs()
    if (this.#round === undefined && now < this.#nextAt) return { waitMs: this.#nextAt - now }
    if (isMending()) return { waitMs: behindRepairMs }
    const round = (this.#round ??= await this.#begin())
    const more = await this.#page(round, signal)
    if (!more) return this.#end(round)
    const rest = Math.min(restMostMs, (clock.monotonicMs() - now) * restShare)
    return rest < 1 ? 'more' : { waitMs: rest }
  }

  async #begin(): Promise<Round> {
    const { clock, overBytes } = this.#parts
    const over = (await overBytes()) > 0 && (this.#left.length === 0 || this.#idle >= patience)
    const whole = this.#whole || over || clock.monotonicMs() >= this.#wholeAt
    if (whole) {
      this.#placed = this.#placedNow()
      this.#awaited.clear()
      this.#wholeAt = clock.monotonicMs() + limits.rebalanceEveryMs
    }
    this.#whole = false
    const ids = [...new Set([...this.#left, ...this.#fresh])]
    this.#fresh.clear()
    this.#nextAt = Number.POSITIVE_INFINITY
    return {
      ids: whole ? undefined : ids,
      after: undefined,
      looked: 0,
      moved: 0,
      dropped: 0,
      left: new Set(),
      refusing: new Set(),
      startedAt: clock.monotonicMs(),
      over,
    }
  }

  /** Resolves to whether there is more to look at. */
  async #page(round: Round, signal: AbortSignal): Promise<boolean> {
    const ids = await this.#nextIds(round)
    if (ids.length === 0) return false
    round.looked += ids.length
    round.after = ids.at(-1)!
    const looked = this.#look(ids, false)
    const moved = await this.#move(looked, round)
    const now = moved ? this.#look(ids, false) : looked
    await this.#giveUp(now, round, signal)
    if (round.over) await this.#giveAway(ids, round, signal)
    this.#note(this.#look(ids, false), round)
    return true
  }

  async #nextIds({ ids, looked, after }: Round): Promise<ChunkId[]> {
    if (ids !== undefined) return ids.slice(looked, looked + limits.getChunks)
    const page: ChunkId[] = []
    for await (const id of this.#parts.store.chunks.list('', { after })) {
      page.push(id)
      if (page.length === limits.getChunks) break
    }
    return page
  }

  /** Chunks that are here and wanted. */
  #look(ids: readonly ChunkId[], leaving: boolean): Looked[] {
    const { store, roster } = this.#parts
    const here = ids.filter((id) => store.read.hasChunk(id))
    const wants = roster.wants(here.map((id) => ({ id, pins: store.read.standingPins(id) })))
    const holders = roster.holders(here)
    return [...wants].map(([id, want]) => ({
      id,
      want,
      balance: roster.balance(id, holders.get(id) ?? [], want, leaving),
    }))
  }

  /** Brings what this device answers for; resolves to whether anything was to be brought. */
  async #move(looked: readonly Looked[], round: Round): Promise<boolean> {
    const { roster } = this.#parts
    const mine = looked.filter(({ balance }) => {
      const turn = balance.responsible.indexOf(roster.self)
      return turn >= 0 && turn <= this.#idle
    })
    return this.#bring(mine, round)
  }

  /** Who took nothing of a page is not asked again in the same round. */
  async #bring(looked: readonly Looked[], round: Round): Promise<boolean> {
    const { replicator, roster } = this.#parts
    const moves = looked
      .map(({ id, balance }) => ({ id, to: balance.targets.filter((peer) => !round.refusing.has(peer)) }))
      .filter(({ to }) => to.length > 0)
    if (moves.length === 0) return false
    round.moved += moves.length - (await replicator.move(moves)).size
    const holders = roster.holders(moves.map(({ id }) => id))
    for (const peer of new Set(moves.flatMap(({ to }) => to)))
      if (!moves.some(({ id, to }) => to.includes(peer) && holders.get(id)?.includes(peer) === true))
        round.refusing.add(peer)
    return true
  }

  async #giveUp(looked: readonly Looked[], round: Round, signal: AbortSignal): Promise<void> {
    const { holds, surplus, roster, replicator } = this.#parts
    const chunks = looked.flatMap(({ id, want, balance }): SurplusChunk[] =>
      balance.surplus === roster.self && !replicator.isUnderWay(id)
        ? [{ id, want, relied: balance.relied }]
        : [],
    )
    if (chunks.length === 0 || holds.waitMs > 0) return
    round.dropped += (await surplus.giveUp(chunks, signal)).length
  }

  /** Gives chunks that belong here to those next in rank, until no more is kept than contributed. */
  async #giveAway(ids: readonly ChunkId[], round: Round, signal: AbortSignal): Promise<void> {
    const { overBytes } = this.#parts
    for (let at = 0; at < ids.length; at += overPage) {
      if (signal.aborted || (await overBytes()) <= 0) return
      const some = ids.slice(at, at + overPage)
      await this.#bring(this.#look(some, true), round)
      await this.#giveUp(this.#look(some, true), round, signal)
    }
  }

  /** What is not at its end: more is to be done by somebody here, or when a device is back. */
  #note(looked: readonly Looked[], round: Round): void {
    const { roster } = this.#parts
    // A device that goes, or keeps nothing, gives nothing up.
    if (roster.member(roster.self)?.keeps !== true) return
    for (const { id, balance } of looked) {
      const { missing, belongs, targets, awaited } = balance
      const lacking = [...targets, ...awaited]
      if (missing || (lacking.length === 0 && belongs.includes(roster.self))) continue
      const away = (lacking.length > 0 ? lacking : belongs).filter((peer) => !roster.isLive(peer))
      for (const peer of away) this.#awaited.add(peer)
      const waits = lacking.length > 0 ? away.length === lacking.length : away.length > 0
      if (!waits && round.left.size <= mostLeft) round.left.add(id)
    }
  }

  async #end(round: Round): Promise<WorkResult> {
    const { clock, overBytes } = this.#parts
    const now = clock.monotonicMs()
    const isOver = (await overBytes()) > 0
    this.#round = undefined
    this.#moved += round.moved
    this.#dropped += round.dropped
    this.#whole ||= round.left.size > mostLeft
    this.#left = [...round.left]
    this.#tookMs = now - round.startedAt
    const done = progressOf(round) > 0
    if (this.#progress === 0) this.#since = round.startedAt
    this.#progress += progressOf(round)
    const open = round.left.size > 0 || isOver
    this.#idle = done || !open ? 0 : this.#idle + 1
    if (!open) this.#progress = 0
    const again = Math.min(againMostMs, againFirstMs * 2 ** Math.max(0, this.#idle - 1))
    if (this.#whole) this.#at(settleMs)
    else if (done) this.#at(Math.max(soonMs, this.#tookMs))
    else if (open) this.#at(Math.max(again, this.#tookMs))
    else this.#at(Math.max(settleMs, this.#wholeAt - now))
    return { waitMs: this.#nextAt - now }
  }

  /** Everything that decides where chunks belong. */
  #placedNow(): string {
    const { roster, membership } = this.#parts
    const places = roster
      .keepers()
      .map(({ peer, owner, zone, contributed, full }) => [peer, owner, zone, contributed, full])
    return JSON.stringify([places, membership.folders()])
  }

  /** Ids are hashes: what is left of a round takes about as long for each id as what was done. */
  #etaSeconds(): number | undefined {
    const round = this.#round
    const now = this.#parts.clock.monotonicMs()
    if (round !== undefined && round.ids === undefined && round.after !== undefined) {
      const done = Number.parseInt(round.after.slice(0, 8), 16) / 2 ** 32
      return Math.ceil(((now - round.startedAt) / 1000) * (1 / Math.max(done, 1e-3) - 1))
    }
    if (this.#progress === 0) return undefined
    return Math.ceil(((now - this.#since) / 1000) * (this.#left.length / this.#progress))
  }

  #status(): string {
    const total = `${this.#moved} copies brought to where they belong, ${this.#dropped} given up since the start`
    const round = this.#round
    const seconds = this.#etaSeconds()
    const eta = seconds === undefined || this.moving() === undefined ? '' : `, about ${seconds} s to go`
    if (round !== undefined)
      return `moving: ${round.moved} copies brought and ${round.dropped} given up of ${round.looked} chunks looked at${eta}`
    if (this.#left.length === 0) return `all chunks lie where they belong (${total})`
    return `${this.#left.length} chunks are to be moved, here or by others${eta} (${total})`
  }
}

function progressOf(round: Round | undefined): number {
  return round === undefined ? 0 : round.moved + round.dropped
}
