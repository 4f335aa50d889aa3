/** Which records of a device a record links back to, answered from the chains in the index. */
import type { DeviceId, RecordHash } from '../base/words.ts'
import type { IndexReader } from '../store/index-reader.ts'
import type { Reaches } from './verdict.ts'

type Chains = Pick<IndexReader, 'record' | 'heads'>

/**
 * In a chain that never forked, places decide. Only a forked one (a restored or forging device) is
 * walked, once for each head: what a head links back to never changes.
 */
export function ancestryOf(read: Chains): Reaches {
  const walked = new Map<RecordHash, ReadonlySet<RecordHash>>()
  const ancestors = (head: RecordHash): ReadonlySet<RecordHash> => {
    const known = walked.get(head) ?? walk(read, head)
    walked.set(head, known)
    return known
  }
  return (heads, record) =>
    heads.some((head) => {
      const named = read.record(head)
      if (named === undefined || named.head.device !== record.author) return false
      if (!isForked(read, record.author)) return record.position <= named.position
      return ancestors(head).has(record.hash)
    })
}

function isForked(read: Chains, device: DeviceId): boolean {
  return read.heads(device).length > 1
}

function walk(read: Chains, head: RecordHash): Set<RecordHash> {
  const reached = new Set<RecordHash>()
  for (let at: RecordHash | undefined = head; at !== undefined; at = read.record(at)?.head.previous)
    reached.add(at)
  return reached
}
