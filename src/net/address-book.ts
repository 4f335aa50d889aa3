/** Where peers were said or seen to be: bounded, newest first. Noise proves who answers, not this book. */
import type { Multiaddr } from '@multiformats/multiaddr'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'
import { dialable } from './addresses.ts'

export class AddressBook {
  /** Peers in the order they were last spoken of; the first is forgotten first. */
  readonly #addresses = new Map<PeerId, string[]>()

  learn(peer: PeerId, addresses: readonly string[]): void {
    const known = this.#addresses.get(peer) ?? []
    const all = dialable([...addresses, ...known], peer, limits.peerAddresses)
    this.#addresses.delete(peer)
    this.#addresses.set(
      peer,
      all.map((address) => address.toString()),
    )
    for (const oldest of this.#addresses.keys()) {
      if (this.#addresses.size <= limits.peers) return
      this.#addresses.delete(oldest)
    }
  }

  /** What to dial for a peer, loopback last. */
  of(peer: PeerId): Multiaddr[] {
    return dialable(this.#addresses.get(peer) ?? [], peer, limits.peerAddresses)
  }
}
