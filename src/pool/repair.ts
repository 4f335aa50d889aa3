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
import type { ChunkId, FolderId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Health } from './health.ts'
import type { Mending, PoolStore } from './pool.ts'
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

const mostLeft = 65_536

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

/** A look at all chunks of a folder held here for those with fewer than `least` copies. */
interface Pass {
  folder: FolderId
  /** Only chunks of files that ask for the most copies. */
  priority: boolean
  least: number
  /** Which copies count: those that can be reached now, or all that are not away beyond their grace. */
  among: 'reachable' | 'counted'
}

/** Where a round is. */
interface Round {
  passes: readonly Pass[]
  pass: number
  /** Of the ids' 65,536 parts by their first two bytes, the first that was not looked at. */
  part: number
  /** Where a full page ended inside a slice. */
  after: ChunkId | undefined
  looked: number
  brought: number
  /** Chunks that it left with fewer copies than wanted; the first `mostLeft` of them. */
  left: Set<ChunkId>
  passStartedAt: number
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
    if (round.pass >= round.passes.length) return this.#end(round)
    const rest = Math.min(restMostMs, (clock.monotonicMs() - now) * restShare)
    return rest < 1 ? 'more' : { waitMs: rest }
  }

  #begin(): Round {
    const startedAt = this.#parts.clock.monotonicMs()
    this.#nextAt = startedAt + everyMs
    return {
      passes: this.#passes(),
      pass: 0,
      part: 0,
      after: undefined,
      looked: 0,
      brought: 0,
      left: new Set(),
      passStartedAt: startedAt,
      overtaken: false,
    }
  }

  /** What has the fewest copies left comes first; of each number of copies, priority files do. */
  #passes(): Pass[] {
    const { roster, store } = this.#parts
    const passes = roster.folders().flatMap((folder) => {
      const kinds = store.read.priorities(folder) > 0 ? [true, false] : [false]
      return kinds.flatMap((priority) => passesOf(folder, priority, roster.want(folder, priority)))
    })
    const urgency = ({ least, among, priority }: Pass): number =>
      least * 4 + (among === 'reachable' ? 0 : 2) + (priority ? 0 : 1)
    return passes.sort((a, b) => urgency(a) - urgency(b))
  }

  #end(round: Round): WorkResult {
    const now = this.#parts.clock.monotonicMs()
    this.#round = undefined
    const short = round.left.size
    if (short === 0 || round.overtaken) this.#unfinished = 0
    else {
      const again = Math.min(againMostMs, againFirstMs * 2 ** this.#unfinished)
      this.#unfinished += 1
      this.#nextAt = Math.min(this.#nextAt, now + again)
    }
    this.#lastRound =
      short === 0
        ? `all chunks have their copies (${round.brought} mended in the last round)`
        : `${short === mostLeft ? 'at least ' : ''}${short} chunks have fewer copies than wanted; tried again soon`
    return { waitMs: this.#untilNext(now) }
  }

  /** Looks at one page of the round's folder and pass, and brings what this peer answers for. */
  async #page(round: Round): Promise<void> {
    const { store, roster, replicator, clock } = this.#parts
    const pass = round.passes[round.pass]
    if (pass === undefined) return
    const { folder, priority, least } = pass
    const want = roster.want(folder, priority)
    const peers = pass.among === 'reachable' ? roster.reachable() : roster.counted()
    const slice = this.#slice(round)
    const before = clock.monotonicMs()
    const rows =
      least === 0
        ? []
        : store.read.lacking(
            folder,
            least,
            peers,
            slice.after,
            pageChunks,
            slice.until,
            priority,
            // Larger ones are shards' business.
            roster.scheme(folder) === undefined ? undefined : limits.shardedMin,
          )
    this.#fitSlice(clock.monotonicMs() - before)
    const lacking = this.#lacking(
      rows.map(({ id }) => id),
      want,
    )
    const mine = lacking.filter(({ mine }) => mine).map(({ id }) => id)
    round.looked += rows.length
    const short = await replicator.bring(folder, mine, priority)
    round.brought += mine.length - short.size
    // What others answer for counts as open until a later round finds it done.
    for (const { id, mine } of lacking)
      if ((!mine || short.has(id)) && round.left.size < mostLeft) round.left.add(id)
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

  #nextPass(round: Round): void {
    round.part = 0
    round.pass += 1
    round.passStartedAt = this.#parts.clock.monotonicMs()
  }

  /** Chunks that want more copies than they have, with whether this peer is the one to act. */
  #lacking(ids: readonly ChunkId[], want: number): { id: ChunkId; mine: boolean }[] {
    const { roster } = this.#parts
    const holders = roster.holders(ids)
    // A device that goes is in no ranking: it sees to what it has itself.
    const goes = roster.member(roster.self)?.keeps === false
    return ids.flatMap((id) => {
      const { targets, unplaced, responsible } = roster.plan(id, holders.get(id) ?? [], want)
      if (targets.length + unplaced === 0) return []
      const turn = responsible.indexOf(roster.self)
      return [{ id, mine: goes || (turn >= 0 && turn <= this.#unfinished) }]
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

  /** What is mended now; undefined while no round finds anything to mend. */
  mending(): Mending | undefined {
    const round = this.#round
    if (round === undefined || (round.brought === 0 && round.left.size === 0)) return undefined
    return { chunks: round.brought, etaSeconds: this.#etaSeconds(round) }
  }

  /** Ids are hashes: what is left of a pass takes about as long for each id as what was done. */
  #etaSeconds({ part, passStartedAt }: Round): number | undefined {
    if (part === 0) return undefined
    const seconds = (this.#parts.clock.monotonicMs() - passStartedAt) / 1000
    return Math.ceil((seconds * (sliceParts - part)) / part)
  }

  #status(): string {
    const round = this.#round
    if (round === undefined) return this.#lastRound
    const seconds = this.#etaSeconds(round)
    const eta = seconds === undefined ? '' : `, about ${seconds} s to go`
    return `mending: ${round.brought} of ${round.looked} chunks looked at were brought to their copies${eta}`
  }
}

/** By copies left. With one that can be reached the others may be gone for good: away for ten minutes is enough. */
function passesOf(folder: FolderId, priority: boolean, want: number): Pass[] {
  const levels = Array.from({ length: Math.max(0, want - 2) }, (_, index) => index + 3)
  return [
    { folder, priority, least: Math.min(2, want), among: 'reachable' },
    ...levels.map((least): Pass => ({ folder, priority, least, among: 'counted' })),
  ]
}

/** The last id whose first two bytes are `part`. */
function lastOfPart(part: number): ChunkId {
  return (part.toString(16).padStart(4, '0') + 'f'.repeat(60)) as ChunkId
}
