/**
 * Asks other devices now and then to prove that they still have chunks that are here too: the hash of a chunk
 * under a fresh key can be told only by who reads it. A device that cannot loses those copies in the books, and
 * the trust to get new ones; repair makes others. (Who fetches a chunk from somebody else to answer has not kept
 * it either, but then it can be had.)
 */
import { asPeerStorError } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Health } from './health.ts'
import type { PoolStore } from './pool.ts'
import { proofsOf } from './proofs.ts'
import type { RemoteStore } from './remote-store.ts'
import type { Roster } from './roster.ts'

/** After a start people come first. */
const settleMs = 5 * 60_000
const everyMs = 2 * 60_000
const chunksAtOnce = 8
/** What could not be proven is asked once more after this: a copy may have been given up in order just now. */
const againMs = 10_000
/** Whoever failed is asked so often in a row, until he answers well. */
const closerMs = 5_000

export interface ChallengeParts {
  store: PoolStore
  roster: Roster
  health: Health
  remote: (peer: PeerId) => RemoteStore
  clock: Clock
  random: Random
  log: Log
  /** Asks a peer what it has and gave up; whether the answer has come. */
  askNews: (peer: PeerId) => void
  hasNews: (peer: PeerId) => boolean
  /** A chunk on this disk does not match its id. */
  onDamage: (id: ChunkId) => void
  /** A peer does not have chunks that it says it has; its holdings have forgotten them. */
  onMissing: (peer: PeerId, ids: readonly ChunkId[]) => void
}

export class Challenges {
  readonly #parts: ChallengeParts
  /** Failed once. */
  #doubt: { peer: PeerId; ids: ChunkId[] } | undefined
  /** Who is looked at more closely. */
  #closer: PeerId | undefined
  #nextAt: number
  #asked = 0
  #failed = 0

  constructor(parts: ChallengeParts) {
    this.#parts = parts
    this.#nextAt = parts.clock.monotonicMs() + settleMs
  }

  worker(): Worker {
    return {
      name: 'challenge',
      work: (signal) => this.#work(signal),
      status: () => `${this.#asked} chunks asked of other devices, ${this.#failed} not there`,
      hurry: () => (this.#nextAt = 0),
    }
  }

  async #work(signal: AbortSignal): Promise<WorkResult> {
    const now = this.#parts.clock.monotonicMs()
    if (now < this.#nextAt) return { waitMs: this.#nextAt - now }
    const restMs = await this.#step(signal)
    this.#nextAt = now + restMs
    return { waitMs: restMs }
  }

  async #step(signal: AbortSignal): Promise<number> {
    if (this.#doubt !== undefined) return this.#settleDoubt(this.#doubt, signal)
    const peer = this.#choose()
    if (peer === undefined) return everyMs
    const failed = await this.#ask(peer, this.#someOf(peer), signal)
    if (failed.length === 0) {
      this.#closer = undefined
      return everyMs
    }
    this.#doubt = { peer, ids: failed }
    this.#parts.askNews(peer)
    return againMs
  }

  /** A doubt holds only when the peer has told all its news and still says that it has the chunk. */
  async #settleDoubt({ peer, ids }: { peer: PeerId; ids: ChunkId[] }, signal: AbortSignal): Promise<number> {
    const { store, health, hasNews } = this.#parts
    this.#doubt = undefined
    if (!health.isConnected(peer) || !hasNews(peer)) return everyMs
    const holders = store.read.holders(ids)
    const claimed = ids.filter((id) => holders.get(id)?.includes(peer) === true)
    const failed = await this.#ask(peer, claimed, signal)
    if (failed.length === 0) return everyMs
    await this.#report(peer, failed)
    this.#closer = peer
    return closerMs
  }

  async #report(peer: PeerId, ids: readonly ChunkId[]): Promise<void> {
    const { store, health, log, onMissing } = this.#parts
    this.#failed += ids.length
    log.error('a device does not have chunks that it says it has', {
      peer,
      chunks: ids.length,
      first: ids[0],
    })
    health.missed(peer, ids.length)
    await store.index([{ op: 'dropped', peer, ids }])
    onMissing(peer, ids)
  }

  #choose(): PeerId | undefined {
    const { roster, health, random } = this.#parts
    const able = roster
      .others()
      .filter(({ peer, keeps }) => keeps && health.isConnected(peer))
      .map(({ peer }) => peer)
    if (this.#closer !== undefined && able.includes(this.#closer)) return this.#closer
    return able[Math.floor(random.number() * able.length)]
  }

  #someOf(peer: PeerId): ChunkId[] {
    const { store, random } = this.#parts
    const ids = Array.from({ length: chunksAtOnce }, () => store.read.sharedChunk(peer, random.number()))
    return [...new Set(ids.filter((id) => id !== undefined))]
  }

  /** Those of `ids` that the peer could not prove; none when it did not answer. */
  async #ask(peer: PeerId, ids: readonly ChunkId[], signal: AbortSignal): Promise<ChunkId[]> {
    const { store, onDamage, health, remote, random, log } = this.#parts
    const nonce = random.bytes(32)
    const expected = await proofsOf(store, nonce, ids, { signal, onDamage })
    const asked = [...expected.keys()]
    if (asked.length === 0) return []
    try {
      const proofs = await health.measured(peer, () => remote(peer).challenge(nonce, asked, { signal }))
      this.#asked += asked.length
      return asked.filter((id, index) => !isEqual(proofs[index], expected.get(id)))
    } catch (error) {
      log.debug('a challenge was not answered', { peer, reason: asPeerStorError(error).message })
      return []
    }
  }
}

function isEqual(proof: Uint8Array | undefined, expected: Uint8Array | undefined): boolean {
  return proof !== undefined && expected !== undefined && Buffer.compare(proof, expected) === 0
}
