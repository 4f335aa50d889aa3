/**
 * Reads one peer's feed to its end: pages of changes since where we stopped, batches that are not here,
 * holdings. Where we stopped is written with the holdings of the page, so that a crash repeats a page
 * at most, and a repeated page changes nothing.
 *
 * What a feed names and does not bring (the peer cannot read it, or it waits for what it builds on) is
 * not forgotten: the position on disk stays before it, while this run of the program reads on.
 */
import { limits } from '../base/limits.ts'
import type { ChunkId, DatabaseId, PeerId, RecordHash } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import { decodeBatch } from '../codec/record-bytes.ts'
import type { Network } from '../net/network.ts'
import type { IndexWrite } from '../store/store.ts'
import type { Health } from './health.ts'
import type { Membership, PoolStore } from './pool.ts'
import type { Roster } from './roster.ts'
import {
  batchesAsked,
  changesAsked,
  changesBody,
  changesBodyBytes,
  changesHead,
  misbehaved,
  readAnswer,
  readBody,
  readItems,
} from './wire.ts'

/** Batches are handed over together up to this many bytes. */
const admitBytes = 4 * 1024 * 1024

export interface FeedReaderParts {
  network: Network
  store: PoolStore
  membership: Membership
  health: Health
  roster: Pick<Roster, 'isShort'>
  onGivenUp: (peer: PeerId, ids: readonly ChunkId[]) => void
}

/** How far a peer's feed was read. */
export interface Position {
  database: DatabaseId
  change: number
}

/** Where a reading begins: where the last one ended, before what is missing, at the first change. */
export type From = 'news' | 'missing' | 'start'

/** What a reading brought: anything at all, and whether chunks that are here have too few copies by it. */
export interface News {
  any: boolean
  lost: boolean
}

interface ChangesPage extends Position {
  from: number
  last: number
  batches: RecordHash[]
  held: ChunkId[]
  dropped: ChunkId[]
}

export class FeedReader {
  readonly #parts: FeedReaderParts
  readonly peer: PeerId
  /** How far this run of the program has read. */
  #reached: Position | undefined
  #incomplete = false

  constructor(parts: FeedReaderParts, peer: PeerId) {
    this.#parts = parts
    this.peer = peer
  }

  get position(): Position | undefined {
    return this.#reached ?? this.#parts.store.read.feedPosition(this.peer)
  }

  /** Whether something that the feed named is not here: to be read again from the position on disk. */
  get isIncomplete(): boolean {
    return this.#incomplete
  }

  /** Reads until nothing is new. */
  async read(signal: AbortSignal, from: From = 'news'): Promise<News> {
    let { position } = this
    let since = this.#since(from)
    const news: News = { any: false, lost: false }
    while (true) {
      const page = await this.#page(position?.database, since, signal)
      // Another database, or one restored from an older copy: what was read of it no longer holds.
      const fresh = page.database !== position?.database || page.from < since
      news.any ||= page.batches.length + page.held.length + page.dropped.length > 0
      news.lost ||= fresh && position !== undefined
      if (fresh) this.#incomplete = false
      await this.#takeBatches(page.batches, signal)
      await this.#takeHoldings(page, fresh)
      this.#parts.onGivenUp(this.peer, page.dropped)
      news.lost ||= this.#parts.roster.isShort(page.dropped)
      position = this.#reached = { database: page.database, change: page.change }
      since = page.change
      if (since >= page.last) return news
      if (page.change <= page.from) throw misbehaved(this.peer, 'feed.changes', 'a page leads nowhere')
    }
  }

