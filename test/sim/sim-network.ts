/**
 * The network of a whole pool in one process and in virtual time: requests with streamed bodies, delay,
 * loss, repetition, partitions in one or both directions, crashes. What happens depends on the seed alone.
 *
 * It keeps the promises of `Network`: roles and sizes are checked by the registry before a handler
 * runs, a stalled body ends with an error, an unexpected error tells nothing of the other's inside.
 */
import type { Clock } from '../../src/base/clock.ts'
import { asPeerStorError, fail } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { CallOptions, PeerId, Role } from '../../src/base/words.ts'
import type {
  Answer,
  Connection,
  Discovered,
  Handler,
  Network,
  NetworkEvent,
  Reply,
  RequestOptions,
} from '../../src/net/network.ts'
import { mayAsk, registry, type RequestName } from '../../src/net/registry.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface SimNetworkOptions {
  clock: Clock
  random: SeededRandom
  /** Shortest and longest way of a message, milliseconds. */
  delayMs?: readonly [number, number]
  /** Probability that a request, or its answer, dies. */
  loss?: number
}

/** Bytes that left a peer, as a test may want to look at them. */
export type Tap = (from: PeerId, to: PeerId, name: RequestName, bytes: Uint8Array) => void

const heartbeatMs = 10_000
const redialFirstMs = 500
const redialMostMs = 30_000

export class SimWorld {
  readonly clock: Clock
  readonly random: SeededRandom
  delayMs: readonly [number, number]
  loss: number
  /** Probability that a request is asked a second time a while after its answer. */
  repeat = 0
  tap: Tap | undefined
  /** Requests asked, by name. */
  readonly asked = new Map<RequestName, number>()
  readonly #peers = new Map<PeerId, SimNetwork>()
  /** Directions that carry nothing: `from>to`. */
  readonly #cut = new Set<string>()

  constructor({ clock, random, delayMs = [1, 20], loss = 0 }: SimNetworkOptions) {
    this.clock = clock
    this.random = random
    this.delayMs = delayMs
    this.loss = loss
  }

  /** A peer's end; after a crash the same peer opens a new one. `roleOf`: what callers are to it. */
  open(peer: PeerId, roleOf: (peer: PeerId) => Role): SimNetwork {
    const network = new SimNetwork(this, peer, roleOf)
    this.#peers.set(peer, network)
    return network
  }

  /** Nothing gets from `from` to `to`; with `both`, nor back. */
  cut(from: PeerId, to: PeerId, both = true): void {
    this.#cut.add(`${from}>${to}`)
    if (both) this.#cut.add(`${to}>${from}`)
    this.#noticeCut(from, to)
  }

  /** Peers of different groups do not reach each other. */
  partition(groups: readonly (readonly PeerId[])[]): void {
    for (const [index, group] of groups.entries())
      for (const other of groups.slice(index + 1))
        for (const a of group) for (const b of other) this.cut(a, b)
  }

  heal(): void {
    this.#cut.clear()
  }

  /** A peer's process is gone: connections end at once, requests in flight die. */
  crash(peer: PeerId): void {
    this.#peers.get(peer)?.die()
  }

  /** The running end of a peer. */
  at(peer: PeerId): SimNetwork | undefined {
    const network = this.#peers.get(peer)
    return network?.running === true ? network : undefined
  }

  carries(from: PeerId, to: PeerId): boolean {
    return !this.#cut.has(`${from}>${to}`)
  }

  reach(a: PeerId, b: PeerId): boolean {
    return this.at(a) !== undefined && this.at(b) !== undefined && this.carries(a, b) && this.carries(b, a)
  }

  delay(): number {
    const [least, most] = this.delayMs
    // Whole milliseconds: the wall clock has no others.
    return Math.round(least + this.random.number() * (most - least))
  }

  /** A broken way is noticed after a heartbeat was missed. */
  #noticeCut(a: PeerId, b: PeerId): void {
    this.clock.after(heartbeatMs, () => {
      if (this.carries(a, b) && this.carries(b, a)) return
      this.at(a)?.lose(b)
      this.at(b)?.lose(a)
    })
  }
}

