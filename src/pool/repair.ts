/**
 * Brings chunks that lost copies back to what their folder wants. Looks at chunks held here only; of
 * the live holders of a chunk the highest-ranked one acts, so that there is no storm and no
 * coordinator. When it does not (it may lie, or be broken), the next one does after a while.
 *
 * A round goes through all folders in pages. It begins when something may have changed: at start, when
 * members change, when a peer is away beyond its grace, when holdings were dropped.
 */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, FolderId, PeerId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Health } from './health.ts'
import type { PoolStore } from './pool.ts'
import type { Replicator } from './replicate.ts'
import type { Roster } from './roster.ts'

const pageChunks = 1024
/** Between a change and the round it causes: more may follow. */
const settleMs = 2_000
/** A round that left something is repeated, later each time. */
const againFirstMs = 30_000
const againMostMs = 10 * 60_000
/** A round now and then, whatever happens. */
const everyMs = 3600_000
/** Of its time, what repair leaves to others after each page. */
const restShare = 0.25
const restMostMs = 2_000

export interface RepairParts {
  store: PoolStore
  roster: Roster
  health: Health
  replicator: Replicator
  clock: Clock
  wake: (worker: string) => void
}

/** The index is asked for a slice of the ids at a time that takes about so long: nothing else runs meanwhile. */
const sliceMs = 10
const sliceParts = 65_536

/** Where a round is. `pass` 1 looks for chunks with one reachable copy left. */
interface Round {
  folders: FolderId[]
  folder: number
  pass: 0 | 1
  /** Of the ids' 65,536 parts by their first two bytes, the first that was not looked at. */
  part: number
  /** Where a full page ended inside a slice. */
  after: ChunkId | undefined
  looked: number
  brought: number
  short: number
  startedAt: number
  /** What it found may be old news: another round follows. */
  overtaken: boolean
}

export class Repair {
  readonly #parts: RepairParts
  #round: Round | undefined
  /** Parts in a slice. */
  #width = 256
  /** When the next round begins, monotonic. */
  #nextAt: number
  /** Rounds in a row that left something. */
  #unfinished = 0
  #lastRound = 'no round has ended yet'

  constructor(parts: RepairParts) {
    this.#parts = parts
    this.#nextAt = parts.clock.monotonicMs() + settleMs
  }

  /**
   * Something may have changed: a round begins soon. One that runs goes on first: begun anew each time,
   * a peer that comes and goes would keep all rounds at their first chunks.
   */
  changed(): void {
    this.#unfinished = 0
    if (this.#round !== undefined) this.#round.overtaken = true
    this.#nextAt = Math.min(this.#nextAt, this.#parts.clock.monotonicMs() + settleMs)
    this.#parts.wake('repair')
  }

  worker(): Worker {
    return {
      name: 'repair',
      work: (signal) => this.#work(signal),
      status: () => this.#status(),
      hurry: () => (this.#nextAt = this.#parts.clock.monotonicMs()),
    }
  }

  async #work(signal: AbortSignal): Promise<WorkResult> {
    const { clock } = this.#parts
    const now = clock.monotonicMs()
    if (this.#round === undefined && now < this.#nextAt) return { waitMs: this.#untilNext(now) }
    this.#round ??= this.#begin()
    const round = this.#round
    await this.#page(round)
    if (signal.aborted) return { waitMs: everyMs }
    if (round.folder >= round.folders.length) return this.#end(round)
    const rest = Math.min(restMostMs, (clock.monotonicMs() - now) * restShare)
    return rest < 1 ? 'more' : { waitMs: rest }
  }

  #begin(): Round {
    const folders = this.#parts.roster.folders()
    const startedAt = this.#parts.clock.monotonicMs()
    this.#nextAt = startedAt + everyMs
    return {
      folders,
      folder: 0,
      pass: 0,
      part: 0,
      after: undefined,
      looked: 0,
      brought: 0,
      short: 0,
      startedAt,
      overtaken: false,
    }
  }

  #end(round: Round): WorkResult {
    const now = this.#parts.clock.monotonicMs()
    this.#round = undefined
    if (round.short === 0 || round.overtaken) this.#unfinished = 0
    else {
      const again = Math.min(againMostMs, againFirstMs * 2 ** this.#unfinished)
      this.#unfinished += 1
      this.#nextAt = Math.min(this.#nextAt, now + again)
    }
    this.#lastRound =
      round.short === 0
        ? `all chunks have their copies (${round.brought} mended in the last round)`
        : `${round.short} chunks have fewer copies than wanted; tried again soon`
    return { waitMs: this.#untilNext(now) }
  }

  /** Looks at one page of the round's folder and pass, and brings what this peer answers for. */
  async #page(round: Round): Promise<void> {
    const { store, roster, replicator, clock } = this.#parts
    const folder = round.folders[round.folder]
    if (folder === undefined) return
    const want = roster.want(folder)
    const { least, peers } = this.#asked(round.pass, want)
    const slice = this.#slice(round)
    const before = clock.monotonicMs()
    const rows =
      least === 0 ? [] : store.read.lacking(folder, least, peers, slice.after, pageChunks, slice.until)
    this.#fitSlice(clock.monotonicMs() - before)
    const lacking = this.#lacking(
      rows.map(({ id }) => id),
      want,
    )
    const mine = lacking.filter(({ mine }) => mine).map(({ id }) => id)
    round.looked += rows.length
    const short = await replicator.bring(folder, mine)
    round.brought += mine.length - short
    // What others answer for counts as open until a later round finds it done.
    round.short += short + (lacking.length - mine.length)
    if (rows.length === pageChunks) round.after = rows.at(-1)!.id
    else this.#nextSlice(round, slice.end)
  }

