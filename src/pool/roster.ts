/** The pool at this moment: who keeps chunks, who can be reached, whose holdings count, how many copies are wanted. */
import { limits } from '../base/limits.ts'
import type { ChunkId, FolderId, PeerId } from '../base/words.ts'
import type { ShardScheme } from '../codec/shards.ts'
import type { Health } from './health.ts'
import { Placement } from './place.ts'
import { asked, balance, plan, wanted, type Balance, type CopiesPolicy, type Plan } from './plan.ts'
import type { Pin } from '../store/chunk-store.ts'
import type { Member, Membership, PoolStore } from './pool.ts'

/** Of a folder whose policy is not known here. */
const defaultPolicy: CopiesPolicy = { copies: 3, min: 2, max: 5, factor: 0.1 }

export class Roster {
  /** Absence after which a peer's copies count no more. */
  readonly graceMs: number
  readonly #membership: Membership
  readonly #health: Health
  readonly #read: PoolStore['read']
  /** Computed at the first need after a change. */
  #members: Member[] | undefined
  /** By the number of copies. */
  #placements = new Map<number, Placement>()
  #folders: ReturnType<Membership['folders']> | undefined

  constructor(
    membership: Membership,
    health: Health,
    read: PoolStore['read'],
    graceMs: number = limits.graceMs,
  ) {
    this.graceMs = graceMs
    this.#membership = membership
    this.#health = health
    this.#read = read
  }

  /** Members, or what they said of themselves, have changed. */
  changed(): void {
    this.#members = undefined
    this.#placements.clear()
    this.#folders = undefined
  }

  get self(): PeerId {
    return this.#membership.self
  }

