/**
 * The network over libp2p: requests to and from authenticated peers (`network.ts`).
 *
 * Requests travel as HTTP over libp2p streams, bulk ones over a lane when there is one. Who may ask
 * what is decided by `registry.ts` and `roleOf`, for every request anew.
 */
import type { Stream } from '@libp2p/interface'
import type { Clock } from '../base/clock.ts'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { CallOptions, PeerId, Role } from '../base/words.ts'
import { hostAndPort } from './addresses.ts'
import { KeepConnected } from './keep-connected.ts'
import { Lanes, type Reach } from './lanes.ts'
import { Mdns } from './mdns.ts'
import type {
  Connection,
  Discovered,
  Handler,
  KeptPort,
  Network,
  NetworkEvent,
  Reply,
  RequestOptions,
} from './network.ts'
import { PeerAgent } from './peer-agent.ts'
import { PeerConnections } from './peer-connections.ts'
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
  /** libp2p and the lanes; the next free one when busy, 0 for any: then the one of last time when it is free. */
  port: number
  keptPort?: KeptPort | undefined
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
  /** Time for an answer to begin; default `limits.requestTimeoutMs`. */
  requestTimeoutMs?: number | undefined
  /** How often a request is asked again when its connection breaks; default 0. */
  retries?: number | undefined
}

/** Before a request is asked again; doubled each time. */
const retryFirstMs = 100

export class Libp2pNetwork implements Network {
  readonly peer: PeerId
  readonly #options: Libp2pNetworkOptions
  readonly #log: Log
  readonly #connections: PeerConnections
  readonly #server: RequestServer
  readonly #agent: PeerAgent
  readonly #traffic = new Traffic()
  readonly #listeners = new Set<(event: NetworkEvent) => void>()
  readonly #lanes: Lanes
  readonly #keep: KeepConnected
  #mdns: Mdns | undefined

  constructor(options: Libp2pNetworkOptions) {
    this.#options = options
    this.peer = peerIdOf(options.privateKey)
    this.#log = options.log.child({ room: 'net' })
    const { clock, random, roleOf } = options
    this.#server = new RequestServer({ self: this.peer, roleOf, clock, log: this.#log })
    this.#connections = new PeerConnections({
      ...options,
      self: this.peer,
      dialTimeoutMs: options.dialTimeoutMs ?? limits.dialTimeoutMs,
      isStrange: (peer) => this.#isStrange(peer),
      sighted: (peer) => this.#mdns?.addressesOf(peer) ?? [],
      onStream: (stream, peer) => this.#accept(stream, peer),
      onConnect: (peer) => this.#connected(peer),
      onDisconnect: (peer) => this.#disconnected(peer),
      onTls: (socket) => this.#lanes.accept(socket),
    })
    this.#agent = new PeerAgent(clock, (peer) => this.#openStream(peer))
    this.#lanes = new Lanes({
      clock,
      random,
      log: this.#log,
      port: () => this.#connections.port,
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
        dialPeer: (peer, signal) => this.#connections.connect(peer, signal),
        dialAddress: (address, signal) => this.#connections.dial(address, signal),
      },
      options.bootstrap,
    )
    this.#server.serve('lane.open', (call) => this.#lanes.handle(call))
  }

  async start(): Promise<void> {
    await this.#connections.start()
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
    await this.#connections.stop()
  }

  addresses(): string[] {
    return this.#connections.addresses()
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
    const { clock, retries = 0 } = this.#options
    for (let tried = 0; ; tried++) {
      let reached = this.isConnected(peer)
      const leave = this.on((event) => (reached ||= event.type === 'connect' && event.peer === peer))
      try {
        return await this.#ask(peer, name, head, options)
      } catch (error) {
        // All requests may be repeated; a body can not be read twice. Whom nothing reaches is left to backoff.
        const again = reached && options.body === undefined && isCode(error, 'PEER_UNREACHABLE')
        if (!again || tried >= retries) throw error
        await clock.sleep(retryFirstMs * 2 ** tried, options.signal)
      } finally {
        leave()
      }
    }
  }

  #ask(peer: PeerId, name: RequestName, head: Uint8Array, options: RequestOptions): Promise<Reply> {
    const { clock, requestTimeoutMs: timeoutMs = limits.requestTimeoutMs } = this.#options
    const lane = registry[name].bulk ? this.#lanes.take(peer) : undefined
    const agent = lane?.agent ?? this.#agent
    const timed = { timeoutMs, ...options }
    return ask({ agent, clock, peer, name, head, options: timed, onDone: lane?.free })
  }

  async dial(address: string, { signal }: CallOptions = {}): Promise<PeerId> {
    return await this.#connections.dial(address, signal)
  }

  learn(peer: PeerId, addresses: readonly string[]): void {
    if (this.#connections.learn(peer, addresses)) this.#keep.wake(peer)
  }

  keepConnected(peers: readonly PeerId[]): void {
    this.#keep.setPeers(peers.filter((peer) => peer !== this.peer))
  }

  connections(): Connection[] {
    return this.#connections.peers().flatMap((peer) => this.#describe(peer) ?? [])
  }

  isConnected(peer: PeerId): boolean {
    return this.#connections.to(peer).length > 0
  }

  async disconnect(peer: PeerId): Promise<void> {
    this.#lanes.drop(peer)
    this.#server.drop(peer)
    this.#connections.drop(peer)
  }

  discovered(): Discovered {
    return { mdns: this.#mdns?.sightings() ?? [], bootstrap: this.#keep.bootstrap() }
  }

  on(listener: (event: NetworkEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #isStrange(peer: PeerId): boolean {
    const role = this.#options.roleOf(peer)
    return role === 'stranger' || role === 'ex-member'
  }

  #accept(stream: Stream, peer: PeerId): void {
    const atMost = this.#isStrange(peer)
      ? limits.strangerStreams
      : limits.connectionsPerPeer * limits.requestStreams
    if (this.#server.socketsOf(peer) >= atMost) stream.abort(new Error('too many streams'))
    else this.#server.accept(this.#traffic.track(new StreamSocket(stream), peer), peer)
  }

  async #openStream(peer: PeerId): Promise<StreamSocket> {
    return this.#traffic.track(new StreamSocket(await this.#connections.openStream(peer)), peer)
  }

  /** How to open a lane to a device; strangers get none. */
  #reach(peer: PeerId): Reach | undefined {
    const connections = this.#connections.to(peer).filter(({ direct }) => direct)
    const connection = connections.find(({ direction }) => direction === 'outbound') ?? connections[0]
    if (connection === undefined || this.#isStrange(peer)) return undefined
    const { host } = hostAndPort(connection.remoteAddr)
    return { host, inbound: connection.direction === 'inbound' }
  }

  #describe(peer: PeerId): Connection | undefined {
    const [connection] = this.#connections.to(peer)
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
    const { port } = this.#connections
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
    const carried = this.#traffic.of(peer)
    this.#traffic.forget(peer)
    this.#emit({ type: 'disconnect', peer, ...carried })
  }

  #emit(event: NetworkEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
