/** Verification of what a disk keeps: `verify.ts` does it for segments; a worker of the pool goes round with it. */
import type { ChunkId, RecordHash } from '../base/words.ts'

export interface SegmentLine {
  number: number
  bytes: number
  /** When it was last read whole, wall milliseconds; undefined: not yet. */
  verified: number | undefined
}

/** What one look found. */
export interface Verified {
  /** Entries that were read and compared. */
  checked: number
  bytes: number
  /** Chunks with wrong bytes: in quarantine now. */
  chunks: ChunkId[]
  /** Batches that rotted, by the hash of their last record: as if they were without bodies now. */
  batches: RecordHash[]
  /** Other damage, which was made good from the index. */
  madeGood: number
  /** Where to go on in the segment; undefined at its end. */
  next: number | undefined
}

export interface Verifier {
  segments(): SegmentLine[]
  /** Reads the next megabytes of a segment from `from` on (0: its begin). */
  segment(segment: number, from: number, signal: AbortSignal): Promise<Verified>
  /** Reads some chunks; those in quarantine that are right after all count again. */
  chunks(ids: readonly ChunkId[]): Promise<Verified>
  /** Chunks whose bytes here are wrong and that no good copy has replaced yet. */
  quarantined(): ChunkId[]
  /** When all of these that are here were last verified, the earliest of them, wall milliseconds. */
  verifiedAt(ids: readonly ChunkId[]): number | undefined
}

const nothing: Verified = { checked: 0, bytes: 0, chunks: [], batches: [], madeGood: 0, next: undefined }

/** Of a store that has no segments of its own. */
export const noVerifier: Verifier = {
  segments: () => [],
  segment: () => Promise.resolve(nothing),
  chunks: () => Promise.resolve(nothing),
  quarantined: () => [],
  verifiedAt: () => undefined,
}