export class SimNetwork implements Network {
  readonly peer: PeerId
  readonly #world: SimWorld
  readonly #roleOf: (peer: PeerId) => Role
  readonly #handlers = new Map<RequestName, Handler>()
  readonly #listeners = new Set<(event: NetworkEvent) => void>()
  readonly #connected = new Map<PeerId, { since: number; inbound: boolean }>()
  readonly #kept = new Map<PeerId, { attempts: number; cancel: () => void }>()
  /** Requests from and to this end. */
  readonly #exchanges = new Set<Exchange>()
  running = false

  constructor(world: SimWorld, peer: PeerId, roleOf: (peer: PeerId) => Role) {
    this.#world = world
    this.peer = peer
    this.#roleOf = roleOf
  }

  start(): Promise<void> {
    this.running = true
    for (const peer of this.#kept.keys()) this.#redial(peer)
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.die()
    return Promise.resolve()
  }

  /** Ends everything at once, as a crash does. */
  die(): void {
    if (!this.running) return
    this.running = false
    for (const { cancel } of this.#kept.values()) cancel()
    const gone = fail('PEER_UNREACHABLE', { peer: this.peer, reason: 'it is gone' })
    for (const exchange of this.#exchanges) exchange.abort(gone)
    for (const peer of this.#connected.keys()) this.#world.at(peer)?.lose(this.peer)
    this.#connected.clear()
  }

  /** The exchange ends when this end is gone; the returned function says that it is over. */
  living(exchange: Exchange): () => void {
    this.#exchanges.add(exchange)
    return () => void this.#exchanges.delete(exchange)
  }

  addresses(): string[] {
    return [`/memory/${this.peer}/p2p/${this.peer}`]
  }

  serve(name: RequestName, handler: Handler): void {
    if (this.#handlers.has(name)) throw new Error(`${name} is served twice`)
    this.#handlers.set(name, handler)
  }

  async request(
    peer: PeerId,
    name: RequestName,
    head: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Reply> {
    const world = this.#world
    world.asked.set(name, (world.asked.get(name) ?? 0) + 1)
    world.tap?.(this.peer, peer, name, head)
    const timeoutMs = options.timeoutMs ?? limits.requestTimeoutMs
    const exchange = new Exchange(world, this, peer, name, options.signal)
    try {
      const answer = await exchange.timed(timeoutMs, this.#ask(exchange, peer, name, head, options.body))
      world.tap?.(peer, this.peer, name, answer.head)
      return { head: Buffer.from(answer.head), body: exchange.carry(peer, this.peer, answer.body, true) }
    } catch (error) {
      exchange.end()
      throw error
    }
  }

  async dial(address: string, _options: CallOptions = {}): Promise<PeerId> {
    const peer = address.slice(address.lastIndexOf('/') + 1) as PeerId
    await this.#world.clock.sleep(this.#world.delay())
    if (!this.connect(peer)) throw fail('PEER_UNREACHABLE', { peer, reason: 'nobody answers' })
    return peer
  }

  learn(): void {
    // Every peer of the world can be found by its id.
  }

  keepConnected(peers: readonly PeerId[]): void {
    for (const [peer, { cancel }] of this.#kept)
      if (!peers.includes(peer)) {
        cancel()
        this.#kept.delete(peer)
      }
    for (const peer of peers) {
      if (peer === this.peer || this.#kept.has(peer)) continue
      this.#kept.set(peer, { attempts: 0, cancel: () => undefined })
      if (this.running) this.#redial(peer)
    }
  }

  connections(): Connection[] {
    return [...this.#connected].map(([peer, { since, inbound }]) => ({
      peer,
      address: `/memory/${peer}/p2p/${peer}`,
      path: 'direct',
      inbound,
      latencyMs: undefined,
      connectedAt: since,
      sentBytes: 0,
      receivedBytes: 0,
    }))
  }

  isConnected(peer: PeerId): boolean {
    return this.#connected.has(peer)
  }

  disconnect(peer: PeerId): Promise<void> {
    this.lose(peer)
    this.#world.at(peer)?.lose(this.peer)
    return Promise.resolve()
  }

  discovered(): Discovered {
    return { mdns: [], bootstrap: [] }
  }

  on(listener: (event: NetworkEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Connects both ends when both can reach each other; whether they are connected now. */
  connect(peer: PeerId): boolean {
    if (this.#connected.has(peer)) return true
    if (!this.#world.reach(this.peer, peer)) return false
    this.#begin(peer, false)
    this.#world.at(peer)!.#begin(this.peer, true)
    return true
  }

  /** The connection to `peer` is over. */
  lose(peer: PeerId): void {
    if (!this.#connected.delete(peer)) return
    this.#emit({ type: 'disconnect', peer })
    if (this.#kept.has(peer)) this.#redial(peer)
  }

  /** Runs the handler here for a caller. */
  async answer(
    from: PeerId,
    name: RequestName,
    head: Uint8Array,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const role = this.#roleOf(from)
    if (!mayAsk(role, name)) throw fail('PEER_REFUSED', { peer: this.peer, request: name, role })
    if (head.byteLength > registry[name].headBytes)
      throw fail('TOO_LARGE', { what: `the request ${name}`, limit: registry[name].headBytes })
    const handler = this.#handlers.get(name)
    if (handler === undefined) throw fail('NOT_FOUND', { what: 'request', name })
    return handler({ from, role, head: Buffer.from(head), body, signal })
  }

  async #ask(
    exchange: Exchange,
    peer: PeerId,
    name: RequestName,
    head: Uint8Array,
    body: AsyncIterable<Uint8Array> | undefined,
  ): Promise<Answer> {
    const world = this.#world
    await exchange.way(this.peer, peer)
    const there = world.at(peer)
    if (there === undefined || !this.connect(peer))
      throw fail('PEER_UNREACHABLE', { peer, reason: 'nobody answers' })
    const sent = world.random.chance(world.repeat) ? new SentTwice(body) : undefined
    const carried = exchange.carry(this.peer, peer, sent === undefined ? body : sent.first())
    if (sent !== undefined) this.#askAgain(peer, name, head, sent)
    const answer = await there
      .answer(this.peer, name, head, carried, exchange.signal)
      .catch((error: unknown) => {
        throw outsideView(error)
      })
    await exchange.way(peer, this.peer)
    return answer
  }

  /** The same request once more, as one who recorded it, or a retry that came late, would ask it; nobody hears the answer. */
  #askAgain(peer: PeerId, name: RequestName, head: Uint8Array, sent: SentTwice): void {
    const world = this.#world
    world.clock.after(world.random.between(1, 60_000), () => {
      const there = world.at(peer)
      if (there === undefined || !sent.isWhole) return
      const signal = new AbortController().signal
      const heard = async (): Promise<void> => {
        const { body } = await there.answer(this.peer, name, head, sent.again(), signal)
        for await (const _ of body ?? []);
      }
      heard().catch(() => undefined)
    })
  }

  #begin(peer: PeerId, inbound: boolean): void {
    this.#connected.set(peer, { since: this.#world.clock.now(), inbound })
    this.#kept.get(peer)?.cancel()
    this.#emit({ type: 'connect', peer })
  }

  /** Dials until connected, later each time. */
  #redial(peer: PeerId): void {
    const kept = this.#kept.get(peer)
    if (kept === undefined || !this.running || this.#connected.has(peer)) return
    kept.cancel()
    const base = kept.attempts === 0 ? 0 : Math.min(redialMostMs, redialFirstMs * 2 ** kept.attempts)
    kept.cancel = this.#world.clock.after(base + this.#world.delay(), () => {
      if (!this.running || this.#connected.has(peer)) return
      kept.attempts = this.connect(peer) ? 0 : kept.attempts + 1
      this.#redial(peer)
    })
  }

  #emit(event: NetworkEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

/**
 * Requests that end with a signal: one listener for all, since a peer gives the same signal to hundreds
 * and each listener makes adding and removing the others slower.
 */
const bySignal = new WeakMap<AbortSignal, Set<Exchange>>()

/** The exchange ends with `signal`; the returned function says that it is over. */
function abortedBy(signal: AbortSignal, exchange: Exchange): () => void {
  let exchanges = bySignal.get(signal)
  if (exchanges === undefined) {
    const all = (exchanges = new Set())
    bySignal.set(signal, all)
    signal.addEventListener('abort', () => all.forEach((one) => one.abort(signal.reason)), { once: true })
  }
  const mine = exchanges.add(exchange)
  return () => void mine.delete(exchange)
}

/** Why what a request left behind ends; one for all, since each costs a stack. */
const over = fail('INTERRUPTED', { what: 'a request that is over' })

/** A request's body that is kept while it is sent, so that it can be sent once more. */
class SentTwice {
  readonly #parts: Uint8Array[] = []
  readonly #body: AsyncIterable<Uint8Array> | undefined
  /** All of it was sent. */
  isWhole: boolean

  constructor(body: AsyncIterable<Uint8Array> | undefined) {
    this.#body = body
    this.isWhole = body === undefined
  }

  async *first(): AsyncGenerator<Uint8Array> {
    for await (const part of this.#body ?? []) {
      this.#parts.push(Buffer.from(part))
      yield part
    }
    this.isWhole = true
  }

  async *again(): AsyncGenerator<Uint8Array> {
    for (const part of this.#parts) yield Buffer.from(part)
  }
}

/** One request under way: it ends with its caller, with either peer, or when it stalls. */
class Exchange {
  readonly #world: SimWorld
  readonly #name: RequestName
  readonly #stop = new AbortController()
  readonly #leave: (() => void)[]

  constructor(
    world: SimWorld,
    from: SimNetwork,
    to: PeerId,
    name: RequestName,
    signal: AbortSignal | undefined,
  ) {
    this.#world = world
    this.#name = name
    this.#leave = [from, world.at(to)].flatMap((end) => (end === undefined ? [] : end.living(this)))
    if (signal === undefined) return
    this.#leave.push(abortedBy(signal, this))
    if (signal.aborted) this.abort(signal.reason)
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  abort(reason: unknown): void {
    for (const leave of this.#leave.splice(0)) leave()
    this.#stop.abort(reason)
  }

  end(): void {
    this.abort(over)
  }

  /** One message's way: its delay, or its loss. */
  async way(from: PeerId, to: PeerId): Promise<void> {
    const { clock, random } = this.#world
    await clock.sleep(this.#world.delay(), this.signal)
    if (random.chance(this.#world.loss))
      throw fail('PEER_UNREACHABLE', { peer: to, reason: 'the connection broke' })
    // What a cut way swallows is missed when time is up.
    if (!this.#world.carries(from, to)) await this.#forever()
  }

  /** A body on its way, part by part; with the `last` one the exchange is over. */
  async *carry(
    from: PeerId,
    to: PeerId,
    body: AsyncIterable<Uint8Array> | undefined,
    last = false,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const source = body?.[Symbol.asyncIterator]()
    try {
      if (source === undefined) return
      while (true) {
        const { done, value } = await this.timed(limits.stallTimeoutMs, source.next())
        if (done === true) return
        if (!this.#world.carries(from, to)) await this.timed(limits.stallTimeoutMs, this.#forever())
        if (this.#world.random.chance(this.#world.loss / 10))
          throw fail('PEER_UNREACHABLE', { peer: from, reason: 'the connection broke' })
        this.#world.tap?.(from, to, this.#name, value)
        yield Buffer.from(value)
      }
    } catch (error) {
      throw outsideView(error)
    } finally {
      // A source that hangs must not hold up whoever gives it up.
      void Promise.resolve(source?.return?.()).catch(() => undefined)
      if (last) this.end()
    }
  }

  /** `work`, unless it takes longer or a peer goes first. */
  timed<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.signal.aborted) reject(this.signal.reason as Error)
      const cancel = this.#world.clock.after(timeoutMs, () =>
        reject(fail('TIMED_OUT', { what: `the request ${this.#name}`, timeoutMs })),
      )
      const abort = (): void => reject(this.signal.reason as Error)
      this.signal.addEventListener('abort', abort, { once: true })
      work.then(resolve, reject).finally(() => {
        cancel()
        this.signal.removeEventListener('abort', abort)
      })
    })
  }

  #forever(): Promise<never> {
    return new Promise(() => undefined)
  }
}

/** An error as the other peer sees it. */
function outsideView(error: unknown): Error {
  const { code, data } = asPeerStorError(error)
  return fail(code, code === 'INTERNAL' ? { reason: 'the peer failed; its log says why' } : data)
}
