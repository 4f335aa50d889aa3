/**
 * Chunks that a peer should have and did not give. It may have given them up in order a moment ago, with the news
 * on the way: only when all its news are here and do not say so is it to be distrusted.
 */
import type { Clock } from '../base/clock.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import type { Health } from './health.ts'

const newsMs = 10_000

export interface MissedParts {
  clock: Clock
  health: Health
  /** Asks a peer what it has and gave up; whether the answer has come. */
  askNews: (peer: PeerId) => void
  hasNews: (peer: PeerId) => boolean
}

export class Missed {
  readonly #parts: MissedParts
  readonly #chunks = new Map<PeerId, { ids: Set<ChunkId>; cancel: () => void }>()

  constructor(parts: MissedParts) {
    this.#parts = parts
  }

  add(peer: PeerId, id: ChunkId): void {
    const { clock, health, askNews } = this.#parts
    health.noRoom(peer)
    const open = this.#chunks.get(peer)
    if (open !== undefined) return void open.ids.add(id)
    askNews(peer)
    const cancel = clock.after(newsMs, () => this.#judge(peer))
    this.#chunks.set(peer, { ids: new Set([id]), cancel })
  }

  /** A peer told that it has chunks no more. */
  givenUp(peer: PeerId, ids: readonly ChunkId[]): void {
    const open = this.#chunks.get(peer)
    if (open !== undefined) for (const id of ids) open.ids.delete(id)
  }

  stop(): void {
    for (const { cancel } of this.#chunks.values()) cancel()
    this.#chunks.clear()
  }

  #judge(peer: PeerId): void {
    const { health, hasNews } = this.#parts
    const { ids } = this.#chunks.get(peer)!
    this.#chunks.delete(peer)
    if (ids.size > 0 && hasNews(peer)) health.distrust(peer)
  }
}
