/**
 * Keeps this peer's knowledge of others current. On connect both say hello; then each reads the other's
 * feed when it is told of changes, and now and then unasked. What arrives becomes part of our own feed,
 * so that records reach peers that never meet their author.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId, PeerId, RecordHash } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Network } from '../net/network.ts'
import { FeedReader, type From, type News, type Position } from './feed-reader.ts'
import { ownGreeting, serveFeed } from './feed-source.ts'
import type { Health } from './health.ts'
import type { Membership, PoolStore } from './pool.ts'
import type { Roster } from './roster.ts'
import { Statements, type NewStatement } from './statements.ts'
import { greeting, notice, protocol, readAnswer, type Greeting } from './wire.ts'

/** Changes within this time are told together. */
const tellAfterMs = 20
/** What came from others is told less eagerly: its author has told most peers already. */
const passOnAfterMs = 250
/** A changed statement of this device is told at most this often. */
const sayEveryMs = 60_000
/** Unasked hello, for notices that were lost. */
const greetEveryMs = 5 * 60_000
/** The whole feed again, for anything that was missed in any other way. */
const wholeEveryMs = 24 * 3600_000
/** What a feed named and did not bring is asked for again, later each time. */
const missingFirstMs = 30_000
const retryFirstMs = 1_000
const retryMostMs = 5 * 60_000

export interface FeedParts {
  network: Network
  store: PoolStore
  membership: Membership
  roster: Roster
  health: Health
  clock: Clock
  random: Random
  log: Log
  wake: (worker: string) => void
  /** A peer's feed was read to its end. */
  onRead: (peer: PeerId, news: News) => void
  /** A peer tells that it does not hold chunks any more. */
  onGivenUp: (peer: PeerId, ids: readonly ChunkId[]) => void
}

interface Session {
  reader: FeedReader
  /** Newest position the peer told of. */
  told: Position | undefined
  /** Monotonic times: the next hello, the next reading from before what is missing, and from the start. */
  greetAt: number
  missingAt: number
  wholeAt: number
  /** Readings in a row after which something was missing. */
  misses: number
  retryAt: number
  failures: number
  running: Promise<void> | undefined
}

