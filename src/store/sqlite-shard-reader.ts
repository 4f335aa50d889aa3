/** The read side of chunks as shards: what records say, and how safe a chunk is. */
import { idBytes, type ChunkId, type FolderId, type PeerId } from '../base/words.ts'
import type { ShardScheme } from '../codec/shards.ts'
import type { KnownCoding } from './index-reader.ts'
import { idIn, num, type Row } from './sqlite.ts'
import { SqliteViewReader } from './sqlite-view-reader.ts'

export class SqliteShardReader extends SqliteViewReader {
  codingsOf(chunk: ChunkId): KnownCoding[] {
    const where = 'JOIN chunks c ON c.n = g.chunk WHERE c.id = ? AND g.state = 0 ORDER BY g.n'
    return this.#codings(this.sql.all(`SELECT g.*, c.id FROM codings g ${where}`, idBytes(chunk)))
  }

  codingWith(shard: ChunkId): KnownCoding | undefined {
    const sql = `SELECT g.*, c.id FROM chunks x JOIN shards s ON s.chunk = x.n JOIN codings g ON g.n = s.coding
      JOIN chunks c ON c.n = g.chunk WHERE x.id = ? AND g.state = 0 ORDER BY g.n LIMIT 1`
    return this.#codings(this.sql.all(sql, idBytes(shard)))[0]
  }

  uncoded(
    folder: FolderId,
    { k, m }: ShardScheme,
    leastBytes: number,
    after: ChunkId | undefined,
    limit: number,
  ): ChunkId[] {
    const sql = `SELECT c.id FROM chunks c WHERE c.id > ? AND c.segment IS NOT NULL AND c.length >= ?
        AND EXISTS (SELECT 1 FROM pins p WHERE p.chunk = c.n AND p.folder = ? AND p.falls IS NULL)
        AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.chunk = c.n)
        AND NOT EXISTS (SELECT 1 FROM codings g WHERE g.chunk = c.n AND g.k = ? AND g.m = ? AND g.state = 0)
      ORDER BY c.id LIMIT ?`
    const from = after === undefined ? Buffer.alloc(0) : idBytes(after)
    const n = this.numbers.folder(folder) ?? -1
    return this.sql.all(sql, from, leastBytes, n, k, m, limit).map((row) => idIn<ChunkId>(row['id']))
  }

  codingsToTend(
    folder: FolderId,
    scheme: ShardScheme | undefined,
    peers: readonly PeerId[],
    after: number,
    limit: number,
  ): { codings: KnownCoding[]; next?: number } {
    const page = this.sql.get(
      'SELECT max(n) last, count(*) count FROM (SELECT n FROM codings WHERE folder = ? AND n > ? ORDER BY n LIMIT ?)',
      this.numbers.folder(folder) ?? -1,
      after,
      limit,
    )!
    if (page['last'] === null) return { codings: [] }
    const rows = this.sql.all(
      `SELECT g.*, c.id FROM codings g JOIN chunks c ON c.n = g.chunk
       WHERE g.folder = ? AND g.n > ? AND g.n <= ? AND g.state = 0 AND (g.k <> ? OR g.m <> ? OR c.segment IS NOT NULL
         OR (SELECT count(*) FROM shards s WHERE s.coding = g.n AND EXISTS (SELECT 1 FROM holdings h WHERE h.chunk = s.chunk
           AND h.peer IN (SELECT value FROM json_each(?)))) < g.k + g.m) ORDER BY g.n`,
      this.numbers.folder(folder) ?? -1,
      after,
      num(page['last']),
      scheme?.k ?? 0,
      scheme?.m ?? 0,
      this.peerNumbers(peers),
    )
    const codings = this.#codings(rows)
    return num(page['count']) < limit ? { codings } : { codings, next: num(page['last']) }
  }

  strengths(ids: readonly ChunkId[], peers: readonly PeerId[]): Map<ChunkId, number> {
    const { strength, among } = this.strength('c.n', peers)
    const sql = `SELECT ${strength} strength FROM chunks c WHERE c.id = ?`
    return new Map(
      ids.map((id) => [id, num(this.sql.get(sql, ...among, idBytes(id))?.['strength'] ?? 0)] as const),
    )
  }

  #codings(rows: readonly Row[]): KnownCoding[] {
    const sql = 'SELECT c.id FROM shards s JOIN chunks c ON c.n = s.chunk WHERE s.coding = ? ORDER BY s.place'
    return rows.map((row) => ({
      n: num(row['n']),
      chunk: idIn<ChunkId>(row['id']),
      length: num(row['length']),
      scheme: { k: num(row['k']), m: num(row['m']) },
      shards: this.sql.all(sql, num(row['n'])).map((shard) => idIn<ChunkId>(shard['id'])),
    }))
  }
}
