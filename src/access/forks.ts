/** Devices whose chain has two ends: forgers, and restored or copied disks. */
import type { RecordHash } from '../base/words.ts'
import type { RecordHead } from '../codec/record.ts'

/**
 * What the forks that `added` records made are: two records with one (device, incarnation, seq) are
 * equivocation; two incarnations that continue one record are a clone.
 */
export function forksIn(
  chain: readonly { hash: RecordHash; head: RecordHead }[],
  added: readonly { record: { hash: RecordHash } }[],
): Set<'equivocation' | 'cloned'> {
  const fresh = new Set(added.map(({ record }) => record.hash))
  const found = new Set<'equivocation' | 'cloned'>()
  const siblings = Map.groupBy(chain, ({ head }) => head.previous ?? '')
  for (const records of siblings.values()) {
    if (records.length < 2 || !records.some(({ hash }) => fresh.has(hash))) continue
    const numbers = new Set(records.map(({ head }) => `${head.incarnation} ${head.seq}`))
    if (numbers.size < records.length) found.add('equivocation')
    if (numbers.size > 1) found.add('cloned')
  }
  return found
}