  #slice({ part, after }: Round): { after: ChunkId | undefined; until: ChunkId; end: number } {
    const end = Math.min(sliceParts, part + this.#width)
    return {
      after: after ?? (part === 0 ? undefined : lastOfPart(part - 1)),
      until: lastOfPart(end - 1),
      end,
    }
  }

  #fitSlice(tookMs: number): void {
    if (tookMs < sliceMs / 2) this.#width = Math.min(sliceParts, this.#width * 2)
    else if (tookMs > sliceMs * 2) this.#width = Math.max(1, this.#width >> 1)
  }

  #nextSlice(round: Round, end: number): void {
    round.after = undefined
    round.part = end
    if (end === sliceParts) this.#nextPass(round)
  }

  #asked(pass: 0 | 1, want: number): { least: number; peers: PeerId[] } {
    if (pass === 0) return { least: want, peers: this.#parts.roster.counted() }
    return { least: Math.min(2, want), peers: this.#parts.roster.reachable() }
  }

  #nextPass(round: Round): void {
    round.part = 0
    if (round.pass === 0) round.pass = 1
    else {
      round.pass = 0
      round.folder += 1
    }
  }

  /** Chunks that want more copies than they have, with whether this peer is the one to act. */
  #lacking(ids: readonly ChunkId[], want: number): { id: ChunkId; mine: boolean }[] {
    const { roster } = this.#parts
    const holders = roster.holders(ids)
    return ids.flatMap((id) => {
      const { targets, unplaced, responsible } = roster.plan(id, holders.get(id) ?? [], want)
      if (targets.length + unplaced === 0) return []
      const turn = responsible.indexOf(roster.self)
      return [{ id, mine: turn >= 0 && turn <= this.#unfinished }]
    })
  }

  /** Until the next round, or until an absent peer's grace ends. */
  #untilNext(now: number): number {
    const { roster, health } = this.#parts
    let waitMs = Math.max(1, this.#nextAt - now)
    for (const { peer } of roster.others()) {
      const absentMs = health.absentMs(peer)
      if (absentMs === 0) continue
      for (const graceMs of [limits.graceLastCopyMs, roster.graceMs]) {
        const leftMs = graceMs - absentMs
        if (leftMs < 0 || leftMs + 1 >= waitMs) continue
        waitMs = leftMs + 1
        this.#nextAt = now + waitMs
      }
    }
    return waitMs
  }

  #status(): string {
    const round = this.#round
    if (round === undefined) return this.#lastRound
    const seconds = Math.max(1, (this.#parts.clock.monotonicMs() - round.startedAt) / 1000)
    const rate = round.brought / seconds
    const left = round.short
    const eta = rate > 0 && left > 0 ? `, about ${Math.ceil(left / rate)} s to go` : ''
    return `mending: ${round.brought} of ${round.looked} chunks looked at were brought to their copies${eta}`
  }
}

/** The last id whose first two bytes are `part`. */
function lastOfPart(part: number): ChunkId {
  return (part.toString(16).padStart(4, '0') + 'f'.repeat(60)) as ChunkId
}
