/**
 * The lanes to and from all peers: opened in the background by the first bulk request, at most two to
 * ask a peer over and two to answer it; a bulk request that finds none free goes over a stream.
 *
 * Whoever dialled the libp2p connection dials the lane, because he can; a lane serves requests of the
 * end that wanted it, whichever end dialled.
 */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { PeerId } from '../base/words.ts'
import { decode, encode } from '../codec/cbor-schema.ts'
import { dialLane, LaneListener, laneMessage, type LaneOffer } from './lane.ts'
import type { Answer, Call, Reply } from './network.ts'
import { PeerAgent } from './peer-agent.ts'

/** How this peer is connected to another by libp2p. */
export interface Reach {
  host: string
  /** The other peer dialled us. */
  inbound: boolean
}

export interface LanesOptions {
  clock: Clock
  random: Random
  log: Log
  /** Port that others may dial. */
  port: () => number
  /** Where a connected peer is; nothing when it is not connected or may have no lane. */
  reach: (peer: PeerId) => Reach | undefined
  /** Sends `lane.open`. */
  open: (peer: PeerId, head: Uint8Array) => Promise<Reply>
  /** Answers a peer's requests on a socket. */
  answer: (socket: TLSSocket, peer: PeerId) => void
  /** Counts a socket's bytes. */
  track: (socket: TLSSocket, peer: PeerId) => void
}

/** One lane to ask over; whoever takes it is alone on it until `free`. */
export interface Lane {
  agent: PeerAgent
  free: () => void
}

interface AskingLane extends Lane {
  socket: TLSSocket
  busy: boolean
}

export class Lanes {
  readonly #options: LanesOptions
  readonly #listener: LaneListener
  readonly #asking = new Map<PeerId, AskingLane[]>()
  readonly #answering = new Map<PeerId, Set<TLSSocket>>()
  /** Peers with a lane under way. */
  readonly #opening = new Set<PeerId>()
  /** When to try again, on the monotonic clock. */
  readonly #retryMs = new Map<PeerId, number>()

  constructor(options: LanesOptions) {
    this.#options = options
    this.#listener = new LaneListener(options.clock, options.random)
  }

  /** A free lane, or nothing; then one is opened for later when there is room for it. */
  take(peer: PeerId): Lane | undefined {
    const lanes = this.#asking.get(peer) ?? []
    const lane = lanes.find(({ busy }) => !busy)
    if (lane !== undefined) lane.busy = true
    else if (lanes.length < limits.lanesPerPeer) void this.#tryOpen(peer)
    return lane
  }

  has(peer: PeerId): boolean {
    return (this.#asking.get(peer)?.length ?? 0) + (this.#answering.get(peer)?.size ?? 0) > 0
  }

  /** A connection at our port that begins with TLS. */
  accept(socket: Parameters<LaneListener['accept']>[0]): void {
    this.#listener.accept(socket)
  }

  /** Answers `lane.open`: offers a lane, or dials the one that is offered. */
  async handle({ from, head }: Call): Promise<Answer> {
    const { offer } = decode(laneMessage, head, 'lane.open', limits.requestHeadBytes)
    this.#requireRoom(from)
    if (offer === undefined) return { head: encode(laneMessage, { offer: this.#offer(from) }) }
    const host = this.#options.reach(from)?.host
    if (host === undefined) throw fail('NOT_HERE', { what: 'a lane', reason: 'no connection leads back' })
    this.#answer(await dialLane(host, offer, this.#options.clock), from)
    return { head: encode(laneMessage, {}) }
  }

  /** Ends all lanes of a peer at once. */
  drop(peer: PeerId): void {
    this.#listener.withdraw(peer)
    this.#retryMs.delete(peer)
    for (const { socket } of this.#asking.get(peer) ?? []) socket.destroy()
    for (const socket of this.#answering.get(peer) ?? []) socket.destroy()
  }

  close(): void {
    for (const peer of new Set([...this.#asking.keys(), ...this.#answering.keys()])) this.drop(peer)
  }

  async #tryOpen(peer: PeerId): Promise<void> {
    const { clock, log, reach } = this.#options
    const place = reach(peer)
    const wait = (this.#retryMs.get(peer) ?? 0) > clock.monotonicMs()
    if (place === undefined || wait || this.#opening.has(peer)) return
    this.#opening.add(peer)
    try {
      const socket = place.inbound ? await this.#letDial(peer) : await this.#dial(peer, place.host)
      if (reach(peer) === undefined) socket.destroy()
      else this.#add(peer, socket)
    } catch (error) {
      log.debug('no lane', { peer, error })
      this.#retryMs.set(peer, clock.monotonicMs() + limits.laneRetryMs)
    } finally {
      this.#opening.delete(peer)
    }
  }

  async #dial(peer: PeerId, host: string): Promise<TLSSocket> {
    const { head } = await this.#options.open(peer, encode(laneMessage, {}))
    const { offer } = decode(laneMessage, head, 'the answer to lane.open', limits.requestHeadBytes)
    if (offer === undefined) throw new Error('the peer offered no lane')
    return await dialLane(host, offer, this.#options.clock)
  }

  /** The peer, which could dial us before, dials the lane too; it then answers on it. */
  async #letDial(peer: PeerId): Promise<TLSSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
    const offer = this.#listener.issue(peer, this.#options.port(), resolve)
    const cancel = this.#options.clock.after(limits.laneOfferMs, () => reject(new Error('no lane came')))
    try {
      await this.#options.open(peer, encode(laneMessage, { offer }))
      return await promise
    } finally {
      cancel()
    }
  }

  #add(peer: PeerId, socket: TLSSocket): void {
    let unused: Duplex | undefined = socket
    const connect = async (): Promise<Duplex> => {
      if (unused === undefined) throw new Error('the lane closed')
      const first = unused
      unused = undefined
      return first
    }
    const lane: AskingLane = {
      socket,
      busy: false,
      agent: new PeerAgent(this.#options.clock, connect, 1),
      free: () => {
        lane.busy = false
      },
    }
    this.#options.track(socket, peer)
    const lanes = this.#asking.get(peer) ?? []
    this.#asking.set(peer, [...lanes, lane])
    socket.once('close', () => this.#remove(peer, lane))
    if (socket.destroyed) this.#remove(peer, lane)
  }

  #remove(peer: PeerId, lane: AskingLane): void {
    const rest = (this.#asking.get(peer) ?? []).filter((other) => other !== lane)
    if (rest.length === 0) this.#asking.delete(peer)
    else this.#asking.set(peer, rest)
  }

  #offer(peer: PeerId): LaneOffer {
    return this.#listener.issue(peer, this.#options.port(), (socket) => this.#answer(socket, peer))
  }

  #answer(socket: TLSSocket, peer: PeerId): void {
    if (this.#options.reach(peer) === undefined) {
      socket.destroy()
      return
    }
    const sockets = this.#answering.get(peer) ?? new Set()
    this.#answering.set(peer, sockets.add(socket))
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size === 0 && this.#answering.get(peer) === sockets) this.#answering.delete(peer)
    })
    this.#options.track(socket, peer)
    this.#options.answer(socket, peer)
  }

  #requireRoom(peer: PeerId): void {
    const open = (this.#answering.get(peer)?.size ?? 0) + this.#listener.openOffers(peer)
    if (open >= 2 * limits.lanesPerPeer)
      throw fail('RATE_LIMITED', { who: peer, seconds: limits.laneOfferMs / 1000 })
  }
}
