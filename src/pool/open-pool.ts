/** Builds the pool from its parts and connects them. */
import { limits } from '../base/limits.ts'
import type { CallOptions, ChunkId, FolderId, PeerId } from '../base/words.ts'
import type { Worker } from '../base/worker.ts'
import type { ShardScheme } from '../codec/shards.ts'
import type { NetworkEvent } from '../net/network.ts'
import { Challenges } from './challenge.ts'
import { Departure } from './departure.ts'
import { Feed } from './feed.ts'
import type { News } from './feed-reader.ts'
import { Fetcher } from './fetch.ts'
import { Health } from './health.ts'
import { Holds } from './holds.ts'
import { Keeper } from './keep.ts'
import { Missed } from './missed.ts'
import type { FetchOptions, Pool, PoolEvent, PoolParts, ScrubResult } from './pool.ts'
import { Rebalance } from './rebalance.ts'
import { Outbox, RemoteStore } from './remote-store.ts'
import { Repair } from './repair.ts'
import { Replicator } from './replicate.ts'
import { Roster } from './roster.ts'
import { Scrub } from './scrub.ts'
import { Shards } from './shards.ts'
import { serveChunks } from './serve-chunks.ts'
import { Surplus } from './surplus.ts'

const tellEveryMs = 50

/** Serves the pool's requests at once; call before `network.start`. Work begins with `start`. */
export function openPool(parts: PoolParts): Pool {
  return new OpenPool(parts)
}

/** What most of the pool's parts need. */
interface Shared extends PoolParts {
  roster: Roster
  health: Health
  replicator: Replicator
  remote: (peer: PeerId) => RemoteStore
  /** Asks a peer what it has and gave up; whether the answer has come. */
  askNews: (peer: PeerId) => void
  hasNews: (peer: PeerId) => boolean
  /** A chunk on this disk does not match its id. */
  onDamage: (id: ChunkId) => void
  /** A device has not got a chunk that it was known for. */
  onMissing: (peer: PeerId, id: ChunkId) => void
  /** From this disk or from others. */
  fetch: (id: ChunkId, signal: AbortSignal | undefined) => ReturnType<Pool['get']>
}

class OpenPool implements Pool {
  readonly #parts: PoolParts
  readonly #health: Health
  readonly #roster: Roster
  readonly #feed: Feed
  readonly #fetcher: Fetcher
  readonly #replicator: Replicator
  readonly #repair: Repair
  readonly #rebalance: Rebalance
  readonly #holds: Holds
  readonly #missed: Missed
  readonly #shards: Shards
  readonly #scrub: Scrub
  readonly #challenges: Challenges
  readonly departure: Departure
  readonly #listeners = new Set<(event: PoolEvent) => void>()
  readonly #remotes = new Map<PeerId, RemoteStore>()
  readonly #outbox = new Outbox()
  #known = new Set<PeerId>()
  #telling: (() => void) | undefined
  #leave: (() => void)[] = []

