/** Where peers were said or seen to be: bounded, newest first. Noise proves who answers, not this book. */
import type { Multiaddr } from '@multiformats/multiaddr'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'
import { dialable } from './addresses.ts'

export class AddressBook {
  /** Peers in the order they were last spoken of; the first is forgotten first. */
  readonly #addresses = new Map<PeerId, string[]>()

  /** Whether that was news. */
  learn(peer: PeerId, addresses: readonly string[]): boolean {
    const known = this.#addresses.get(peer) ?? []
    const useful = dialable([...addresses, ...known], peer, limits.peerAddresses)
    const texts = useful.map((address) => address.toString())
    this.#addresses.delete(peer)
    this.#addresses.set(peer, texts)
    this.#forgetOldest()
    return texts.some((text) => !known.includes(text))
  }

  /** What to dial for a peer, with what mDNS `sighted`; loopback last. */
  of(peer: PeerId, sighted: readonly string[]): Multiaddr[] {
    return dialable([...sighted, ...(this.#addresses.get(peer) ?? [])], peer, limits.peerAddresses)
  }

  #forgetOldest(): void {
    for (const oldest of this.#addresses.keys()) {
      if (this.#addresses.size <= limits.peers) return
      this.#addresses.delete(oldest)
    }
  }
}
