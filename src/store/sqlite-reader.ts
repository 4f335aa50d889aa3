/** The read side of the index database: chunks, records, the feed and holdings. */
import {
  idBytes,
  type ChunkId,
  type DatabaseId,
  type DeviceId,
  type EntryId,
  type EpochId,
  type FolderId,
  type Incarnation,
  type PeerId,
  type RecordHash,
} from '../base/words.ts'
import type { ChunkRef } from '../codec/codec.ts'
import { recordKinds, type RecordHead, type RecordKind } from '../codec/record.ts'
import type { Pin } from './chunk-store.ts'
import type { IndexReader, LooseChunk, SizedVersion } from './index-reader.ts'
import type { Location } from './segment-format.ts'
import { changeKinds } from './sqlite-index.ts'
import { blob, idIn, num, splitIds, text, type Row } from './sqlite.ts'
import { SqliteShardReader } from './sqlite-shard-reader.ts'
import type { IndexedRecord } from './store.ts'
import { priorityTag } from './view.ts'

/** Holdings of a peer that are looked at for one that is here too. */
const sharedLook = 512

const recordSelect = `
SELECT r.*, b.last AS batch_last, f.id AS folder_id, d.id AS device_id FROM records r
JOIN batches b ON b.n = r.batch JOIN devices d ON d.n = r.device LEFT JOIN folders f ON f.n = r.folder`

const pinsSql = `
SELECT f.id AS folder_id, d.id AS device_id FROM pins p JOIN chunks c ON c.n = p.chunk
JOIN folders f ON f.n = p.folder JOIN devices d ON d.n = p.device WHERE c.id = ?`

/** Loose chunks here since a time or before, whose pins have all fallen at another. */
const looseSql = `
FROM loose l JOIN chunks c ON c.n = l.chunk WHERE c.segment IS NOT NULL AND l.since <= ?
AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.chunk = l.chunk AND (p.falls IS NULL OR p.falls > ?))`

/** Of chunks `c`: those that a version needs, itself or the shards of its chunks, unless it was replaced and its time is over. */
const neededSql = (
  folder: string,
): string => `(EXISTS (SELECT 1 FROM contents t JOIN versions v ON v.n = t.version
    WHERE t.chunk = c.n AND ${folder} AND NOT (v.replaced = 1 AND v.gone <> 0))
  OR EXISTS (SELECT 1 FROM shards s JOIN codings g ON g.n = s.coding JOIN contents t ON t.chunk = g.chunk
    JOIN versions v ON v.n = t.version
    WHERE s.chunk = c.n AND ${folder} AND NOT (v.replaced = 1 AND v.gone <> 0)))`

/** Of chunks `c`: those that a version which shows, and asks for the most copies, names. */
const ofPriority = `AND EXISTS (SELECT 1 FROM contents t JOIN versions v ON v.n = t.version
  WHERE t.chunk = c.n AND v.replaced = 0 AND instr(v.tags, '"${priorityTag}"') > 0)`

export class SqliteReader extends SqliteShardReader implements IndexReader {
  // Chunks

  hasChunk(id: ChunkId): boolean {
    return this.place(id) !== undefined
  }

  lengthOf(id: ChunkId): number | undefined {
    return this.place(id)?.length
  }

  /** Where a chunk lies on this disk. */
  place(id: ChunkId): Location | undefined {
    const sql = 'SELECT segment, offset, length FROM chunks WHERE id = ? AND segment IS NOT NULL'
    return locationOf(this.sql.get(sql, idBytes(id)))
  }

  pins(id: ChunkId): Pin[] {
    return this.#pins(`${pinsSql} ORDER BY p.folder, p.device`, id)
  }

  standingPins(id: ChunkId): Pin[] {
    return this.#pins(`${pinsSql} AND p.falls IS NULL ORDER BY p.folder, p.device`, id)
  }

