/** The libp2p connections of this peer: listening, dialling, and who is connected. */
import type { Connection as Libp2pConnection, ConnectionGater, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'
import type { Libp2p } from 'libp2p'
import type { Clock } from '../base/clock.ts'
import { fail, PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'
import { AddressBook } from './address-book.ts'
import { listenAddresses, parseAddress, withoutPeer } from './addresses.ts'
import { startNode } from './libp2p-node.ts'
import type { KeptPort } from './network.ts'

/** The one protocol: HTTP with a proved peer at the other end. */
export const protocol = '/peerstor/1/http'

export interface PeerConnectionsOptions {
  self: PeerId
  privateKey: Uint8Array
  host: string
  port: number
  keptPort?: KeptPort | undefined
  advertise: readonly string[]
  dialTimeoutMs: number
  clock: Clock
  /** Whether a peer is no device of this pool. */
  isStrange: (peer: PeerId) => boolean
  /** Where mDNS saw a peer. */
  sighted: (peer: PeerId) => readonly string[]
  onStream: (stream: Stream, peer: PeerId) => void
  onConnect: (peer: PeerId) => void
  onDisconnect: (peer: PeerId) => void
  /** A connection at our port that begins with TLS. */
  onTls: (socket: Socket) => void
}

export class PeerConnections {
  readonly #options: PeerConnectionsOptions
  readonly #book = new AddressBook()
  #node: Libp2p | undefined
  #port = 0

  constructor(options: PeerConnectionsOptions) {
    this.#options = options
  }

  /** Where libp2p and lanes listen. */
  get port(): number {
    return this.#port
  }

  async start(): Promise<void> {
    const { onStream, onConnect, onDisconnect } = this.#options
    const announce = (port: number): string[] => this.#announced(port)
    const kept = this.#options.port === 0 ? this.#options.keptPort : undefined
    const lastPort = await kept?.read()
    const { node, port } = await startNode({ ...this.#options, lastPort, gater: this.#gater(), announce })
    if (port !== lastPort) await kept?.write(port)
    this.#node = node
    this.#port = port
    const idOf = ({ detail }: CustomEvent<{ toString(): string }>): PeerId => detail.toString() as PeerId
    node.addEventListener('connection:open', ({ detail }) => this.#limitStranger(detail))
    node.addEventListener('peer:connect', (event) => onConnect(idOf(event)))
    node.addEventListener('peer:disconnect', (event) => onDisconnect(idOf(event)))
    const take = (stream: Stream, { remotePeer }: Libp2pConnection): void =>
      onStream(stream, remotePeer.toString() as PeerId)
    await node.handle(protocol, take, {
      maxInboundStreams: limits.requestStreams,
      maxOutboundStreams: limits.requestStreams,
    })
  }

  async stop(): Promise<void> {
    for (const connection of this.#node?.getConnections() ?? []) connection.abort(new Error('stopped'))
    await this.#node?.stop()
    this.#node = undefined
  }

  addresses(): string[] {
    return this.#announced(this.#port).map((address) => `${address}/p2p/${this.#options.self}`)
  }

  /** Remembers where a peer may be dialled; whether that was news. */
  learn(peer: PeerId, addresses: readonly string[]): boolean {
    return peer !== this.#options.self && this.#book.learn(peer, addresses)
  }

  peers(): PeerId[] {
    const all = this.#node?.getConnections().map(({ remotePeer }) => remotePeer.toString())
    return [...new Set(all)] as PeerId[]
  }

  /** Open connections to a peer, the oldest first. */
  to(peer: PeerId): Libp2pConnection[] {
    const connections = this.#node?.getConnections(peerIdFromString(peer)) ?? []
    return connections.filter(({ status }) => status === 'open')
  }

  /** Dials an address and tells who answered; fails with `PEER_UNREACHABLE`. */
  async dial(address: string, signal?: AbortSignal): Promise<PeerId> {
    const target = parseAddress(address)
    const connection = await this.#inTime(address, signal, (signal) =>
      this.#started().dial(target, { signal }),
    )
    const peer = connection.remotePeer.toString() as PeerId
    this.#book.learn(peer, [withoutPeer(target).toString()])
    return peer
  }

  /** The connection to a peer, dialled when there is none; fails with `PEER_UNREACHABLE`. */
  async connect(peer: PeerId, signal?: AbortSignal): Promise<Libp2pConnection> {
    return await this.#inTime(peer, signal, (signal) => this.#connect(peer, signal))
  }

  /** A new stream for requests to a peer; fails with `PEER_UNREACHABLE`. */
  async openStream(peer: PeerId): Promise<Stream> {
    return await this.#inTime(peer, undefined, async (signal) => {
      const connection = await this.#connect(peer, signal)
      return await connection.newStream(protocol, { signal, maxOutboundStreams: limits.requestStreams })
    })
  }

  /** Ends all connections to a peer at once. */
  drop(peer: PeerId): void {
    for (const connection of this.to(peer)) connection.abort(new Error('disconnected'))
  }

  async #connect(peer: PeerId, signal: AbortSignal): Promise<Libp2pConnection> {
    const [open] = this.to(peer)
    if (open !== undefined) return open
    const known = this.#book.of(peer, this.#options.sighted(peer))
    const addresses = known.map((address) => multiaddr(`${address.toString()}/p2p/${peer}`))
    if (addresses.length === 0) throw new Error('no address is known')
    return await this.#started().dial(addresses, { signal })
  }

  #started(): Libp2p {
    if (this.#node === undefined) throw fail('NOT_HERE', { what: 'the network', reason: 'it is not started' })
    return this.#node
  }

  #announced(port: number): string[] {
    const advertised = this.#options.advertise.map((address) => withoutPeer(parseAddress(address)).toString())
    return [...new Set([...advertised, ...listenAddresses(this.#options.host, port)])]
  }

  /** Nobody dials himself, and strangers together hold only so many connections. */
  #gater(): ConnectionGater {
    const isSelf = (peer: { toString(): string }): boolean => peer.toString() === this.#options.self
    return {
      denyDialPeer: isSelf,
      denyOutboundEncryptedConnection: isSelf,
      denyInboundEncryptedConnection: (peer) =>
        isSelf(peer) ||
        (this.#options.isStrange(peer.toString() as PeerId) &&
          this.#strangers() >= limits.strangerConnections),
    }
  }

  /** Whoever holds a stranger's place for long makes room: a new device needs one for a moment. */
  #limitStranger(connection: Libp2pConnection): void {
    const { clock, isStrange } = this.#options
    const isStranger = (): boolean => isStrange(connection.remotePeer.toString() as PeerId)
    if (connection.direction !== 'inbound' || !isStranger()) return
    clock.after(limits.strangerLifeMs, () => {
      if (connection.status === 'open' && isStranger())
        connection.abort(new Error('a stranger stayed too long'))
    })
  }

  #strangers(): number {
    const connections = this.#node?.getConnections() ?? []
    const inbound = connections.filter(({ direction }) => direction === 'inbound')
    return inbound.filter(({ remotePeer }) => this.#options.isStrange(remotePeer.toString() as PeerId)).length
  }

  /** Runs a dial that is given up by `signal` or after its time. */
  async #inTime<T>(
    target: string,
    signal: AbortSignal | undefined,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, dialTimeoutMs } = this.#options
    const controller = new AbortController()
    const late = new Error(`no connection within ${dialTimeoutMs} ms`)
    const cancel = clock.after(dialTimeoutMs, () => controller.abort(late))
    const signals = signal === undefined ? [controller.signal] : [signal, controller.signal]
    try {
      return await run(AbortSignal.any(signals))
    } catch (error) {
      throw unreachable(target, error)
    } finally {
      cancel()
    }
  }
}

function unreachable(peer: string, error: unknown): PeerStorError {
  if (error instanceof PeerStorError) return error
  return fail('PEER_UNREACHABLE', { peer, reason: reasonOf(error) }, error)
}

/** One line, also for a dial that failed at several addresses. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.slice(0, 4).map(reasonOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
