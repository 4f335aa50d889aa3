/** What people were told is done, so that it can be asked for ever after. */
import type { ChunkId, RecordHash } from '../../src/base/words.ts'
import type { SimPeer } from './sim-peer.ts'

export interface Acknowledged {
  version: RecordHash
  path: string
  peer: SimPeer
  /** Number of its content; undefined: a folder or a tombstone. */
  content: number | undefined
  removed: boolean
  /** Versions that its writer saw at that entry and replaced. */
  replaced: readonly RecordHash[]
  chunks: readonly ChunkId[]
  /** When the operation began, virtual milliseconds. */
  begun: number
}

export class Ledger {
  readonly acknowledged = new Map<RecordHash, Acknowledged>()
  /** Versions that fell with a revocation because nobody else had them yet. */
  readonly fallen = new Set<RecordHash>()
  /** Versions whose bytes only a revoked device has. */
  readonly bytesFallen = new Set<RecordHash>()

  /** `source`: the version whose bytes it takes over. */
  add(one: Acknowledged, source?: RecordHash): void {
    this.acknowledged.set(one.version, one)
    if (source !== undefined && (this.fallen.has(source) || this.bytesFallen.has(source)))
      this.bytesFallen.add(one.version)
  }

  /** Versions that every member must show. */
  standing(): Acknowledged[] {
    return [...this.acknowledged.values()].filter(({ version }) => !this.fallen.has(version))
  }

  /** Files whose bytes must be there. */
  readable(): Acknowledged[] {
    return this.standing().filter(
      ({ content, version }) => content !== undefined && !this.bytesFallen.has(version),
    )
  }

  /** What counts no more because `target` is cut off by `author`, as far as the two know now. */
  revoke(target: SimPeer, author: SimPeer, others: readonly SimPeer[]): void {
    const { read } = author.core!.store
    for (const one of this.standing()) {
      if (one.peer === target && !read.hasRecord(one.version)) this.fallen.add(one.version)
      else if (one.chunks.some((id) => !others.some((peer) => holds(peer, id))))
        this.bytesFallen.add(one.version)
    }
  }
}

/** Whether a chunk lies on a peer's disk for certain, also while its program is not running. */
export function holds(peer: SimPeer, id: ChunkId): boolean {
  return peer.core?.store.read.hasChunk(id) === true && !peer.dropping.has(id)
}