  #pins(sql: string, id: ChunkId): Pin[] {
    return this.sql
      .all(sql, idBytes(id))
      .map((row) => ({ folder: idIn<FolderId>(row['folder_id']), device: idIn<DeviceId>(row['device_id']) }))
  }

  leftovers(ids: readonly ChunkId[], device: DeviceId, folders: readonly FolderId[]): ChunkId[] {
    const sql = `SELECT 1 FROM chunks c WHERE c.id = ? AND c.segment IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM contents t WHERE t.chunk = c.n)
      AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.chunk = c.n)
      AND EXISTS (SELECT 1 FROM pins p WHERE p.chunk = c.n)
      AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.chunk = c.n
        AND (p.device <> ? OR p.folder NOT IN (SELECT value FROM json_each(?))))`
    const n = this.numbers.device(device) ?? -1
    const among = JSON.stringify(folders.map((folder) => this.numbers.folder(folder) ?? -1))
    return ids.filter((id) => this.sql.get(sql, idBytes(id), n, among) !== undefined)
  }

  givenBack(ids: readonly ChunkId[]): ChunkId[] {
    const sql = `SELECT 1 FROM chunks c WHERE c.id = ? AND c.segment IS NULL
      AND EXISTS (SELECT 1 FROM changes x WHERE x.ref = c.n AND x.kind = 2)
      AND NOT EXISTS (SELECT 1 FROM contents t WHERE t.chunk = c.n)
      AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.chunk = c.n)`
    return ids.filter((id) => this.sql.get(sql, idBytes(id)) !== undefined)
  }

  isListed(device: DeviceId): boolean {
    const n = this.numbers.device(device) ?? -1
    // By the few rows that are left to do: by the device it would go through all that this one wrote.
    const unlisted = `SELECT 1 FROM versions v INDEXED BY versions_unlisted CROSS JOIN records r ON r.n = v.n
      WHERE v.listed = 0 AND r.device = ?`
    const unopened =
      'SELECT 1 FROM records INDEXED BY records_unopened WHERE kind = 11 AND opened = 0 AND device = ?'
    const resealed =
      'SELECT 1 FROM records INDEXED BY records_unopened_reseals WHERE kind = 16 AND opened = 0 AND device = ?'
    return [unlisted, unopened, resealed].every((sql) => this.sql.get(`${sql} LIMIT 1`, n) === undefined)
  }

  looseChunks(): { chunks: number; bytes: number } {
    const sql = `SELECT count(*) chunks, coalesce(sum(c.length), 0) bytes FROM loose l JOIN chunks c ON c.n = l.chunk
      WHERE c.segment IS NOT NULL`
    const row = this.sql.get(sql)!
    return { chunks: num(row['chunks']), bytes: num(row['bytes']) }
  }

  looseSince(since: number, now: number, after: number, limit: number): LooseChunk[] {
    const sql = `SELECT l.chunk, c.id, c.length, l.since, l.released ${looseSql} AND l.chunk > ? ORDER BY l.chunk LIMIT ?`
    return this.sql.all(sql, since, now, after, limit).map((row) => ({
      n: num(row['chunk']),
      id: idIn<ChunkId>(row['id']),
      bytes: num(row['length']),
      since: num(row['since']),
      released: row['released'] === 1,
    }))
  }

  isLooseSince(id: ChunkId, since: number, now: number): boolean {
    return this.sql.get(`SELECT 1 ${looseSql} AND c.id = ?`, since, now, idBytes(id)) !== undefined
  }

  unpinned(after: ChunkId | undefined, until: ChunkId, limit: number): ChunkId[] {
    const sql = `SELECT c.id FROM chunks c WHERE c.id > ? AND c.id <= ? AND c.segment IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.chunk = c.n AND p.falls IS NULL)
      AND NOT EXISTS (SELECT 1 FROM loose l WHERE l.chunk = c.n) ORDER BY c.id LIMIT ?`
    return this.sql.all(sql, bytesAfter(after), idBytes(until), limit).map((row) => idIn<ChunkId>(row['id']))
  }

  pinnedFor(folder: FolderId, after: ChunkId | undefined, until: ChunkId, limit: number): ChunkId[] {
    const sql = `SELECT c.id FROM chunks c WHERE c.id > ? AND c.id <= ? AND c.segment IS NOT NULL
      AND EXISTS (SELECT 1 FROM pins p WHERE p.chunk = c.n AND p.folder = ? AND p.falls IS NULL) ORDER BY c.id LIMIT ?`
    return this.sql
      .all(sql, bytesAfter(after), idBytes(until), this.numbers.folder(folder) ?? -1, limit)
      .map((row) => idIn<ChunkId>(row['id']))
  }

  neededOf(
    peer: PeerId,
    folder: FolderId,
    after: ChunkId | undefined,
    until: ChunkId,
    limit: number,
  ): ChunkId[] {
    const sql = `SELECT c.id FROM chunks c WHERE c.id > ?1 AND c.id <= ?2 AND ${neededSql('v.folder = ?3')}
      AND EXISTS (SELECT 1 FROM holdings h WHERE h.chunk = c.n AND h.peer = ?4) ORDER BY c.id LIMIT ?5`
    const folderNumber = this.numbers.folder(folder) ?? -1
    const peerNumber = this.numbers.peer(peer) ?? -1
    return this.sql
      .all(sql, bytesAfter(after), idBytes(until), folderNumber, peerNumber, limit)
      .map((row) => idIn<ChunkId>(row['id']))
  }

  needed(folder: FolderId, ids: readonly ChunkId[]): ChunkId[] {
    const sql = `SELECT 1 FROM chunks c WHERE c.id = ?1 AND ${neededSql('v.folder = ?2')}`
    const folderNumber = this.numbers.folder(folder) ?? -1
    return ids.filter((id) => this.sql.get(sql, idBytes(id), folderNumber) !== undefined)
  }

  isNeeded(id: ChunkId): boolean {
    const sql = `SELECT 1 FROM chunks c WHERE c.id = ? AND ${neededSql('v.n IS NOT NULL')}`
    return this.sql.get(sql, idBytes(id)) !== undefined
  }

  compared(folder: FolderId, peer: PeerId): { database: DatabaseId; change: number; at: number } | undefined {
    const sql = 'SELECT database, change, at FROM compared WHERE folder = ? AND peer = ?'
    const row = this.sql.get(sql, this.numbers.folder(folder) ?? -1, this.numbers.peer(peer) ?? -1)
    if (row === undefined) return undefined
    return { database: idIn<DatabaseId>(row['database']), change: num(row['change']), at: num(row['at']) }
  }

  isWhole(folder: FolderId): boolean {
    const n = this.numbers.folder(folder) ?? -1
    const unlisted =
      'SELECT 1 FROM versions WHERE listed = 0 AND folder = ? AND NOT (replaced = 1 AND gone <> 0)'
    const unopened = 'SELECT 1 FROM records WHERE kind = 11 AND opened = 0 AND folder = ?'
    // What versions became when they were sealed anew: their new chunks are not known before these are open.
    const resealed = 'SELECT 1 FROM records WHERE kind = 16 AND opened = 0 AND folder = ?'
    return [unlisted, unopened, resealed].every((sql) => this.sql.get(`${sql} LIMIT 1`, n) === undefined)
  }

  reconciled(since = 0): FolderId[] {
    return this.sql
      .all('SELECT f.id FROM reconciled r JOIN folders f ON f.n = r.folder WHERE r.at >= ?', since)
      .map((row) => idIn<FolderId>(row['id']))
  }

  known(folder: FolderId, p: Uint8Array): ChunkRef | undefined {
    const n = this.numbers.folder(folder)
    if (n === undefined) return undefined
    const sql =
      'SELECT c.id, k.ck, k.length FROM known k JOIN chunks c ON c.n = k.chunk WHERE k.folder = ? AND k.p = ?'
    const row = this.sql.get(sql, n, p)
    if (row === undefined) return undefined
    return { id: idIn<ChunkId>(row['id']), ck: blob(row['ck']), length: num(row['length']), level: 0 }
  }

  /** Ids of chunks on this disk from `from` to `to`, both included, ascending. */
  idsBetween(from: ChunkId, to: ChunkId, limit: number): ChunkId[] {
    const sql = 'SELECT id FROM chunks WHERE id >= ? AND id <= ? AND segment IS NOT NULL ORDER BY id LIMIT ?'
    return this.sql.all(sql, idBytes(from), idBytes(to), limit).map((row) => idIn<ChunkId>(row['id']))
  }

  // Records

  hasRecord(hash: RecordHash): boolean {
    return this.sql.get('SELECT 1 FROM records WHERE hash = ?', idBytes(hash)) !== undefined
  }

  record(hash: RecordHash): IndexedRecord | undefined {
    const row = this.sql.get(`${recordSelect} WHERE r.hash = ?`, idBytes(hash))
    return row === undefined ? undefined : recordOf(row)
  }

  isFollowed(hash: RecordHash): boolean {
    return this.sql.get('SELECT 1 FROM records WHERE previous = ? LIMIT 1', idBytes(hash)) !== undefined
  }

  recordsOf(kinds: readonly RecordKind[]): IndexedRecord[] {
    const numbers = JSON.stringify(kinds.map((kind) => recordKinds[kind]))
    const where = 'WHERE r.kind IN (SELECT value FROM json_each(?)) ORDER BY r.n'
    return this.sql.all(`${recordSelect} ${where}`, numbers).map(recordOf)
  }

  heads(device: DeviceId): IndexedRecord[] {
    const where = 'WHERE r.n IN (SELECT record FROM heads WHERE device = ?) ORDER BY r.n'
    return this.sql.all(`${recordSelect} ${where}`, this.numbers.device(device) ?? -1).map(recordOf)
  }

  countHeads(device: DeviceId): number {
    const sql = 'SELECT count(*) count FROM heads WHERE device = ?'
    return num(this.sql.get(sql, this.numbers.device(device) ?? -1)!['count'])
  }

  devices(): DeviceId[] {
    const sql =
      'SELECT id FROM devices d WHERE EXISTS (SELECT 1 FROM records r WHERE r.device = d.n) ORDER BY n'
    return this.sql.all(sql).map((row) => idIn<DeviceId>(row['id']))
  }

  recordsOfDevice(device: DeviceId): IndexedRecord[] {
    const where = 'WHERE r.device = ? ORDER BY r.position, r.n'
    return this.sql.all(`${recordSelect} ${where}`, this.numbers.device(device) ?? -1).map(recordOf)
  }

  beginnings(device: DeviceId, incarnation: Incarnation): number {
    const sql = 'SELECT count(*) count FROM records WHERE seq = 0 AND incarnation = ? AND device = ?'
    return num(this.sql.get(sql, idBytes(incarnation), this.numbers.device(device) ?? -1)!['count'])
  }

  twiceBegun(): DeviceId[] {
    const sql = `SELECT DISTINCT d.id FROM (SELECT device FROM records WHERE seq = 0
      GROUP BY incarnation, device HAVING count(*) > 1) r JOIN devices d ON d.n = r.device`
    return this.sql.all(sql).map((row) => idIn<DeviceId>(row['id']))
  }

  unopened(folder: FolderId | undefined, limit: number): IndexedRecord[] {
    const inFolder = folder === undefined ? '' : `AND folder = ${this.numbers.folder(folder) ?? -1}`
    // Each kind has an index of its own.
    const [versions, reseals] = [11, 16].map(
      (kind) =>
        `SELECT n FROM (SELECT n FROM records WHERE kind = ${kind} AND opened = 0 ${inFolder} ORDER BY n LIMIT ?1)`,
    )
    const where = `WHERE r.n IN (${versions} UNION ALL ${reseals}) ORDER BY r.n LIMIT ?1`
    return this.sql.all(`${recordSelect} ${where}`, limit).map(recordOf)
  }

  // Batches

  hasBatch(last: RecordHash): boolean {
    return this.sql.get('SELECT 1 FROM batches WHERE last = ?', idBytes(last)) !== undefined
  }

  isPartialBatch(last: RecordHash): boolean {
    return this.sql.get('SELECT 1 FROM batches WHERE last = ? AND whole = 0', idBytes(last)) !== undefined
  }

  hasPartialBatches(): boolean {
    return this.sql.get('SELECT 1 FROM batches WHERE whole = 0 LIMIT 1') !== undefined
  }

  /** Where the batch with this last record lies. */
  batchPlace(last: RecordHash): Location | undefined {
    return locationOf(
      this.sql.get('SELECT segment, offset, length FROM batches WHERE last = ?', idBytes(last)),
    )
  }

  /** Hash of the last record of the batch that holds a record. */
  batchHolding(record: RecordHash): RecordHash | undefined {
    const sql = 'SELECT b.last FROM records r JOIN batches b ON b.n = r.batch WHERE r.hash = ?'
    const row = this.sql.get(sql, idBytes(record))
    return row === undefined ? undefined : idIn<RecordHash>(row['last'])
  }

  // The feed

  lastChange(): number {
    return num(this.sql.get("SELECT value FROM meta WHERE key = 'change'")?.['value'] ?? 0)
  }

  changes(
    since: number,
    limit: number,
  ): { batches: RecordHash[]; held: ChunkId[]; dropped: ChunkId[]; upTo: number } {
    const last = this.lastChange()
    const rows = this.sql.all(
      `SELECT x.number, x.kind, b.last, c.id FROM changes x LEFT JOIN batches b ON x.kind = 0 AND b.n = x.ref
       LEFT JOIN chunks c ON x.kind > 0 AND c.n = x.ref WHERE x.number > ? ORDER BY x.number LIMIT ?`,
      since,
      limit,
    )
    const batches = rows
      .filter((row) => row['kind'] === changeKinds.batch)
      .map((row) => idIn<RecordHash>(row['last']))
    // A chunk that was held, then dropped, or the reverse, is told as it is at the end.
    const chunks = new Map<ChunkId, number>()
    for (const row of rows)
      if (row['kind'] !== changeKinds.batch) chunks.set(idIn<ChunkId>(row['id']), num(row['kind']))
    const of = (kind: number): ChunkId[] => [...chunks].filter(([, last]) => last === kind).map(([id]) => id)
    const upTo = rows.length < limit ? last : num(rows.at(-1)!['number'])
    return { batches, held: of(changeKinds.held), dropped: of(changeKinds.dropped), upTo }
  }

  feedPosition(peer: PeerId): { database: DatabaseId; change: number } | undefined {
    const row = this.sql.get(
      'SELECT database, change FROM feeds WHERE peer = ?',
      this.numbers.peer(peer) ?? -1,
    )
    if (row === undefined) return undefined
    return { database: idIn<DatabaseId>(row['database']), change: num(row['change']) }
  }

  // Holdings and peers

  holders(ids: readonly ChunkId[]): Map<ChunkId, PeerId[]> {
    const sql = `SELECT p.id FROM holdings h JOIN chunks c ON c.n = h.chunk JOIN peers p ON p.n = h.peer
      WHERE c.id = ? ORDER BY h.peer`
    return new Map(
      ids.map((id) => [id, this.sql.all(sql, idBytes(id)).map((row) => text(row['id']) as PeerId)]),
    )
  }

  lacking(
    folder: FolderId,
    want: number,
    peers: readonly PeerId[],
    after: ChunkId | undefined,
    limit: number,
    until?: ChunkId,
    priority = false,
    below = Number.MAX_SAFE_INTEGER,
  ): { id: ChunkId; holders: PeerId[] }[] {
    const { strength, among: numbers } = this.strength('c.n', peers)
    const rows = this.sql.all(
      `SELECT c.id FROM chunks c WHERE c.id > ? AND c.id <= ? AND c.segment IS NOT NULL
         AND EXISTS (SELECT 1 FROM pins p WHERE p.chunk = c.n AND p.folder = ? AND p.falls IS NULL)
         AND c.length < ? AND ${strength} < ? AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.chunk = c.n) ${priority ? ofPriority : ''}
       ORDER BY c.id LIMIT ?`,
      after === undefined ? Buffer.alloc(0) : idBytes(after),
      until === undefined ? Buffer.alloc(32, 0xff) : idBytes(until),
      this.numbers.folder(folder) ?? -1,
      below,
      ...numbers,
      want,
      limit,
    )
    const among = new Set(peers)
    const holders = this.holders(rows.map((row) => idIn<ChunkId>(row['id'])))
    return [...holders].map(([id, all]) => ({ id, holders: all.filter((peer) => among.has(peer)) }))
  }

  sizedVersions(folder: FolderId, after: number, limit: number): { entries: SizedVersion[]; next?: number } {
    const n = this.numbers.folder(folder) ?? -1
    const sql = `SELECT v.n, v.path, v.size, v.kind, v.gone, v.replaced, r.hash record_hash, r.ms, e.removed
      FROM (SELECT * FROM versions WHERE +folder = ? AND n > ? ORDER BY n LIMIT ?) v
      JOIN records r ON r.n = v.n JOIN entries e ON e.folder = v.folder AND e.entry = v.entry`
    const rows = this.sql.all(sql, n, after, limit)
    const kept = rows.filter(
      (row) =>
        row['kind'] === 'file' &&
        num(row['size']) > 0 &&
        (num(row['gone']) === 0 || num(row['replaced']) === 0),
    )
    const last = rows.length < limit ? undefined : num(rows.at(-1)!['n'])
    return { entries: kept.map(sizedVersion), ...(last === undefined ? {} : { next: last }) }
  }

  priorities(folder: FolderId): number {
    const sql = `SELECT count(*) count FROM versions WHERE folder = ? AND instr(tags, '"${priorityTag}"') > 0 AND replaced = 0 AND listed = 1`
    return num(this.sql.get(sql, this.numbers.folder(folder) ?? -1)!['count'])
  }

  prioritised(ids: readonly ChunkId[]): Set<ChunkId> {
    const sql = `SELECT 1 FROM chunks c WHERE c.id = ? ${ofPriority}`
    return new Set(ids.filter((id) => this.sql.get(sql, idBytes(id)) !== undefined))
  }

  sharedChunk(peer: PeerId, at: number): ChunkId | undefined {
    const n = this.numbers.peer(peer) ?? -1
    // Two questions: together they would read all of the peer's rows.
    const end = (which: string): unknown =>
      this.sql.get(`SELECT ${which}(chunk) n FROM holdings WHERE peer = ?`, n)!['n']
    const [first, last] = [end('min'), end('max')]
    if (typeof first !== 'number' || typeof last !== 'number') return undefined
    const sql = `SELECT c.id FROM (SELECT chunk FROM holdings WHERE peer = ? AND chunk >= ? ORDER BY chunk LIMIT ?) h
      JOIN chunks c ON c.n = h.chunk WHERE c.segment IS NOT NULL ORDER BY c.n LIMIT 1`
    const row = this.sql.get(sql, n, first + Math.floor(at * (last - first + 1)), sharedLook)
    return row === undefined ? undefined : idIn<ChunkId>(row['id'])
  }

  countHeldBy(peer: PeerId): { chunks: number } {
    const row = this.sql.get(
      'SELECT count(*) chunks FROM holdings WHERE peer = ?',
      this.numbers.peer(peer) ?? -1,
    )
    return { chunks: num(row?.['chunks']) }
  }

  statements(): { device: DeviceId; bytes: Uint8Array }[] {
    return this.sql
      .all('SELECT d.id, s.bytes FROM statements s JOIN devices d ON d.n = s.device ORDER BY d.n')
      .map((row) => ({ device: idIn<DeviceId>(row['id']), bytes: blob(row['bytes']) }))
  }

  seen(): { peer: PeerId; at: number; addresses: string[] }[] {
    return this.sql
      .all('SELECT p.id, s.at, s.addresses FROM seen s JOIN peers p ON p.n = s.peer ORDER BY p.n')
      .map((row) => ({
        peer: text(row['id']) as PeerId,
        at: num(row['at']),
        addresses: JSON.parse(text(row['addresses'])) as string[],
      }))
  }

  // This disk

  /** Chunks on this disk. */
  storage(): { used: number; chunks: number } {
    const sql = 'SELECT coalesce(sum(length), 0) used, count(*) chunks FROM chunks WHERE segment IS NOT NULL'
    const row = this.sql.get(sql)!
    return { used: num(row['used']), chunks: num(row['chunks']) }
  }

  chunksIn(segment: number): ChunkId[] {
    return this.sql
      .all('SELECT id FROM chunks WHERE segment = ?', segment)
      .map((row) => idIn<ChunkId>(row['id']))
  }

  chunksBetween(segment: number, from: number, to: number): PlacedChunk[] {
    const sql =
      'SELECT id, segment, offset, length FROM chunks WHERE segment = ? AND offset >= ? AND offset < ? ORDER BY offset'
    return this.sql.all(sql, segment, from, to).map(placedChunk)
  }

  placesOf(ids: readonly ChunkId[]): PlacedChunk[] {
    return ids.flatMap((id) => {
      const location = this.place(id)
      return location === undefined ? [] : [{ id, location }]
    })
  }

  batchesBetween(segment: number, from: number, to: number): { last: RecordHash; offset: number }[] {
    const sql = 'SELECT last, offset FROM batches WHERE segment = ? AND offset >= ? AND offset < ?'
    return this.sql
      .all(sql, segment, from, to)
      .map((row) => ({ last: idIn<RecordHash>(row['last']), offset: num(row['offset']) }))
  }

  /** Chunks whose bytes here are wrong, and where they lie. */
  quarantined(): PlacedChunk[] {
    const sql =
      'SELECT c.id, q.segment, q.offset, q.length FROM quarantine q JOIN chunks c ON c.n = q.chunk ORDER BY q.segment, q.offset'
    return this.sql.all(sql).map(placedChunk)
  }

  hasQuarantined(segment: number): boolean {
    return this.sql.get('SELECT 1 FROM quarantine WHERE segment = ?', segment) !== undefined
  }

  isScar(segment: number, offset: number): boolean {
    return this.sql.get('SELECT 1 FROM scars WHERE segment = ? AND offset = ?', segment, offset) !== undefined
  }

  verifiedAt(ids: readonly ChunkId[]): number | undefined {
    const sql = `SELECT CASE WHEN c.offset < s.verified_to THEN s.verified ELSE 0 END at FROM chunks c
      LEFT JOIN segments s ON s.number = c.segment WHERE c.id = ? AND c.segment IS NOT NULL`
    const times = ids.flatMap((id) => {
      const row = this.sql.get(sql, idBytes(id))
      return row === undefined ? [] : [num(row['at'] ?? 0)]
    })
    const first = times.length === 0 ? 0 : times.reduce((least, at) => Math.min(least, at))
    return first === 0 ? undefined : first
  }

  segments(): {
    number: number
    bytes: number
    dead: number
    retired: boolean
    verified: number | undefined
  }[] {
    const sql = 'SELECT number, bytes, dead, retired, verified FROM segments ORDER BY number'
    return this.sql.all(sql).map((row) => ({
      number: num(row['number']),
      bytes: num(row['bytes']),
      dead: num(row['dead']),
      retired: row['retired'] === 1,
      verified: row['verified'] === null ? undefined : num(row['verified']),
    }))
  }

  close(): void {
    this.sql.close()
  }
}

