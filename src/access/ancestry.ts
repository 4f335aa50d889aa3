/** Which records of a device a record links back to, answered from the chains in the index. */
import type { DeviceId, RecordHash } from '../base/words.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { Placed } from './authority.ts'

/**
 * In a chain that never forked, places decide. Only a forked one (a restored or forging device, or one
 * with a hole where records rotted) is walked, once for each head.
 */
export class Ancestry {
  readonly #read: Pick<IndexReader, 'record' | 'heads'>
  readonly #walked = new Map<RecordHash, ReadonlySet<RecordHash>>()
  readonly #moved = new Set<DeviceId>()

  constructor(read: Pick<IndexReader, 'record' | 'heads'>) {
    this.#read = read
  }

  /** A hole in a device's chain was filled: what lies behind has other places than were told before. */
  moved(device: DeviceId): void {
    this.#moved.add(device)
    this.#walked.clear()
  }

  /** Where a record stands now. */
  positionOf({ hash, author, position }: Placed): number {
    return this.#moved.has(author) ? (this.#read.record(hash)?.position ?? position) : position
  }

  /** Whether `record` is one of `heads` or linked back to by one of them. */
  reaches(heads: readonly RecordHash[], record: Placed): boolean {
    return heads.some((head) => {
      const named = this.#read.record(head)
      if (named === undefined || named.head.device !== record.author) return false
      if (this.#read.heads(record.author).length === 1) return this.positionOf(record) <= named.position
      return this.#ancestors(head).has(record.hash)
    })
  }

  #ancestors(head: RecordHash): ReadonlySet<RecordHash> {
    const known = this.#walked.get(head) ?? this.#walk(head)
    this.#walked.set(head, known)
    return known
  }

  #walk(head: RecordHash): Set<RecordHash> {
    const reached = new Set<RecordHash>()
    for (let at: RecordHash | undefined = head; at !== undefined; at = this.#read.record(at)?.head.previous)
      reached.add(at)
    return reached
  }
}
