/**
 * One network of a home, used by its pools one after the other: libp2p stays up while a peer changes
 * pools, and requests are answered by the pool that is current.
 */
import { fail } from '../base/errors.ts'
import type { Call, Handler, Network } from '../net/network.ts'
import type { RequestName } from '../net/registry.ts'

export class SharedNetwork {
  readonly #network: Network
  /** Names that the real network already hands to us. */
  readonly #served = new Set<RequestName>()
  #current: ReadonlyMap<RequestName, Handler> = new Map()

  constructor(network: Network) {
    this.#network = network
  }

  /** The network as one pool uses it; `enter` makes it the one that answers. */
  forPool(): { network: Network; enter: () => void } {
    const handlers = new Map<RequestName, Handler>()
    const network = viewOf(this.#network, (name, handler) => {
      handlers.set(name, handler)
      this.#dispatch(name)
    })
    return { network, enter: () => (this.#current = handlers) }
  }

  /** Nobody answers until the next pool enters. */
  leave(): void {
    this.#current = new Map()
  }

  #dispatch(name: RequestName): void {
    if (this.#served.has(name)) return
    this.#served.add(name)
    this.#network.serve(name, (call: Call) => {
      const handler = this.#current.get(name)
      if (handler === undefined) throw fail('NOT_HERE', { what: name, reason: 'the peer is changing pools' })
      return handler(call)
    })
  }
}

/** The same network, but for who answers. */
function viewOf(network: Network, serve: Network['serve']): Network {
  return {
    peer: network.peer,
    serve,
    start: () => network.start(),
    stop: () => network.stop(),
    addresses: () => network.addresses(),
    request: (peer, name, head, options) => network.request(peer, name, head, options),
    dial: (address, options) => network.dial(address, options),
    learn: (peer, addresses) => network.learn(peer, addresses),
    keepConnected: (peers) => network.keepConnected(peers),
    connections: () => network.connections(),
    isConnected: (peer) => network.isConnected(peer),
    disconnect: (peer) => network.disconnect(peer),
    discovered: () => network.discovered(),
    on: (listener) => network.on(listener),
  }
}