  constructor(parts: PoolParts) {
    this.#parts = parts
    const { membership, store, clock } = parts
    const remote = (peer: PeerId): RemoteStore => this.#remote(peer)
    const health = (this.#health = new Health(clock, store, (peer) => this.#emit({ type: 'wrong', peer })))
    const roster = (this.#roster = new Roster(membership, health, store.read, parts.repairGraceMs))
    const base = {
      ...parts,
      roster,
      health,
      remote,
      askNews: (peer: PeerId) => this.#feed.askNews(peer),
      hasNews: (peer: PeerId) => this.#feed.hasNews(peer),
      onDamage: (id: ChunkId) => this.#damaged(id),
      onMissing: (peer: PeerId, id: ChunkId) => this.#missing(peer, id),
      fetch: (id: ChunkId, signal: AbortSignal | undefined) =>
        this.#fetcher.get(id, { priority: 'repair', signal }),
    }
    const replicator = (this.#replicator = new Replicator({
      ...base,
      onHeld: () => this.#held(),
      onLeft: () => this.#mendSoon(),
    }))
    const shared: Shared = { ...base, replicator }
    this.#repair = new Repair(shared)
    this.#feed = new Feed({
      ...shared,
      onRead: (peer, news) => this.#read(peer, news),
      onGivenUp: (peer, ids) => this.#missed.givenUp(peer, ids),
    })
    this.#missed = new Missed(shared)
    const sourcesAtOnce = parts.sourcesAtOnce ?? (() => Number.POSITIVE_INFINITY)
    this.#fetcher = new Fetcher({ ...shared, sourcesAtOnce })
    this.#shards = new Shards({ ...shared, onChanged: () => this.#kept() })
    this.#scrub = this.#newScrub(shared)
    this.departure = new Departure(shared)
    this.#challenges = this.#newChallenges(shared)
    this.#holds = new Holds(shared)
    this.#rebalance = this.#newRebalance(shared)
    const onKept = (ids: readonly ChunkId[]): void => {
      this.#kept()
      this.#rebalance.kept(ids)
    }
    const keeper = new Keeper({ ...shared, onKept })
    serveChunks({ ...shared, outbox: this.#outbox, keeper, holds: this.#holds })
  }

  #newScrub(shared: Shared): Scrub {
    return new Scrub({
      ...shared,
      cycleMs: this.#parts.scrubCycleMs ?? (() => limits.scrubCycleMs),
      mend: (last) => this.#feed.mend(last),
      onDamage: (found, healed) => {
        this.#kept()
        this.#emit({ type: 'damage', found, healed })
      },
    })
  }

  #newChallenges(shared: Shared): Challenges {
    return new Challenges({
      ...shared,
      onMissing: (peer, ids) => {
        this.#mendSoon()
        this.#copiesChanged()
        this.#emit({ type: 'missing', peer, chunks: ids.length })
      },
    })
  }

  #newRebalance(shared: Shared): Rebalance {
    const onDropped = (): void => {
      this.#kept()
      this.#parts.onDropped?.()
    }
    const own = { ...shared, holds: this.#holds }
    const surplus = new Surplus({ ...own, onDropped })
    return new Rebalance({ ...own, surplus, isMending: () => this.#repair.mending() !== undefined })
  }

  async start(): Promise<void> {
    const { network, membership } = this.#parts
    await this.#holds.begun()
    this.#leave = [
      network.on((event) => this.#onNetwork(event)),
      membership.onChange(() => this.#membersChanged()),
    ]
    this.#membersChanged()
    for (const { peer } of network.connections()) this.#connection(peer, true)
  }

  async stop(): Promise<void> {
    for (const leave of this.#leave.splice(0)) leave()
    this.#telling?.()
    this.#fetcher.stop()
    this.#missed.stop()
    await Promise.all([this.#feed.stop(), this.#replicator.stop()])
  }

  get(id: ChunkId, options: FetchOptions = {}): ReturnType<Pool['get']> {
    return this.#fetcher.get(id, options)
  }

  getAll(
    ids: AsyncIterable<ChunkId> | Iterable<ChunkId>,
    options: FetchOptions = {},
  ): ReturnType<Pool['getAll']> {
    return this.#fetcher.getAll(ids, options)
  }

  replicate(folder: FolderId, ids: readonly ChunkId[]): void {
    const copied = this.#shards.take(folder, ids)
    if (copied.length > 0) this.#replicator.replicate(folder, copied)
  }

  async durable(
    ids: readonly ChunkId[],
    copies: number,
    timeoutMs: number,
    { signal }: CallOptions = {},
  ): Promise<number> {
    const endAt = this.#parts.clock.monotonicMs() + timeoutMs
    const left = [...ids].reverse()
    while (left.length > 0) {
      const counted = this.#roster.counted()
      while (left.length > 0 && this.#strength(left.at(-1)!, counted) >= copies) left.pop()
      const leftMs = endAt - this.#parts.clock.monotonicMs()
      if (left.length === 0 || leftMs <= 0) break
      signal?.throwIfAborted()
      await this.#change(leftMs, signal)
    }
    const counted = this.#roster.counted()
    return ids.reduce((lowest, id) => Math.min(lowest, this.#strength(id, counted)), Number.MAX_SAFE_INTEGER)
  }

  unproved(ids: readonly ChunkId[], others: number, { signal }: CallOptions = {}): Promise<ChunkId[]> {
    return this.departure.unproved(ids, others, signal ?? new AbortController().signal)
  }

  scrub(ids: readonly ChunkId[] | undefined, options: CallOptions<ScrubResult> = {}): Promise<ScrubResult> {
    return this.#scrub.run(ids, options)
  }

  scrubbed(): ReturnType<Pool['scrubbed']> {
    return this.#scrub.counts
  }

  want(folder: FolderId, priority?: boolean): number {
    return this.#roster.want(folder, priority)
  }

  wantsChanged(): void {
    this.#mendSoon()
    this.#rebalance.changed()
  }

  moving(): ReturnType<Pool['moving']> {
    return this.#rebalance.moving()
  }

  isPromised(id: ChunkId): boolean {
    return this.#holds.isPromised(id)
  }

  mending(): ReturnType<Pool['mending']> {
    return this.#repair.mending()
  }

  scheme(folder: FolderId): ShardScheme | undefined {
    return this.#roster.scheme(folder)
  }

  strengths(ids: readonly ChunkId[], peers: readonly PeerId[]): ReadonlyMap<ChunkId, number> {
    return this.#parts.store.read.strengths(ids, peers)
  }

  asked(folder: FolderId): number {
    return this.#roster.asked(folder)
  }

  countedPeers(): PeerId[] {
    return this.#roster.counted()
  }

  isCaughtUp(peer: PeerId): boolean {
    return this.#feed.isCaughtUp(peer)
  }

  announce(): void {
    this.#feed.announce()
  }

  speak(): void {
    this.#feed.speak()
  }

  async verifiedAt(
    peer: PeerId,
    ids: readonly ChunkId[],
    options: CallOptions = {},
  ): Promise<number | undefined> {
    if (peer === this.#parts.membership.self) return this.#parts.store.verifier.verifiedAt(ids)
    if (!this.#health.isConnected(peer)) return undefined
    const holders = this.#roster.holders(ids)
    const there = ids.filter((id) => holders.get(id)?.includes(peer) === true)
    return this.#remote(peer).verifiedAt(there, options)
  }

  storeOf(peer: PeerId): RemoteStore {
    return this.#remote(peer)
  }

  async *offer(
    peer: PeerId,
    chunks: Parameters<Pool['offer']>[1],
    options: CallOptions = {},
  ): ReturnType<RemoteStore['offer']> {
    for (let at = 0; at < chunks.length; at += limits.offerChunks)
      yield* this.#remote(peer).offer(chunks.slice(at, at + limits.offerChunks), options)
  }

  health(): ReturnType<Pool['health']> {
    return this.#roster.others().map(({ peer }) => ({ peer, ...this.#health.of(peer) }))
  }

  workers(): Worker[] {
    const mending = [this.#repair, this.#rebalance, this.#shards, this.#scrub, this.#challenges]
    return [this.#feed, this.#replicator, ...mending].map((one) => one.worker())
  }

  on(listener: (event: PoolEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #strength(id: ChunkId, counted: readonly PeerId[]): number {
    return this.#parts.store.read.strengths([id], counted).get(id)!
  }

  /** Resolves at the next change of holdings, after `ms`, or when aborted. */
  #change(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        leave()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#parts.clock.after(ms, done)
      const leave = this.on(({ type }) => {
        if (type === 'copies') done()
      })
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  #onNetwork(event: NetworkEvent): void {
    if (event.type === 'connect') this.#connection(event.peer, true)
    else if (event.type === 'disconnect') this.#connection(event.peer, false)
  }

  #connection(peer: PeerId, connected: boolean): void {
    if (this.#roster.member(peer) === undefined) return
    const { network, log } = this.#parts
    const addresses = network.connections().filter((line) => line.peer === peer && !line.inbound)
    const absentMs = this.#health.absentMs(peer)
    const known = addresses.length > 0 ? addresses.map(({ address }) => address) : this.#addressesOf(peer)
    this.#health
      .connection(peer, connected, known)
      .catch((error: unknown) => log.warn('a connection could not be noted', { peer, reason: String(error) }))
    if (connected) {
      this.#feed.connected(peer)
      this.#replicator.wake()
      this.#scrub.came()
      this.#rebalance.came(peer, absentMs)
    }
    // Who came back, or is gone, changes which copies count and where new ones can go.
    this.#mendSoon()
    this.#copiesChanged()
  }

  #addressesOf(peer: PeerId): readonly string[] {
    const seen = this.#parts.store.read.seen().find((line) => line.peer === peer)
    return seen?.addresses ?? []
  }

  #membersChanged(): void {
    const { network, log } = this.#parts
    this.#roster.changed()
    const others = this.#roster.others()
    for (const { peer, addresses } of others)
      network.learn(peer, [...new Set([...addresses, ...this.#addressesOf(peer)])])
    network.keepConnected(others.map(({ peer }) => peer))
    const now = new Set(others.map(({ peer }) => peer))
    for (const peer of this.#known.difference(now))
      network
        .disconnect(peer)
        .catch((error: unknown) => log.warn('disconnecting failed', { peer, reason: String(error) }))
    for (const peer of now.difference(this.#known))
      if (network.isConnected(peer)) this.#connection(peer, true)
    this.#known = now
    this.#feed.membersChanged()
    this.#mendSoon()
    this.#rebalance.changed()
    this.#copiesChanged()
  }

  #read(peer: PeerId, news: News): void {
    if (news.lost) this.#mendSoon()
    if (news.any) this.#held()
    if (this.#feed.isCaughtUp(peer)) this.#emit({ type: 'caught-up', peer })
  }

  /** Copies or shards may be missing somewhere. */
  #mendSoon(): void {
    this.#repair.changed()
    this.#shards.changed()
  }

  /** Others have more, or less. */
  #held(): void {
    this.#copiesChanged()
    this.#rebalance.news()
  }

  #kept(): void {
    this.#feed.announce()
    this.#copiesChanged()
  }

  /** A chunk that its holder could not give leaves that peer's holdings here; repair makes another copy. */
  #missing(peer: PeerId, id: ChunkId): void {
    const { store, log } = this.#parts
    if (store.read.holders([id]).get(id)?.includes(peer) !== true) return
    this.#missed.add(peer, id)
    log.warn('a holder does not have a chunk it was known for', { peer, id })
    store
      .index([{ op: 'dropped', peer, ids: [id] }])
      .then(() => {
        this.#mendSoon()
        this.#copiesChanged()
        return undefined
      })
      .catch((error: unknown) => log.error('a holding could not be dropped', { id, reason: String(error) }))
  }

  /** A damaged chunk leaves this disk's holdings, and a good copy is fetched; wrong bytes stay until one is here. */
  #damaged(id: ChunkId): void {
    this.#scrub
      .suspect(id)
      .catch((error: unknown) =>
        this.#parts.log.error('a damaged chunk could not be looked at', { id, reason: String(error) }),
      )
  }

  #remote(peer: PeerId): RemoteStore {
    let remote = this.#remotes.get(peer)
    if (remote === undefined) {
      const { network } = this.#parts
      this.#remotes.set(peer, (remote = new RemoteStore({ network, outbox: this.#outbox, peer })))
    }
    return remote
  }

  /** Holdings change with every chunk: who listens is told a few times a second. */
  #copiesChanged(): void {
    this.#telling ??= this.#parts.clock.after(tellEveryMs, () => {
      this.#telling = undefined
      this.#emit({ type: 'copies' })
    })
  }

  #emit(event: PoolEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
