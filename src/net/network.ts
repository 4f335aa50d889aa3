/**
 * The network as the rooms above see it: named requests between authenticated peers. The real one is
 * `libp2p-network.ts`; `test/sim/sim-network.ts` carries the same requests in virtual time.
 *
 * A request has HTTP semantics: a name (`registry.ts` says who may ask it), a small head (canonical
 * CBOR, parsed by the handler's schema), an optional streamed body, and an answer of the same form.
 */
import type { CallOptions, PeerId, Role } from '../base/words.ts'
import type { RequestName } from './registry.ts'

export interface Call {
  from: PeerId
  /** Looked up anew for this call; already allowed by the registry. */
  role: Role
  /** Canonical CBOR, at most the registry's `headBytes`. */
  head: Uint8Array
  /** At most the registry's `bodyBytes`; ends with an error when the peer stalls or sends more. */
  body: AsyncIterable<Uint8Array>
  signal: AbortSignal
}

export interface Answer {
  head: Uint8Array
  body?: AsyncIterable<Uint8Array>
  /** The pieces of `body` are given away: nobody here looks at them again. */
  given?: boolean
}

/** Throws catalogue errors; the caller sees their code, text and data, never a stack. */
export type Handler = (call: Call) => Promise<Answer>

export interface RequestOptions extends CallOptions {
  body?: AsyncIterable<Uint8Array>
  /** Time to the answer's head; the body then only must not stall. Default `limits.requestTimeoutMs`. */
  timeoutMs?: number
}

export interface Reply {
  head: Uint8Array
  /** Must be read to its end or `return()`ed. */
  body: AsyncIterable<Uint8Array>
}

/** How a connected peer is reached. */
export type Path = 'direct' | 'relayed' | 'lane'

export interface Connection {
  peer: PeerId
  /** Multiaddr of the other end. */
  address: string
  path: Path
  inbound: boolean
  latencyMs: number | undefined
  connectedAt: number
  sentBytes: number
  receivedBytes: number
}

export interface Discovered {
  mdns: { peer: PeerId; addresses: string[]; lastSeen: number }[]
  bootstrap: {
    address: string
    state: 'connected' | 'waiting' | 'dialling'
    attempts: number
    nextAttempt: number | undefined
    error: string | undefined
  }[]
}

export type NetworkEvent =
  | { type: 'connect'; peer: PeerId }
  /** With what the connection carried, where the network counts it. */
  | {
      type: 'disconnect'
      peer: PeerId
      sentBytes?: number | undefined
      receivedBytes?: number | undefined
    }
  /** mDNS saw a peer; only members are dialled by themselves, strangers only to redeem an invite. */
  | { type: 'discover'; peer: PeerId; addresses: string[] }

/** Where a peer that takes any port keeps the one it had. */
export interface KeptPort {
  read(): Promise<number | undefined>
  write(port: number): Promise<void>
}

export interface Network {
  readonly peer: PeerId
  start(): Promise<void>
  stop(): Promise<void>
  /** Multiaddrs ending in `/p2p/ID` that others may dial, loopback included. */
  addresses(): string[]
  /** Answers one request name; called once for each before `start`. */
  serve(name: RequestName, handler: Handler): void
  /**
   * Sends a request to a peer, dialling it when needed. Fails with `PEER_UNREACHABLE`, `TIMED_OUT`,
   * `PEER_REFUSED`, `PEER_MISBEHAVED`, or the catalogue error the peer answered.
   */
  request(peer: PeerId, name: RequestName, head: Uint8Array, options?: RequestOptions): Promise<Reply>
  /** Dials a multiaddr or `host[:port]` (default peer port) and resolves to who answered. */
  dial(address: string, options?: CallOptions): Promise<PeerId>
  /** Remembers where a peer may be dialled (from invites and members' records). */
  learn(peer: PeerId, addresses: readonly string[]): void
  /** Peers to keep connected: dialled at start, again with backoff when lost. */
  keepConnected(peers: readonly PeerId[]): void
  connections(): Connection[]
  isConnected(peer: PeerId): boolean
  /** Closes everything to a peer at once, lanes included (after a revocation). */
  disconnect(peer: PeerId): Promise<void>
  discovered(): Discovered
  on(listener: (event: NetworkEvent) => void): () => void
}
