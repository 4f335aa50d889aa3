/** How safe a chunk is, as SQL: one number for copies and shards alike. */
import type { Sqlite } from './sqlite.ts'

export interface Strength {
  strength: string
  /** Values for its places, in order. */
  among: string[]
}

/**
 * How many devices may fail before a chunk (its number's column) is lost, plus one: its whole copies, or those of
 * its shards beyond k that lie on devices of their own, whichever is more. Takes the peers twice.
 */
const shardedStrength = (chunk: string): string => `(SELECT max(strength) FROM (
  SELECT count(*) strength FROM holdings h WHERE h.chunk = ${chunk} AND h.peer IN (SELECT value FROM json_each(?))
  UNION ALL
  SELECT min(count(DISTINCT s.place), count(DISTINCT h.peer)) - g.k + 1 FROM codings g CROSS JOIN shards s ON s.coding = g.n
    CROSS JOIN holdings h ON h.chunk = s.chunk
    WHERE g.chunk = ${chunk} AND g.state = 0 AND h.peer IN (SELECT value FROM json_each(?)) GROUP BY g.n))`

/** The same where there are no shards. Numbers in the text itself: one alone is then looked up, a third less time. */
const copiesOf = (chunk: string, peers: string): string =>
  `(SELECT count(*) FROM holdings h WHERE h.chunk = ${chunk} AND h.peer IN (${peers.slice(1, -1)}))`

/** Of the chunk whose number is in column `chunk`, among peers by a JSON list of their numbers. */
export function strengthAmong(sql: Sqlite, chunk: string, peers: string): Strength {
  const coded = sql.get('SELECT 1 FROM codings LIMIT 1') !== undefined
  if (!coded) return { strength: copiesOf(chunk, peers), among: [] }
  return { strength: shardedStrength(chunk), among: [peers, peers] }
}
