/**
 * The network over libp2p: requests to and from authenticated peers (`network.ts`).
 *
 * Requests travel as HTTP over libp2p streams, bulk ones over a lane when there is one. Who may ask
 * what is decided by `registry.ts` and `roleOf`, for every request anew.
 */
import type { Connection as Libp2pConnection, ConnectionGater, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import type { Clock } from '../base/clock.ts'
import { fail, PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { CallOptions, PeerId, Role } from '../base/words.ts'
import { AddressBook } from './address-book.ts'
import { hostAndPort, listenAddresses, parseAddress, withoutPeer } from './addresses.ts'
import { KeepConnected } from './keep-connected.ts'
import { Lanes, type Reach } from './lanes.ts'
import { startNode } from './libp2p-node.ts'
import { Mdns } from './mdns.ts'
import type {
  Connection,
  Discovered,
  Handler,
  Network,
  NetworkEvent,
  Reply,
  RequestOptions,
} from './network.ts'
import { PeerAgent } from './peer-agent.ts'
import { peerIdOf } from './peer-key.ts'
import { registry, type RequestName } from './registry.ts'
import { ask } from './request-client.ts'
import { RequestServer } from './request-server.ts'
import { StreamSocket } from './stream-socket.ts'
import { Traffic } from './traffic.ts'

export interface Libp2pNetworkOptions {
  /** 32-byte Ed25519 seed of the home's libp2p key. */
  privateKey: Uint8Array
  /** Address of every listener. */
  host: string
  /** libp2p and the lanes; the next free one when busy, 0 for any. */
  port: number
  clock: Clock
  random: Random
  log: Log
  /** What a peer is to this pool; asked for every request. */
  roleOf: (peer: PeerId) => Role
  /** Find and be found by mDNS; on a loopback host on the loopback interface alone. */
  mdns: boolean
  /** Multiaddrs or `host[:port]` to keep connected. */
  bootstrap: readonly string[]
  /** Further addresses to tell others. */
  advertise: readonly string[]
  /** Default `limits.dialTimeoutMs`. */
  dialTimeoutMs?: number | undefined
}

/** The one protocol: HTTP with a proved peer at the other end. */
export const protocol = '/peerstor/1/http'

export class Libp2pNetwork implements Network {
  readonly peer: PeerId
  readonly #options: Libp2pNetworkOptions
  readonly #log: Log
  readonly #server: RequestServer
  readonly #agent: PeerAgent
  readonly #book = new AddressBook()
  readonly #traffic = new Traffic()
  readonly #listeners = new Set<(event: NetworkEvent) => void>()
  readonly #lanes: Lanes
  readonly #keep: KeepConnected
  #mdns: Mdns | undefined
  #node: Libp2p | undefined
  #port = 0

  constructor(options: Libp2pNetworkOptions) {
    this.#options = options
    this.peer = peerIdOf(options.privateKey)
    this.#log = options.log.child({ room: 'net' })
    const { clock, random, roleOf } = options
    this.#server = new RequestServer({ self: this.peer, roleOf, clock, log: this.#log })
    this.#agent = new PeerAgent(clock, (peer) => this.#openStream(peer))
    this.#lanes = new Lanes({
      clock,
      random,
      log: this.#log,
      port: () => this.#port,
      reach: (peer) => this.#reach(peer),
      open: (peer, head) => this.request(peer, 'lane.open', head),
      answer: (socket, peer) => this.#server.accept(socket, peer),
      track: (socket, peer) => this.#traffic.track(socket, peer),
    })
    this.#keep = new KeepConnected(
      {
        clock,
        random,
        isConnected: (peer) => this.isConnected(peer),
        dialPeer: (peer, signal) => this.#inTime(signal, (signal) => this.#connect(peer, signal)),
        dialAddress: (address, signal) => this.dial(address, { signal }),
      },
      options.bootstrap,
    )
    this.#server.serve('lane.open', (call) => this.#lanes.handle(call))
  }

  async start(): Promise<void> {
    const { privateKey, host, port } = this.#options
    const { node, port: free } = await startNode({
      privateKey,
      host,
      port,
      dialTimeoutMs: this.#dialTimeoutMs,
      gater: this.#gater(),
      announce: (port) => this.#announced(port),
      onTls: (socket) => this.#lanes.accept(socket),
    })
    this.#node = node
    this.#port = free
    await node.handle(protocol, (stream, connection) => this.#accept(stream, connection), {
      maxInboundStreams: limits.requestStreams,
      maxOutboundStreams: limits.requestStreams,
    })
    node.addEventListener('peer:connect', ({ detail }) => this.#connected(detail.toString() as PeerId))
    node.addEventListener('peer:disconnect', ({ detail }) => this.#disconnected(detail.toString() as PeerId))
    this.#log.info('listening', { addresses: this.addresses() })
    if (this.#options.mdns) this.#startMdns()
    this.#keep.start()
  }

  async stop(): Promise<void> {
    this.#keep.stop()
    await this.#mdns?.stop()
    this.#mdns = undefined
    this.#agent.destroy()
    this.#lanes.close()
    this.#server.close()
    for (const connection of this.#node?.getConnections() ?? []) connection.abort(new Error('stopped'))
    await this.#node?.stop()
    this.#node = undefined
  }

  addresses(): string[] {
    return this.#announced(this.#port).map((address) => `${address}/p2p/${this.peer}`)
  }

  serve(name: RequestName, handler: Handler): void {
    this.#server.serve(name, handler)
  }

  async request(
    peer: PeerId,
    name: RequestName,
    head: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Reply> {
    const { clock } = this.#options
    const lane = registry[name].bulk ? this.#lanes.take(peer) : undefined
    const agent = lane?.agent ?? this.#agent
    return await ask({ agent, clock, peer, name, head, options, onDone: lane?.free })
  }

  async dial(address: string, { signal }: CallOptions = {}): Promise<PeerId> {
    const target = parseAddress(address)
    try {
      const connection = await this.#inTime(signal, (signal) => this.#started().dial(target, { signal }))
      const peer = connection.remotePeer.toString() as PeerId
      this.#book.learn(peer, [withoutPeer(target).toString()])
      return peer
    } catch (error) {
      throw unreachable(address, error)
    }
  }

  learn(peer: PeerId, addresses: readonly string[]): void {
    if (peer !== this.peer && this.#book.learn(peer, addresses)) this.#keep.wake(peer)
  }

  keepConnected(peers: readonly PeerId[]): void {
    this.#keep.setPeers(peers.filter((peer) => peer !== this.peer))
  }

  connections(): Connection[] {
    const peers = new Set(this.#node?.getConnections().map(({ remotePeer }) => remotePeer.toString()))
    return [...peers].flatMap((peer) => this.#describe(peer as PeerId) ?? [])
  }

  isConnected(peer: PeerId): boolean {
    return this.#connectionsTo(peer).length > 0
  }

  async disconnect(peer: PeerId): Promise<void> {
    this.#lanes.drop(peer)
    this.#server.drop(peer)
    for (const connection of this.#connectionsTo(peer)) connection.abort(new Error('disconnected'))
  }

  discovered(): Discovered {
    return { mdns: this.#mdns?.sightings() ?? [], bootstrap: this.#keep.bootstrap() }
  }

  on(listener: (event: NetworkEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get #dialTimeoutMs(): number {
    return this.#options.dialTimeoutMs ?? limits.dialTimeoutMs
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
    const isSelf = (peer: { toString(): string }): boolean => peer.toString() === this.peer
    return {
      denyDialPeer: isSelf,
      denyOutboundEncryptedConnection: isSelf,
      denyInboundEncryptedConnection: (peer) =>
        isSelf(peer) || (this.#isStrange(peer.toString()) && this.#strangers() >= limits.strangerConnections),
    }
  }

  #isStrange(peer: string): boolean {
    const role = this.#options.roleOf(peer as PeerId)
    return role === 'stranger' || role === 'ex-member'
  }

  #strangers(): number {
    const inbound = this.#started()
      .getConnections()
      .filter(({ direction }) => direction === 'inbound')
    return inbound.filter(({ remotePeer }) => this.#isStrange(remotePeer.toString())).length
  }

  #accept(stream: Stream, { remotePeer }: Libp2pConnection): void {
    const peer = remotePeer.toString() as PeerId
    const atMost = this.#isStrange(peer)
      ? limits.strangerStreams
      : limits.connectionsPerPeer * limits.requestStreams
    if (this.#server.socketsOf(peer) >= atMost) stream.abort(new Error('too many streams'))
    else this.#server.accept(this.#traffic.track(new StreamSocket(stream), peer), peer)
  }

  async #openStream(peer: PeerId): Promise<StreamSocket> {
    try {
      const stream = await this.#inTime(undefined, async (signal) => {
        const connection = await this.#connect(peer, signal)
        return await connection.newStream(protocol, { signal, maxOutboundStreams: limits.requestStreams })
      })
      return this.#traffic.track(new StreamSocket(stream), peer)
    } catch (error) {
      throw unreachable(peer, error)
    }
  }

  async #connect(peer: PeerId, signal: AbortSignal): Promise<Libp2pConnection> {
    const [open] = this.#connectionsTo(peer)
    if (open !== undefined) return open
    const known = this.#book.of(peer, this.#mdns?.addressesOf(peer) ?? [])
    const addresses = known.map((address) => multiaddr(`${address.toString()}/p2p/${peer}`))
    if (addresses.length === 0) throw new Error('no address is known')
    return await this.#started().dial(addresses, { signal })
  }

  #connectionsTo(peer: PeerId): Libp2pConnection[] {
    const connections = this.#node?.getConnections(peerIdFromString(peer)) ?? []
    return connections.filter(({ status }) => status === 'open')
  }

  /** How to open a lane to a device; strangers get none. */
  #reach(peer: PeerId): Reach | undefined {
    const connections = this.#connectionsTo(peer).filter(({ direct }) => direct)
    const connection = connections.find(({ direction }) => direction === 'outbound') ?? connections[0]
    if (connection === undefined || this.#isStrange(peer)) return undefined
    const { host } = hostAndPort(connection.remoteAddr)
    return { host, inbound: connection.direction === 'inbound' }
  }

  #describe(peer: PeerId): Connection | undefined {
    const [connection] = this.#connectionsTo(peer)
    if (connection === undefined) return undefined
    return {
      peer,
      address: connection.remoteAddr.toString(),
      path: this.#lanes.has(peer) ? 'lane' : connection.direct ? 'direct' : 'relayed',
      inbound: connection.direction === 'inbound',
      latencyMs: connection.rtt,
      connectedAt: connection.timeline.open,
      ...this.#traffic.of(peer),
    }
  }

  #startMdns(): void {
    const { host, clock, random } = this.#options
    const onPeer = (peer: PeerId, addresses: string[]): void => {
      this.#keep.wake(peer)
      this.#emit({ type: 'discover', peer, addresses })
    }
    const port = this.#port
    this.#mdns = new Mdns({ peer: this.peer, host, port, clock, random, log: this.#log, onPeer })
    this.#mdns.start()
  }

  #connected(peer: PeerId): void {
    this.#keep.connected(peer)
    this.#emit({ type: 'connect', peer })
  }

  #disconnected(peer: PeerId): void {
    this.#keep.lost(peer)
    this.#lanes.drop(peer)
    this.#server.drop(peer)
    this.#traffic.forget(peer)
    this.#emit({ type: 'disconnect', peer })
  }

  #emit(event: NetworkEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  /** Runs a dial that is given up by `signal` or after its time. */
  async #inTime<T>(signal: AbortSignal | undefined, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const late = new Error(`no connection within ${this.#dialTimeoutMs} ms`)
    const cancel = this.#options.clock.after(this.#dialTimeoutMs, () => controller.abort(late))
    const signals = signal === undefined ? [controller.signal] : [signal, controller.signal]
    try {
      return await run(AbortSignal.any(signals))
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
