/** What a chunk needs, decided purely: who should get a copy, who sees to it, and whose copy is one too many. */
import type { PeerId } from '../base/words.ts'
import type { ShardScheme } from '../codec/shards.ts'

export interface Situation {
  /** Every device that keeps chunks, in the order of `Placement.rank`. */
  ranking: readonly PeerId[]
  /** Peers that hold the chunk, as far as this peer knows. */
  holders: readonly PeerId[]
  /** Peers whose holdings count: members that keep chunks and are not away beyond their grace. */
  counted: ReadonlySet<PeerId>
  /** Peers that can be reached now, this one included. */
  live: ReadonlySet<PeerId>
  /** Peers that can take nothing more: full by their own statement, or failed for this chunk just now. */
  closed: ReadonlySet<PeerId>
  /** Copies wanted. */
  want: number
}

export interface Plan {
  /** Peers that should get a copy now, at most as many as are missing. */
  targets: PeerId[]
  /** Copies missing that nobody can take now. */
  unplaced: number
  /** Live holders, the one that sees to it first; empty when no live peer has the chunk. */
  responsible: PeerId[]
}

/**
 * Missing copies go to the next in rank that have room and can be reached: while one that ranks higher
 * is offline, the next gets a hand-over copy and the ranking stays as it is.
 */
export function plan(situation: Situation): Plan {
  const holders = new Set(situation.holders)
  const have = situation.holders.filter((peer) => situation.counted.has(peer)).length
  const missing = Math.max(0, situation.want - have)
  const open = situation.ranking.filter(
    (peer) => !holders.has(peer) && situation.live.has(peer) && !situation.closed.has(peer),
  )
  const targets = open.slice(0, missing)
  return { targets, unplaced: missing - targets.length, responsible: responsible(situation) }
}

/** Holders outside the ranking (retiring devices, clients) come after those in it. */
function responsible({ ranking, holders, live }: Situation): PeerId[] {
  const ranked = ranking.filter((peer) => holders.includes(peer))
  const others = holders.filter((peer) => !ranking.includes(peer)).sort()
  return [...ranked, ...others].filter((peer) => live.has(peer))
}

export interface BalanceSituation extends Situation {
  /** Full by their own signed statement. */
  full: ReadonlySet<PeerId>
  /** Not relied on: what they say they hold is in doubt. */
  doubted: ReadonlySet<PeerId>
  /** Gives its copy away wherever it ranks: it keeps more than it contributes. */
  leaving?: PeerId | undefined
}

export interface Balance {
  /** Copies are missing: repair brings them, nothing is moved. */
  missing: boolean
  /** Where the copies belong. */
  belongs: PeerId[]
  /** Devices where the chunk belongs that lack it and can take it now. */
  targets: PeerId[]
  /** Those that can not take it now. */
  awaited: PeerId[]
  /** Live holders, the one that sees to it first. */
  responsible: PeerId[]
  /** The holder whose copy is one too many. */
  surplus: PeerId | undefined
  /** Those whose copies the surplus one is given up for: as many as are wanted. */
  relied: PeerId[]
}

/**
 * Where the copies of a chunk lie and where they belong: with the first in rank that have it or have room. While
 * copies are missing nothing is moved, that is repair's. One copy at a time is too many: that of the lowest in rank
 * that can be reached, when as many others as are wanted can be reached too. Each move ends higher in rank than
 * it began, so that moving ends.
 */
export function balance(situation: BalanceSituation): Balance {
  const { holders, counted, live, closed, full, leaving, want } = situation
  const ranking = situation.ranking.toSorted((a, b) => Number(a === leaving) - Number(b === leaving))
  const held = new Set(holders)
  const missing = ranking.filter((peer) => held.has(peer) && counted.has(peer)).length < want
  const belongs = ranking.filter((peer) => held.has(peer) || !full.has(peer)).slice(0, want)
  const lacking = missing ? [] : belongs.filter((peer) => !held.has(peer))
  const takes = (peer: PeerId): boolean => live.has(peer) && !closed.has(peer)
  return {
    missing,
    belongs,
    targets: lacking.filter(takes),
    awaited: lacking.filter((peer) => !takes(peer)),
    responsible: responsible(situation),
    ...surplusOf(ranking, situation),
  }
}

function surplusOf(
  ranking: readonly PeerId[],
  { holders, live, doubted, want }: BalanceSituation,
): Pick<Balance, 'surplus' | 'relied'> {
  const reached = ranking.filter((peer) => live.has(peer) && holders.includes(peer))
  const lowest = reached.at(-1)
  const relied = reached.filter((peer) => peer !== lowest && !doubted.has(peer)).slice(0, want)
  return relied.length < want ? { surplus: undefined, relied: [] } : { surplus: lowest, relied }
}

export interface CopiesPolicy {
  copies: number
  min: number
  max: number
  factor: number
  /** Larger chunks as shards, where there are devices enough. */
  erasure?: ShardScheme | undefined
}

/** Copies that a folder asks for, of each chunk or of those of its priority files, were there devices enough. */
export function asked({ copies, min, max, factor }: CopiesPolicy, keepers: number, priority = false): number {
  if (priority) return Math.max(min, max)
  return Math.max(min, Math.min(max, Math.max(copies, Math.ceil(factor * keepers))))
}

/** Copies wanted: what is asked for, at most one on each of `keepers` devices. */
export function wanted(policy: CopiesPolicy, keepers: number, priority = false): number {
  return Math.min(asked(policy, keepers, priority), keepers)
}