export class Feed {
  readonly #parts: FeedParts
  readonly #sessions = new Map<PeerId, Session>()
  readonly #stopping = new AbortController()
  readonly #statements: Statements
  /** Batches that rotted here and were looked for. */
  readonly #damaged = new Set<RecordHash>()
  /** What others were last told of this device, and when (monotonic). */
  #said: { statement: Uint8Array; at: number } = {
    statement: new Uint8Array(0),
    at: Number.NEGATIVE_INFINITY,
  }
  /** When the next notice leaves, and what cancels it. */
  #notice: { at: number; cancel: () => void } | undefined

  constructor(parts: FeedParts) {
    this.#parts = parts
    this.#statements = new Statements({ ...parts, onNews: (news) => this.#passOn(news) })
    serveFeed({
      ...parts,
      statements: this.#statements,
      onGreeting: (peer, greeting) => this.#greeted(peer, greeting),
      onNotice: (peer, { statements = [], ...told }) => {
        this.#told(peer, told)
        return this.#statements.take(statements, peer)
      },
      onDamage: (last, error) => this.#mend(last, error),
    })
  }

  /** New changes here: connected peers are told soon. */
  announce(): void {
    this.#tellAfter(tellAfterMs)
  }

  /** A person changed what this device says of itself: that is told now. */
  speak(): void {
    this.#said = { ...this.#said, at: Number.NEGATIVE_INFINITY }
    this.announce()
  }

  /** A connection began: everything may be new. */
  connected(peer: PeerId): void {
    const session = this.#session(peer)
    session.greetAt = session.retryAt = this.#parts.clock.monotonicMs()
    if (session.reader.isIncomplete) session.missingAt = session.greetAt
    session.failures = 0
    this.#parts.wake('feed')
  }

  /** Who is a member has changed: what an unknown device said may count now. */
  membersChanged(): void {
    this.#statements
      .tryWaiting()
      .catch((error: unknown) => this.#parts.log.warn('statements failed', { reason: String(error) }))
  }

  /** Whether a peer's feed was read up to the newest change it told of. */
  isCaughtUp(peer: PeerId): boolean {
    const { told, reader } = this.#session(peer)
    return told !== undefined && !isBehind(reader, told)
  }

  /** Asks a peer for its news at once, notice or not. */
  askNews(peer: PeerId): void {
    const session = this.#session(peer)
    session.greetAt = session.retryAt = 0
    this.#parts.wake('feed')
  }

  /** Whether the news asked for have come, all of them. */
  hasNews(peer: PeerId): boolean {
    const { greetAt, running } = this.#session(peer)
    return running === undefined && greetAt > this.#parts.clock.monotonicMs() && this.isCaughtUp(peer)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#notice?.cancel()
    this.#statements.stop()
    await Promise.allSettled([...this.#sessions.values()].flatMap(({ running }) => running ?? []))
  }

  worker(): Worker {
    return {
      name: 'feed',
      work: () => this.#work(),
      status: () => this.#status(),
      hurry: () => this.#hurry(),
    }
  }

  /** Greets and reads everybody anew. */
  #hurry(): void {
    for (const session of this.#sessions.values()) session.greetAt = session.retryAt = session.wholeAt = 0
  }

  /** Starts what is due with each connected peer; one that hangs holds up nobody else. */
  async #work(): Promise<WorkResult> {
    await this.#parts.health.save()
    const now = this.#parts.clock.monotonicMs()
    let nextAt = now + greetEveryMs
    for (const { peer } of this.#parts.roster.others()) {
      if (!this.#parts.health.isConnected(peer)) continue
      const session = this.#session(peer)
      if (session.running !== undefined) continue
      const { greetAt, missingAt, wholeAt, told, reader } = session
      const behind = told !== undefined && isBehind(reader, told)
      const dueAt = Math.max(session.retryAt, behind ? 0 : Math.min(greetAt, missingAt, wholeAt))
      if (dueAt <= now) this.#start(peer, session)
      else nextAt = Math.min(nextAt, dueAt)
    }
    return { waitMs: Math.max(1, nextAt - now) }
  }

  #start(peer: PeerId, session: Session): void {
    session.running = this.#run(peer, session)
      .catch((error: unknown) => this.#failed(peer, session, error))
      .finally(() => {
        session.running = undefined
        if (!this.#stopping.signal.aborted) this.#parts.wake('feed')
      })
  }

  /** Every time is set before its work: what becomes due meanwhile, or fails, stays due. */
  async #run(peer: PeerId, session: Session): Promise<void> {
    const { store, onRead } = this.#parts
    await this.#greetWhenDue(peer, session)
    const { told, reader } = session
    const from = this.#from(session)
    if (from === 'news' && told !== undefined && !isBehind(reader, told)) return
    const before = store.read.lastChange()
    const news = await this.#read(session, from)
    session.failures = 0
    // What was told while reading may lie beyond what was read: it stays told.
    if (session.told === told) session.told = reader.position
    await this.#statements.tryWaiting()
    if (store.read.lastChange() > before) this.#tellAfter(passOnAfterMs)
    onRead(peer, news)
  }

  async #greetWhenDue(peer: PeerId, session: Session): Promise<void> {
    const now = this.#parts.clock.monotonicMs()
    if (session.greetAt > now) return
    session.greetAt = this.#later(greetEveryMs)
    try {
      const answer = await this.#greet(peer, this.#stopping.signal)
      const { position } = session.reader
      // It has fewer changes than were read of it: a restored database.
      if (position?.database === answer.database && position.change > answer.change) session.wholeAt = now
    } catch (error) {
      session.greetAt = now
      throw error
    }
  }

  #from({ wholeAt, missingAt }: Session): From {
    const now = this.#parts.clock.monotonicMs()
    return wholeAt <= now ? 'start' : missingAt <= now ? 'missing' : 'news'
  }

  async #read(session: Session, from: From): Promise<News> {
    const now = this.#parts.clock.monotonicMs()
    if (from === 'start') session.wholeAt = this.#later(wholeEveryMs)
    if (from !== 'news') session.missingAt = Number.POSITIVE_INFINITY
    try {
      const news = await session.reader.read(this.#stopping.signal, from)
      this.#noteMissing(session)
      return news
    } catch (error) {
      if (from === 'start') session.wholeAt = now
      if (from === 'missing') session.missingAt = now
      throw error
    }
  }

  #noteMissing(session: Session): void {
    if (!session.reader.isIncomplete) {
      session.missingAt = Number.POSITIVE_INFINITY
      session.misses = 0
    } else if (session.missingAt === Number.POSITIVE_INFINITY) {
      session.missingAt = this.#later(Math.min(wholeEveryMs, missingFirstMs * 2 ** session.misses))
      session.misses += 1
    }
  }

  /** Records that rotted on this disk are made again, or looked for in every feed. */
  #mend(last: RecordHash, error: unknown): void {
    if (this.#damaged.has(last)) return
    this.#damaged.add(last)
    this.#parts.log.error('records are damaged on this disk', {
      last,
      reason: asPeerStorError(error).message,
    })
    void this.mend(last).then((mended) => mended && this.#damaged.delete(last))
  }

  /** Makes rotten records again, or looks for them in every feed; resolves to whether they were made again. */
  async mend(last: RecordHash): Promise<boolean> {
    const { membership, roster, clock } = this.#parts
    if (await membership.mend(last).catch(() => false)) {
      this.announce()
      return true
    }
    for (const { peer } of roster.others()) this.#session(peer).wholeAt = clock.monotonicMs()
    this.#parts.wake('feed')
    return false
  }

  #failed(peer: PeerId, session: Session, error: unknown): void {
    if (this.#stopping.signal.aborted) return
    const { clock, random, log } = this.#parts
    const waitMs = Math.min(retryMostMs, retryFirstMs * 2 ** session.failures) * (0.5 + random.number())
    session.failures += 1
    session.retryAt = clock.monotonicMs() + waitMs
    const { code, message } = asPeerStorError(error)
    log.info('a feed could not be read', { peer, code, reason: message, attempt: session.failures })
  }

  async #greet(peer: PeerId, signal: AbortSignal): Promise<Greeting> {
    const { network, health } = this.#parts
    const answer = await health.measured(peer, async ({ answered }) => {
      const reply = await network.request(peer, 'hello', encode(greeting, ownGreeting(this.#parts)), {
        signal,
      })
      answered()
      await reply.body[Symbol.asyncIterator]().return?.()
      return readAnswer(greeting, reply.head, peer, 'hello', limits.answerHeadBytes)
    })
    await this.#greeted(peer, answer)
    return answer
  }

  async #greeted(peer: PeerId, greeting: Greeting): Promise<void> {
    const { database, change, statement, statements = [] } = greeting
    if (greeting.protocol < protocol) return
    this.#parts.health.clockAhead(peer, greeting.time - this.#parts.clock.now())
    this.#told(peer, { database, change })
    await this.#statements.take([statement, ...statements], peer)
  }

  /** What was news here may be news to others: a device's new address above all. */
  #passOn(news: readonly NewStatement[]): void {
    const most = limits.noticeStatements
    for (const { peer } of this.#parts.roster.others()) {
      if (!this.#parts.health.isConnected(peer)) continue
      const statements = news.filter(({ from }) => from !== peer).map(({ statement }) => statement)
      for (let at = 0; at < statements.length; at += most)
        this.#notify(peer, this.#noticeOf(statements.slice(at, at + most)))
    }
  }

  /** Notices overtake each other: of one database the furthest counts. */
  #told(peer: PeerId, { database, change }: Position): void {
    const session = this.#session(peer)
    if (session.told?.database === database && session.told.change >= change) return
    session.told = { database, change }
    this.#parts.wake('feed')
  }

  /** A time about `ms` away. */
  #later(ms: number): number {
    const { clock, random } = this.#parts
    return clock.monotonicMs() + ms * (0.75 + random.number() / 2)
  }

  #tellAfter(ms: number): void {
    const { clock } = this.#parts
    const at = clock.monotonicMs() + ms
    if (this.#stopping.signal.aborted || (this.#notice !== undefined && this.#notice.at <= at)) return
    this.#notice?.cancel()
    this.#notice = { at, cancel: clock.after(ms, () => this.#tell()) }
  }

  #tell(): void {
    this.#notice = undefined
    const { roster, health } = this.#parts
    const listening = roster.others().filter(({ peer }) => health.isConnected(peer))
    // Whoever connects later hears all of it in the greeting.
    if (listening.length === 0) return
    const own = this.#ownNews()
    const head = this.#noticeOf(own && [own])
    for (const { peer } of listening) this.#notify(peer, head)
  }

  /** This device's own statement when it changed, not too often: it changes with every chunk kept. */
  #ownNews(): Uint8Array | undefined {
    const now = this.#parts.clock.monotonicMs()
    const { statement, at } = this.#said
    const next = this.#parts.membership.statement()
    if (next.length === 0 || Buffer.compare(statement, next) === 0) return undefined
    if (now - at < sayEveryMs) {
      this.#tellAfter(sayEveryMs - (now - at))
      return undefined
    }
    this.#said = { statement: next, at: now }
    return next
  }

  #noticeOf(statements: Uint8Array[] | undefined): Buffer {
    const { store } = this.#parts
    const position = { database: store.database, change: store.read.lastChange() }
    return encode(notice, { ...position, ...(statements && { statements }) })
  }

  #notify(peer: PeerId, head: Uint8Array): void {
    this.#parts.network
      .request(peer, 'feed.notify', head, { signal: this.#stopping.signal })
      .then((reply) => reply.body[Symbol.asyncIterator]().return?.())
      // A lost notice costs time only: the next hello tells the same.
      .catch(() => undefined)
  }

  #session(peer: PeerId): Session {
    let session = this.#sessions.get(peer)
    if (session === undefined) {
      const incomplete = this.#parts.store.read.hasPartialBatches()
      session = {
        reader: new FeedReader(this.#parts, peer),
        told: undefined,
        greetAt: 0,
        missingAt: Number.POSITIVE_INFINITY,
        // What is known to be missing here may stand before every position.
        wholeAt: incomplete ? 0 : this.#later(wholeEveryMs),
        misses: 0,
        retryAt: 0,
        failures: 0,
        running: undefined,
      }
      this.#sessions.set(peer, session)
    }
    return session
  }

  #status(): string {
    const connected = this.#parts.roster.others().filter(({ peer }) => this.#parts.health.isConnected(peer))
    const caughtUp = connected.filter(({ peer }) => this.isCaughtUp(peer)).length
    return `${caughtUp} of ${connected.length} connected devices are caught up with`
  }
}

function isBehind({ position }: FeedReader, told: Position): boolean {
  return position === undefined || position.database !== told.database || position.change < told.change
}
