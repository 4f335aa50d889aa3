/** An HTTP agent whose sockets lead to peers: kept open between requests, closed before the peer does. */
import { Agent, type ClientRequest, type ClientRequestArgs } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'

type Created = (error: Error | null, socket: Duplex) => void

export class PeerAgent extends Agent {
  readonly #clock: Clock
  readonly #connect: (peer: PeerId) => Promise<Duplex>
  readonly #cancelIdle = new WeakMap<Duplex, () => void>()

  /** At most `sockets` to one peer; further requests wait for one. */
  constructor(
    clock: Clock,
    connect: (peer: PeerId) => Promise<Duplex>,
    sockets: number = limits.requestsPerPeer,
  ) {
    super({ keepAlive: true, maxSockets: sockets, maxFreeSockets: sockets })
    this.#clock = clock
    this.#connect = connect
  }

  override createConnection(options: ClientRequestArgs, created?: Created): undefined {
    this.#connect(options.host as PeerId).then(
      (socket) => created?.(null, socket),
      (error: Error) => created?.(error, undefined as never),
    )
  }

  override keepSocketAlive(socket: Duplex): boolean {
    this.#cancelIdle.set(
      socket,
      this.#clock.after(limits.requestKeepMs, () => socket.destroy()),
    )
    return true
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#cancelIdle.get(socket)?.()
    super.reuseSocket(socket, request)
  }
}