/** A chunk and where its bytes lie. */
export interface PlacedChunk {
  id: ChunkId
  location: Location
}

function placedChunk(row: Row): PlacedChunk {
  return { id: idIn<ChunkId>(row['id']), location: locationOf(row)! }
}

function bytesAfter(after: ChunkId | undefined): Buffer {
  return after === undefined ? Buffer.alloc(0) : idBytes(after)
}

function locationOf(row: Row | undefined): Location | undefined {
  if (row === undefined) return undefined
  return { segment: num(row['segment']), offset: num(row['offset']), length: num(row['length']) }
}

function recordOf(row: Row): IndexedRecord {
  const head: RecordHead = {
    kind: num(row['kind']),
    ...(row['folder_id'] === null ? {} : { folder: idIn<FolderId>(row['folder_id']) }),
    ...(row['epoch'] === null ? {} : { epoch: idIn<EpochId>(row['epoch']) }),
    ...(row['entry'] === null ? {} : { entry: idIn<EntryId>(row['entry']) }),
    device: idIn<DeviceId>(row['device_id']),
    incarnation: idIn<Incarnation>(row['incarnation']),
    seq: num(row['seq']),
    ...(row['previous'] === null ? {} : { previous: idIn<RecordHash>(row['previous']) }),
    time: { ms: num(row['ms']), counter: num(row['counter']) },
    ...(row['parents'] === null ? {} : { parents: splitIds<RecordHash>(row['parents']) }),
    ...(row['body_hash'] === null ? {} : { bodyHash: blob(row['body_hash']) }),
  }
  return {
    hash: idIn<RecordHash>(row['hash']),
    head,
    batch: idIn<RecordHash>(row['batch_last']),
    position: num(row['position']),
  }
}

function sizedVersion(row: Row): SizedVersion {
  const old = row['removed'] === 1 ? 'trash' : 'version'
  return {
    version: idIn<RecordHash>(row['record_hash']),
    path: text(row['path']),
    what: num(row['replaced']) === 0 ? 'file' : old,
    size: num(row['size']),
    written: num(row['ms']),
  }
}
