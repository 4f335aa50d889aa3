/**
 * What this peer has seen of others: when, how fast, how often they failed. Local opinion only: it
 * chooses whom to ask first and whose holdings count, it never changes where chunks belong.
 */
import type { Clock } from '../base/clock.ts'
import { isCode, PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'
import type { PoolStore } from './pool.ts'

interface Seen {
  /** Milliseconds from the request to the first byte of the answer. */
  latencyMs: number | undefined
  /** Bytes a second. */
  rate: number | undefined
  reputation: number
  /** Chunks it did not have when it was asked for them. */
  missing: number
  connected: boolean
  lastSeen: number | undefined
  addresses: readonly string[]
  clockAheadMs: number | undefined
  /** Requests in flight to it. */
  load: number
  /** Gets no new copies before this monotonic time. */
  closedUntil: number
  /** What it says of itself is in doubt before this monotonic time. */
  doubtedUntil: number
  /** It says that this device was revoked. */
  shutsOut: boolean
}

/** Weight of the newest measurement. */
const newest = 0.2
const fresh: Readonly<Seen> = {
  latencyMs: undefined,
  rate: undefined,
  reputation: 0.7,
  missing: 0,
  connected: false,
  lastSeen: undefined,
  addresses: [],
  clockAheadMs: undefined,
  load: 0,
  closedUntil: 0,
  doubtedUntil: 0,
  shutsOut: false,
}
/** Assumed of a peer that has not been asked yet. */
const assumedLatencyMs = 50
const assumedRate = 20e6
/** Right after our own start nobody has had time to connect: absence then counts from the start. */
const settleMs = 10 * 60_000
/** A restart forgets at most this much of a presence. */
const saveEveryMs = 5 * 60_000
const distrustMs = 3600_000
const fullMs = 60_000

export class Health {
  readonly #clock: Clock
  readonly #store: Pick<PoolStore, 'read' | 'index'>
  readonly #peers = new Map<PeerId, Seen>()
  readonly #startedAt: number
  readonly #onWrong: (peer: PeerId) => void
  #savedAt: number

  /** @param onWrong a peer sent what is not what was asked for, or not in the agreed form */
  constructor(
    clock: Clock,
    store: Pick<PoolStore, 'read' | 'index'>,
    onWrong: (peer: PeerId) => void = () => undefined,
  ) {
    this.#onWrong = onWrong
    this.#clock = clock
    this.#store = store
    this.#startedAt = clock.monotonicMs()
    this.#savedAt = this.#startedAt
    for (const { peer, at, addresses } of store.read.seen())
      Object.assign(this.#of(peer), { lastSeen: at, addresses })
  }

  /** Remembers a connection's begin or end; durable, because grace outlives restarts. */
  async connection(peer: PeerId, connected: boolean, addresses: readonly string[]): Promise<void> {
    const seen = this.#of(peer)
    seen.connected = connected
    seen.addresses = addresses
    seen.lastSeen = this.#clock.now()
    await this.#store.index([{ op: 'seen', peer, at: seen.lastSeen, addresses }])
  }

  /** Saves now and then that the connected peers are still here. */
  async save(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#savedAt < saveEveryMs) return
    this.#savedAt = this.#clock.monotonicMs()
    const at = this.#clock.now()
    const here = [...this.#peers].filter(([, seen]) => seen.connected)
    for (const [, seen] of here) seen.lastSeen = at
    await this.#store.index(here.map(([peer, { addresses }]) => ({ op: 'seen', peer, at, addresses })))
  }

  clockAhead(peer: PeerId, ms: number): void {
    this.#of(peer).clockAheadMs = ms
  }

  /** Runs one exchange with a peer and learns from it. `measure` tells bytes received, and the first one. */
  async measured<T>(peer: PeerId, exchange: (measure: Measure) => Promise<T>): Promise<T> {
    const seen = this.#of(peer)
    const start = this.#clock.monotonicMs()
    let firstAt: number | undefined
    let bytes = 0
    const answered = (): number => (firstAt ??= this.#clock.monotonicMs())
    seen.load += 1
    try {
      const result = await exchange({ answered, received: (count) => ((bytes += count), answered()) })
      const end = this.#clock.monotonicMs()
      this.#succeeded(seen, (firstAt ?? end) - start, bytes, end - (firstAt ?? start))
      return result
    } catch (error) {
      this.#failed(peer, seen, error)
      throw error
    } finally {
      seen.load -= 1
    }
  }

  /** A peer sent wrong data: somebody should know. */
  wrong(peer: PeerId): void {
    this.distrust(peer)
    this.#onWrong(peer)
  }

  /** A peer sent wrong data, or does not have what it said: it gets no new copies for a while. */
  distrust(peer: PeerId): void {
    const seen = this.#of(peer)
    seen.reputation *= 0.3
    seen.closedUntil = seen.doubtedUntil = this.#clock.monotonicMs() + distrustMs
  }

  /** A peer could not prove to have chunks that it claims. */
  missed(peer: PeerId, chunks: number): void {
    this.#of(peer).missing += chunks
    this.distrust(peer)
  }

  /** A peer had no room for an offer; its own statement tells the rest of the pool later. */
  noRoom(peer: PeerId): void {
    const seen = this.#of(peer)
    seen.closedUntil = Math.max(seen.closedUntil, this.#clock.monotonicMs() + fullMs)
  }

  /** Whether a peer gets no new copies for now. */
  isClosed(peer: PeerId): boolean {
    return this.#clock.monotonicMs() < this.#of(peer).closedUntil
  }

  /** Whether it sent wrong data, or did not have what it said, of late. */
  isDoubted(peer: PeerId): boolean {
    return this.#clock.monotonicMs() < this.#of(peer).doubtedUntil
  }

  /** Expected milliseconds to have half a megabyte from a peer; whoever failed lately seems slower. */
  cost(peer: PeerId): number {
    const { latencyMs, rate, reputation, load, connected } = this.#of(peer)
    const transferMs = (limits.chunkNormal / (rate ?? assumedRate)) * 1000
    const expected = (latencyMs ?? assumedLatencyMs) + transferMs * (1 + load)
    return (expected / Math.max(reputation, 0.02)) * (connected ? 1 : 20)
  }

  /** Milliseconds a peer has been away; 0 while it is connected, infinite when it was never seen. */
  absentMs(peer: PeerId): number {
    const { connected, lastSeen } = this.#of(peer)
    if (connected) return 0
    const upMs = this.#clock.monotonicMs() - this.#startedAt
    const awayMs =
      lastSeen === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.#clock.now() - lastSeen)
    return upMs < settleMs ? Math.min(upMs, awayMs) : awayMs
  }

  isConnected(peer: PeerId): boolean {
    return this.#of(peer).connected
  }

  of(peer: PeerId): Readonly<Seen> {
    return this.#of(peer)
  }

  #succeeded(seen: Seen, latencyMs: number, bytes: number, transferMs: number): void {
    seen.reputation += (1 - seen.reputation) * newest
    seen.latencyMs = blend(seen.latencyMs, latencyMs)
    seen.shutsOut = false
    // A small answer says nothing about the rate.
    if (bytes >= limits.codecInline && transferMs > 0)
      seen.rate = blend(seen.rate, (bytes / transferMs) * 1000)
  }

  #failed(peer: PeerId, seen: Seen, error: unknown): void {
    if (isCode(error, 'PEER_MISBEHAVED')) this.#onWrong(peer)
    if (error instanceof PeerStorError && error.code === 'PEER_REFUSED')
      seen.shutsOut = error.data['role'] === 'ex-member'
    seen.reputation *= isCode(error, 'PEER_MISBEHAVED') ? 0.3 : 1 - newest
  }

  #of(peer: PeerId): Seen {
    let seen = this.#peers.get(peer)
    if (seen === undefined) this.#peers.set(peer, (seen = { ...fresh }))
    return seen
  }
}

export interface Measure {
  /** The head of the answer is here. */
  answered: () => void
  received: (bytes: number) => void
}

function blend(old: number | undefined, value: number): number {
  return old === undefined ? value : old + (value - old) * newest
}