  members(): Member[] {
    return (this.#members ??= this.#membership.members())
  }

  others(): Member[] {
    return this.members().filter(({ peer }) => peer !== this.self)
  }

  member(peer: PeerId): Member | undefined {
    return this.members().find((member) => member.peer === peer)
  }

  keepers(): Member[] {
    return this.members().filter(({ keeps }) => keeps)
  }

  isLive(peer: PeerId): boolean {
    return peer === this.self || this.#health.isConnected(peer)
  }

  /** Keepers that are not away longer than `graceMs`. */
  counted(graceMs: number = this.graceMs): PeerId[] {
    return this.keepers()
      .map(({ peer }) => peer)
      .filter((peer) => peer === this.self || this.#health.absentMs(peer) <= graceMs)
  }

  /** Keepers that can be reached now. */
  reachable(): PeerId[] {
    return this.keepers()
      .map(({ peer }) => peer)
      .filter((peer) => this.isLive(peer))
  }

  /** How larger chunks of a folder are kept as shards; undefined: as copies, also for want of devices. */
  scheme(folder: FolderId): ShardScheme | undefined {
    const { erasure } = this.#policy(folder)
    return erasure !== undefined && this.keepers().length >= erasure.k + erasure.m ? erasure : undefined
  }

  /** Copies wanted now of a folder's chunks, or of those of its priority files; of shards, what is as safe as that. */
  want(folder: FolderId, priority = false): number {
    const scheme = this.scheme(folder)
    if (scheme !== undefined) return scheme.m + 1
    return wanted(this.#policy(folder), this.keepers().length, priority)
  }

  /** Copies that a folder asks for, were there devices enough. */
  asked(folder: FolderId): number {
    const scheme = this.scheme(folder)
    if (scheme !== undefined) return scheme.m + 1
    return asked(this.#policy(folder), this.keepers().length)
  }

  folders(): FolderId[] {
    return this.#policies().map(({ id }) => id)
  }

  #policy(folder: FolderId): CopiesPolicy {
    return this.#policies().find(({ id }) => id === folder) ?? defaultPolicy
  }

  #policies(): ReturnType<Membership['folders']> {
    return (this.#folders ??= this.#membership.folders())
  }

  /** Holders known here of each chunk, this peer included. */
  holders(ids: readonly ChunkId[]): Map<ChunkId, PeerId[]> {
    const members = new Set(this.members().map(({ peer }) => peer))
    const known = this.#read.holders(ids)
    return new Map(
      ids.map((id) => {
        const holders = (known.get(id) ?? []).filter((peer) => peer !== this.self && members.has(peer))
        return [id, this.#read.hasChunk(id) ? [this.self, ...holders] : holders]
      }),
    )
  }

  /**
   * What a chunk needs. With one reachable copy left, whoever is away longer than ten minutes counts no
   * more. `closed`: peers that failed for this chunk just now.
   */
  plan(id: ChunkId, holders: readonly PeerId[], want: number, closed: Iterable<PeerId> = []): Plan {
    return plan(this.#situation(id, holders, want, closed))
  }

  /** Where a chunk's copies lie and where they belong. `leaving`: this device gives its copy away wherever it ranks. */
  balance(id: ChunkId, holders: readonly PeerId[], want: number, leaving = false): Balance {
    return balance({
      ...this.#situation(id, holders, want, []),
      full: this.#peersThat(({ full }) => full),
      doubted: this.#peersThat(({ peer }) => this.#health.isDoubted(peer)),
      ...(leaving && { leaving: this.self }),
    })
  }

  #situation(
    id: ChunkId,
    holders: readonly PeerId[],
    want: number,
    closed: Iterable<PeerId>,
  ): Parameters<typeof plan>[0] {
    const reachable = holders.filter((peer) => this.isLive(peer) && this.member(peer)?.keeps === true)
    const graceMs = reachable.length <= 1 ? Math.min(limits.graceLastCopyMs, this.graceMs) : this.graceMs
    return {
      ranking: this.ranking(id, want),
      holders,
      counted: new Set(this.counted(graceMs)),
      live: this.#peersThat(({ peer }) => this.isLive(peer)),
      closed: this.#peersThat(({ peer, full }) => full || this.#health.isClosed(peer)).union(new Set(closed)),
      want,
    }
  }

  #peersThat(is: (member: Member) => boolean): Set<PeerId> {
    return new Set(
      this.members()
        .filter(is)
        .map(({ peer }) => peer),
    )
  }

  /**
   * Copies wanted of each chunk, by the folders of its pins. Left out is what no folder that is known here pins: nothing
   * does, an upload that is not whole yet (one id as folder and device), a shard; and what is to become shards.
   */
  wants(chunks: readonly { id: ChunkId; pins: readonly Pin[] }[]): Map<ChunkId, number> {
    const ids = chunks.map(({ id }) => id)
    const some = this.folders().some((folder) => this.#read.priorities(folder) > 0)
    const first = some ? this.#read.prioritised(ids) : new Set<ChunkId>()
    const known = new Set(this.folders())
    const wants = new Map<ChunkId, number>()
    for (const { id, pins } of chunks) {
      const folders = new Set(pins.map(({ folder }) => folder))
      if (folders.size === 0 || !folders.isSubsetOf(known)) continue
      if ([...folders].some((folder) => this.#isSharded(folder, id))) continue
      wants.set(id, Math.max(...[...folders].map((folder) => this.want(folder, first.has(id)))))
    }
    return wants
  }

  #isSharded(folder: FolderId, id: ChunkId): boolean {
    return this.scheme(folder) !== undefined && (this.#read.lengthOf(id) ?? 0) >= limits.shardedMin
  }

  /** Whether one of these chunks, of which somebody gave a copy up, has too few by it; of shards that is not known. */
  isShort(ids: readonly ChunkId[]): boolean {
    if (ids.length > 0 && this.folders().some((folder) => this.scheme(folder) !== undefined)) return true
    const here = ids.filter((id) => this.#read.hasChunk(id))
    const wants = this.wants(here.map((id) => ({ id, pins: this.#read.standingPins(id) })))
    const counted = new Set(this.counted())
    const reachable = new Set(this.reachable())
    return [...this.holders(here)].some(([id, holders]) => {
      const have = holders.filter((peer) => counted.has(peer)).length
      const near = holders.filter((peer) => reachable.has(peer)).length
      return have < (wants.get(id) ?? 0) || near < Math.min(2, wants.get(id) ?? 0)
    })
  }

  /** Who can take something now, by rank. */
  open(ranking: readonly PeerId[]): PeerId[] {
    const closed = new Set(
      this.members()
        .filter(({ peer, full }) => full || this.#health.isClosed(peer))
        .map(({ peer }) => peer),
    )
    return ranking.filter((peer) => this.isLive(peer) && !closed.has(peer))
  }

  /** Milliseconds until the grace of somebody absent ends. */
  nextGraceMs(): number {
    const left = this.others().flatMap(({ peer }) => {
      const absentMs = this.#health.absentMs(peer)
      if (absentMs === 0) return []
      return [limits.graceLastCopyMs, this.graceMs].map((graceMs) => graceMs - absentMs)
    })
    return Math.min(...left.filter((ms) => ms >= 0).map((ms) => ms + 1))
  }

  /** All keepers, in the order in which they should hold `copies` copies of a chunk. */
  ranking(id: ChunkId, copies: number): PeerId[] {
    let placement = this.#placements.get(copies)
    if (placement === undefined) {
      placement = new Placement(this.#membership.pool, this.keepers(), copies)
      this.#placements.set(copies, placement)
    }
    return placement.rank(id)
  }
}
