/**
 * Keeps members and bootstrap addresses connected: dialled at start, and again with growing, jittered
 * pauses when they cannot be reached or are lost. News of a peer (mDNS, a new address) ends its pause.
 */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { PeerId } from '../base/words.ts'
import type { Discovered } from './network.ts'

export interface KeepConnectedOptions {
  clock: Clock
  random: Random
  isConnected: (peer: PeerId) => boolean
  dialPeer: (peer: PeerId, signal: AbortSignal) => Promise<unknown>
  dialAddress: (address: string, signal: AbortSignal) => Promise<PeerId>
}

/** A peer, or an address whose peer is known once it answered. */
interface Target {
  address: string | undefined
  peer: PeerId | undefined
  state: 'connected' | 'waiting' | 'dialling'
  /** Failed attempts since it was last connected. */
  attempts: number
  nextAttempt: number | undefined
  error: string | undefined
  cancel: () => void
}

export class KeepConnected {
  readonly #options: KeepConnectedOptions
  readonly #addresses: Target[]
  #peers = new Map<PeerId, Target>()
  #stopping = new AbortController()
  #running = false

  constructor(options: KeepConnectedOptions, bootstrap: readonly string[]) {
    this.#options = options
    this.#addresses = bootstrap.map((address) => newTarget(address, undefined))
  }

  start(): void {
    this.#running = true
    this.#stopping = new AbortController()
    for (const target of this.#targets()) this.#dial(target)
  }

  stop(): void {
    this.#running = false
    this.#stopping.abort()
    for (const target of this.#targets()) target.cancel()
  }

  /** The members to keep; others are let go, but stay connected while they are. */
  setPeers(peers: readonly PeerId[]): void {
    const before = this.#peers
    const keep = peers.slice(0, limits.peers)
    this.#peers = new Map(keep.map((peer) => [peer, before.get(peer) ?? newTarget(undefined, peer)]))
    for (const [peer, target] of before) if (!this.#peers.has(peer)) target.cancel()
    if (!this.#running) return
    for (const [peer, target] of this.#peers) if (!before.has(peer)) this.#dial(target)
  }

  connected(peer: PeerId): void {
    for (const target of this.#targetsOf(peer)) this.#succeed(target, peer)
  }

  lost(peer: PeerId): void {
    for (const target of this.#targetsOf(peer)) this.#wait(target)
  }

  /** There is news of where a peer is: it is not worth waiting any longer. */
  wake(peer: PeerId): void {
    for (const target of this.#targetsOf(peer)) if (target.state === 'waiting') this.#dial(target)
  }

  bootstrap(): Discovered['bootstrap'] {
    return this.#addresses.map(({ address, state, attempts, nextAttempt, error }) => ({
      address: address ?? '',
      state,
      attempts,
      nextAttempt,
      error,
    }))
  }

  #targets(): Target[] {
    return [...this.#addresses, ...this.#peers.values()]
  }

  #targetsOf(peer: PeerId): Target[] {
    return this.#running ? this.#targets().filter((target) => target.peer === peer) : []
  }

  #dial(target: Target): void {
    target.cancel()
    if (target.peer !== undefined && this.#options.isConnected(target.peer)) {
      this.#succeed(target, target.peer)
      return
    }
    target.state = 'dialling'
    target.nextAttempt = undefined
    void this.#attempt(target)
  }

  async #attempt(target: Target): Promise<void> {
    const { dialAddress, dialPeer } = this.#options
    const { signal } = this.#stopping
    try {
      if (target.address !== undefined) target.peer = await dialAddress(target.address, signal)
      else if (target.peer !== undefined) await dialPeer(target.peer, signal)
      if (target.peer !== undefined) this.#succeed(target, target.peer)
    } catch (error) {
      target.error = error instanceof Error ? error.message : String(error)
      target.attempts += 1
      if (!signal.aborted && this.#targets().includes(target)) this.#wait(target)
    }
  }

  #succeed(target: Target, peer: PeerId): void {
    target.cancel()
    if (!this.#options.isConnected(peer)) {
      this.#wait(target)
      return
    }
    Object.assign(target, { peer, state: 'connected', attempts: 0, nextAttempt: undefined, error: undefined })
  }

  #wait(target: Target): void {
    const { clock, random } = this.#options
    const doubled = limits.reconnectMinMs * 2 ** Math.max(0, target.attempts - 1)
    const pauseMs = Math.min(limits.reconnectMaxMs, doubled) * (0.5 + random.number() / 2)
    target.cancel()
    target.state = 'waiting'
    target.nextAttempt = clock.now() + pauseMs
    target.cancel = clock.after(pauseMs, () => this.#dial(target))
  }
}

function newTarget(address: string | undefined, peer: PeerId | undefined): Target {
  return {
    address,
    peer,
    state: 'waiting',
    attempts: 0,
    nextAttempt: undefined,
    error: undefined,
    cancel: () => undefined,
  }
}