  #since(from: From): number {
    if (from !== 'news') this.#incomplete = false
    if (from === 'start') return 0
    const position = from === 'news' ? this.position : this.#parts.store.read.feedPosition(this.peer)
    return position?.change ?? 0
  }

  async #page(database: DatabaseId | undefined, since: number, signal: AbortSignal): Promise<ChangesPage> {
    const { network, health, store } = this.#parts
    const asked = encode(changesAsked, {
      database: database ?? store.database,
      since: database === undefined ? 0 : since,
    })
    return health.measured(this.peer, async ({ answered }) => {
      const reply = await network.request(this.peer, 'feed.changes', asked, { signal })
      answered()
      const head = readAnswer(changesHead, reply.head, this.peer, 'feed.changes')
      const body = await readBody(changesBody, reply.body, this.peer, 'feed.changes', changesBodyBytes)
      if (head.from > since || head.upTo < head.from || head.upTo > head.last)
        throw misbehaved(this.peer, 'feed.changes', 'its numbers contradict each other')
      return { ...body, database: head.database, from: head.from, change: head.upTo, last: head.last }
    })
  }

  async #takeBatches(hashes: readonly RecordHash[], signal: AbortSignal): Promise<void> {
    const { read } = this.#parts.store
    const lacking = [...new Set(hashes)].filter((hash) => !read.hasBatch(hash) || read.isPartialBatch(hash))
    for (let at = 0; at < lacking.length; at += limits.feedBatches)
      await this.#fetchBatches(lacking.slice(at, at + limits.feedBatches), signal)
  }

  async #fetchBatches(hashes: readonly RecordHash[], signal: AbortSignal): Promise<void> {
    const { network, health } = this.#parts
    const left = new Set(hashes)
    let group: Uint8Array[] = []
    let bytes = 0
    await health.measured(this.peer, async ({ received }) => {
      const asked = encode(batchesAsked, { last: [...hashes] })
      const reply = await network.request(this.peer, 'feed.batches', asked, { signal })
      const request = 'feed.batches' as const
      const item = { peer: this.peer, request, count: hashes.length, maxBytes: limits.batchBytes }
      for await (const { index, bytes: batch } of readItems(reply.body, item)) {
        received(batch.byteLength)
        this.#check(batch, hashes[index]!)
        left.delete(hashes[index]!)
        group.push(batch)
        bytes += batch.byteLength
        if (bytes < admitBytes) continue
        await this.#admit(group)
        group = []
        bytes = 0
      }
      await this.#admit(group)
    })
    if (left.values().some((hash) => !this.#parts.store.read.hasBatch(hash))) this.#incomplete = true
  }

  /** A batch must be the one asked for; whether it counts is decided where it is admitted. */
  #check(bytes: Uint8Array, hash: RecordHash): void {
    try {
      if (decodeBatch(bytes).records.at(-1)?.hash === hash) return
    } catch (error) {
      throw misbehaved(this.peer, 'feed.batches', 'a batch is not in the agreed form', error)
    }
    throw misbehaved(this.peer, 'feed.batches', `it sent another batch than ${hash}`)
  }

  async #admit(group: readonly Uint8Array[]): Promise<void> {
    if (group.length === 0) return
    const { waiting, refused } = await this.#parts.membership.admit(group, this.peer)
    if (waiting > 0) this.#incomplete = true
    if (refused.length > 0) this.#parts.health.wrong(this.peer)
  }

  /** A new database begins with an empty inventory. While something is missing, the position on disk stays. */
  async #takeHoldings(page: ChangesPage, fresh: boolean): Promise<void> {
    const { peer } = this
    const stored = this.#parts.store.read.feedPosition(peer)
    const before = !fresh && stored?.database === page.database ? stored.change : 0
    const writes: IndexWrite[] = fresh ? [{ op: 'forget-holdings', peer }] : []
    if (page.dropped.length > 0) writes.push({ op: 'dropped', peer, ids: page.dropped })
    if (page.held.length > 0) writes.push({ op: 'held', peer, ids: page.held })
    const change = this.#incomplete ? before : Math.max(before, page.change)
    if (fresh || stored?.database !== page.database || change > before)
      writes.push({ op: 'feed', peer, database: page.database, change })
    if (writes.length > 0) await this.#parts.store.index(writes)
  }
}
