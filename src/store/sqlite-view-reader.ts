/** The read side of the view: entries, versions, listings, copies. */
import {
  idBytes,
  type ChunkId,
  type EntryId,
  type FolderId,
  type PeerId,
  type RecordHash,
} from '../base/words.ts'
import type { CategoryTotal, Listed, Page, ReplacedVersion, Search } from './index-reader.ts'
import { type SearchBounds, SqliteSearchReader } from './sqlite-search-reader.ts'
import { idIn, num, text, type Sqlite } from './sqlite.ts'
import { Numbers } from './sqlite-numbers.ts'
import { strengthAmong, type Strength } from './sqlite-strength.ts'
import { goneBits } from './sqlite-view.ts'
import {
  entryRow,
  listedEntry,
  listedFolder,
  listedRow,
  mergeByPath,
  shownRow,
  versionRow,
} from './view-rows.ts'
import {
  expiryTag,
  priorityTag,
  type EntryRow,
  type ListedRow,
  type ShownRow,
  type VersionRow,
} from './view.ts'

/** A version with what its record's head says. */
const versionColumns = `v.*, r.hash AS record_hash, r.epoch, r.parents, r.ms, r.counter, f.id AS folder_id, d.id AS device_id`
const versionJoins = `JOIN records r ON r.n = v.n JOIN folders f ON f.n = v.folder JOIN devices d ON d.n = r.device`
const versionSelect = `SELECT ${versionColumns} FROM versions v ${versionJoins}`
const entrySelect = `SELECT ${versionColumns}, e.versions, e.conflicts, e.shadowed, e.n AS entry_n
FROM entries e JOIN versions v ON v.n = e.version ${versionJoins}`

/**
 * No more than a line of a listing needs; ids as one text of capitals: a BLOB of its own for each costs more than all
 * the rest, and `lower` as much as reading a row.
 */
const lineSelect = (
  strength: string,
): string => `SELECT hex(r.hash || v.entry || v.hash), v.kind, v.path, v.mode, v.modified, v.created, v.size,
  v.type, v.tags, v.target, hex(e.conflicts),
  CASE v.listed WHEN 0 THEN 0 ELSE coalesce((SELECT min(${strength}) FROM contents t WHERE t.version = v.n), ?) END,
  EXISTS (SELECT 1 FROM entries o WHERE o.folder = e.folder AND o.path = e.path AND o.removed = 0 AND o.shadowed = 1), r.ms
  FROM entries e JOIN versions v ON v.n = e.version JOIN records r ON r.n = e.version`

const searchSelect = `SELECT facts.at AS search_at, ${versionColumns}, e.versions, e.conflicts, e.shadowed, e.n AS entry_n
FROM search_facts facts CROSS JOIN search s ON s.at = facts.at CROSS JOIN entries e ON e.n = s.entry CROSS JOIN versions v ON v.n = e.version ${versionJoins}`

/** Every path below `path` lies between these two. */
const rangeBelow = (path: string): [string, string] =>
  path === '' ? ['', '\u{10FFFF}'] : [`${path}/`, `${path}0`]
/** Whether a removed entry has a version that `restore` can bring back. */
const recoverable = `EXISTS (SELECT 1 FROM versions c WHERE c.folder = e.folder AND c.entry = e.entry
  AND c.kind <> 'removed' AND c.status = 0 AND c.gone = 0)`

export class SqliteViewReader {
  protected readonly sql: Sqlite
  protected readonly numbers: Numbers
  readonly #search: SqliteSearchReader

  constructor(sql: Sqlite, bounds?: SearchBounds) {
    this.sql = sql
    this.numbers = new Numbers(sql)
    this.#search = new SqliteSearchReader({
      sql,
      bounds,
      numbers: this.numbers,
      entries: (where, values) =>
        sql.all(`${searchSelect} ${where}`, ...values).map((row) => ({
          at: num(row['search_at']),
          entry: entryRow(row),
        })),
    })
  }

  entryAt(folder: FolderId, path: string): EntryRow | undefined {
    const where = 'WHERE e.folder = ? AND e.path = ? AND e.removed = 0 AND e.shadowed = 0'
    return this.#entries(where, this.#folder(folder), path)[0]
  }

  entry(folder: FolderId, entry: EntryId): EntryRow | undefined {
    return this.#entries('WHERE e.folder = ? AND e.entry = ?', this.#folder(folder), idBytes(entry))[0]
  }

  version(version: RecordHash): VersionRow | undefined {
    const row = this.sql.get(`${versionSelect} WHERE r.hash = ?`, idBytes(version))
    return row === undefined ? undefined : versionRow(row)
  }

  versions(folder: FolderId, entry: EntryId): VersionRow[] {
    const where = 'WHERE v.folder = ? AND v.entry = ? ORDER BY r.ms DESC, r.counter DESC, r.hash DESC'
    return this.#versions(where, this.#folder(folder), idBytes(entry))
  }

  entriesAt(folder: FolderId, path: string): EntryRow[] {
    const where = `WHERE e.folder = ? AND e.entry IN (SELECT entry FROM versions WHERE folder = ? AND path = ?)
      ORDER BY r.ms DESC, r.counter DESC, r.hash DESC`
    const n = this.#folder(folder)
    return this.#entries(where, n, n, path)
  }

  shadowedAt(folder: FolderId, path: string): EntryRow[] {
    const where = `WHERE e.folder = ? AND e.path = ? AND e.removed = 0 AND e.shadowed = 1
      ORDER BY r.ms DESC, r.counter DESC, r.hash DESC`
    return this.#entries(where, this.#folder(folder), path)
  }

  shadowedBelow(folder: FolderId, path: string): EntryRow[] {
    const where = `WHERE e.folder = ? AND e.path > ? AND e.path < ? AND e.removed = 0 AND e.shadowed = 1
      ORDER BY e.path`
    return this.#entries(where, this.#folder(folder), ...rangeBelow(path))
  }

  hidingAmong(folder: FolderId, paths: readonly string[]): Set<string> {
    const sql = `SELECT DISTINCT path FROM entries WHERE folder = ? AND path IN (SELECT value FROM json_each(?))
      AND removed = 0 AND shadowed = 1`
    const rows = this.sql.all(sql, this.#folder(folder), JSON.stringify(paths))
    return new Set(rows.map((row) => text(row['path'])))
  }

  filesAmong(folder: FolderId, paths: readonly string[]): string[] {
    const sql = `SELECT 1 FROM entries e JOIN versions v ON v.n = e.version
      WHERE e.folder = ? AND e.path = ? AND e.removed = 0 AND e.shadowed = 0 AND v.kind <> 'folder'`
    const n = this.#folder(folder)
    return paths.filter((path) => this.sql.get(sql, n, path) !== undefined)
  }

  /** Folders and other entries come from two indexes, each in order of names, and are merged. */
  list(
    folder: FolderId,
    path: string,
    cursor: string | undefined,
    limit: number,
    peers: readonly PeerId[],
  ): Page<Listed> {
    const n = this.#folder(folder)
    // A cursor is the last path shown; a folder comes before an entry of the same path.
    const [, kind = '', after = ''] = /^([de]):(.*)$/s.exec(cursor ?? '') ?? []
    const folders = this.sql.all(
      `SELECT p.path, p.files, p.bytes, e.entry, r.hash AS record_hash, v.modified, v.created FROM paths p
       LEFT JOIN entries e ON e.folder = p.folder AND e.path = p.path AND e.removed = 0 AND e.shadowed = 0
       LEFT JOIN versions v ON v.n = e.version LEFT JOIN records r ON r.n = v.n
       WHERE p.folder = ? AND p.parent = ? AND p.path > ? ORDER BY p.path LIMIT ?`,
      n,
      path,
      after,
      limit + 1,
    )
    const entries = this.#lines(
      peers,
      `WHERE e.folder = ? AND e.parent = ? AND e.path ${kind === 'd' ? '>=' : '>'} ? AND e.removed = 0 AND e.shadowed = 0
       AND v.kind <> 'folder' ORDER BY e.path LIMIT ?`,
      n,
      path,
      after,
      limit + 1,
    )
    const files = entries.map(listedEntry)
    const listed = folders.length === 0 ? files : mergeByPath(folders.map(listedFolder), files)
    return page(listed, limit, (last) => (last.kind === 'folder' ? `d:${last.path}` : `e:${last.entry.path}`))
  }

  hasBelow(folder: FolderId, path: string): boolean {
    const sql = `SELECT 1 FROM entries WHERE folder = ? AND path > ? AND path < ? AND removed = 0 LIMIT 1`
    return this.sql.get(sql, this.#folder(folder), ...rangeBelow(path)) !== undefined
  }

  tree(folder: FolderId, path: string, cursor: string | undefined, limit: number): Page<EntryRow> {
    const where = `WHERE e.folder = ? AND e.path > ? AND e.path < ? AND e.removed = 0 AND e.shadowed = 0
      ORDER BY e.path LIMIT ?`
    const [from, to] = rangeBelow(path)
    return page(
      this.#entries(where, this.#folder(folder), cursor ?? from, to, limit + 1),
      limit,
      (last) => last.path,
    )
  }

  below(
    folder: FolderId,
    path: string,
    cursor: string | undefined,
    limit: number,
    peers: readonly PeerId[],
  ): Page<ListedRow> {
    const where = `WHERE e.folder = ? AND e.path > ? AND e.path < ? AND e.removed = 0 AND e.shadowed = 0
      ORDER BY e.path LIMIT ?`
    const [from, to] = rangeBelow(path)
    const rows = this.#lines(peers, where, this.#folder(folder), cursor ?? from, to, limit + 1)
    return page(rows, limit, (last) => last.path)
  }

  belowAt(
    folder: FolderId,
    path: string,
    at: number,
    cursor: string | undefined,
    limit: number,
  ): Page<ShownRow> {
    const sql = `SELECT r.hash AS record_hash, r.ms, v.entry, v.kind, v.path, v.mode, v.modified, v.created, v.size, v.hash, v.type,
        v.tags, v.target, x'' AS conflicts FROM versions v JOIN records r ON r.n = v.n
      WHERE v.folder = ? AND v.path > ? AND v.path < ? AND v.status = 0 AND v.kind <> 'removed' AND r.ms <= ?
        AND (v.gone = 0 OR v.replaced = 0)
        AND NOT EXISTS (SELECT 1 FROM versions l JOIN records lr ON lr.n = l.n WHERE l.folder = v.folder
          AND l.entry = v.entry AND l.status = 0 AND lr.ms <= ?
          AND (lr.ms, lr.counter, lr.hash) > (r.ms, r.counter, r.hash))
      ORDER BY v.path, r.ms DESC, r.counter DESC, r.hash DESC LIMIT ?`
    const [from, to] = rangeBelow(path)
    const rows = this.sql.all(sql, this.#folder(folder), cursor ?? from, to, at, at, limit + 1).map(shownRow)
    return page(rows, limit, (last) => last.path)
  }

  expiring(folder: FolderId, after: number, limit: number): { entries: EntryRow[]; next?: number } {
    // By the few versions that say so: from the entries on it would go through all of them.
    const looked = this.sql.all(
      `SELECT n FROM versions WHERE folder = ? AND instr(tags, '"${expiryTag}') > 0 AND n > ? ORDER BY n LIMIT ?`,
      this.#folder(folder),
      after,
      limit,
    )
    const numbers = looked.map((row) => num(row['n']))
    const where = `WHERE e.n IN (SELECT o.n FROM versions x CROSS JOIN entries o ON o.folder = x.folder AND o.entry = x.entry
      WHERE x.n IN (SELECT value FROM json_each(?)) AND o.version = x.n AND o.removed = 0) ORDER BY e.version`
    const entries = this.#entries(where, JSON.stringify(numbers))
    return { entries, ...(looked.length < limit ? {} : { next: numbers.at(-1)! }) }
  }

  changedBefore(
    folder: FolderId,
    before: number,
    after: string,
    limit: number,
  ): { entries: EntryRow[]; next?: string } {
    const sql = `SELECT path, n, ms FROM entries WHERE folder = ? AND removed = 0 AND path > ? ORDER BY path LIMIT ?`
    const looked = this.sql.all(sql, this.#folder(folder), after, limit)
    const old = looked.filter((row) => num(row['ms']) <= before).map((row) => num(row['n']))
    const entries = this.#entries('WHERE e.n IN (SELECT value FROM json_each(?))', JSON.stringify(old))
    return { entries, ...(looked.length < limit ? {} : { next: text(looked.at(-1)!['path']) }) }
  }

  from(folder: FolderId, path: string, limit: number): Page<EntryRow> {
    const where = `WHERE e.folder = ? AND e.path >= ? AND e.removed = 0 AND e.shadowed = 0
      ORDER BY e.path LIMIT ?`
    const rows = this.#entries(where, this.#folder(folder), path, limit + 1)
    const next = rows.length > limit ? rows.pop()?.path : undefined
    return { entries: rows, ...(next === undefined ? {} : { next }) }
  }

  trash(folder: FolderId, cursor: string | undefined, limit: number): Page<EntryRow> {
    const [ms, n] = (cursor ?? '').split(':').map(Number)
    const where = `WHERE e.folder = ? AND e.removed = 1 AND ${recoverable} AND (e.ms < ? OR (e.ms = ? AND e.n > ?))
      ORDER BY e.ms DESC, e.n LIMIT ?`
    const from = cursor === undefined || n === undefined ? Number.MAX_SAFE_INTEGER : ms!
    const rows = this.sql.all(`${entrySelect} ${where}`, this.#folder(folder), from, from, n ?? 0, limit + 1)
    const { entries, next } = page(rows, limit, (last) => `${num(last['ms'])}:${num(last['entry_n'])}`)
    return { entries: entries.map(entryRow), ...(next === undefined ? {} : { next }) }
  }

  find(search: Search, cursor: string | undefined, limit: number): Page<EntryRow> {
    return this.#search.find(search, cursor, limit)
  }

  categories(folder: FolderId): CategoryTotal[] {
    return this.#search.categories(folder)
  }

  searchWaiting(): number {
    return this.#search.waiting()
  }

  isSearchFilled(): boolean {
    return this.#search.isFilled()
  }

  replaced(folder: FolderId, after: number, limit: number): ReplacedVersion[] {
    const sql = `SELECT v.n, r.hash, v.gone, (SELECT min(cr.ms) FROM replaces p JOIN versions c ON c.n = p.child
        JOIN records cr ON cr.n = c.n
        WHERE p.parent = r.hash AND c.status = 0 AND c.folder = v.folder AND c.entry = v.entry) since
      FROM versions v JOIN records r ON r.n = v.n WHERE v.folder = ? AND v.replaced = 1 AND v.n > ? ORDER BY v.n LIMIT ?`
    return this.sql.all(sql, this.#folder(folder), after, limit).map((row) => ({
      n: num(row['n']),
      version: idIn<RecordHash>(row['hash']),
      since: row['since'] === null ? undefined : num(row['since']),
      expired: (num(row['gone']) & goneBits.expired) !== 0,
    }))
  }

  withContent(folder: FolderId, after: number, limit: number): { n: number; row: VersionRow }[] {
    const sql = `${versionSelect} WHERE v.folder = ? AND v.n > ? AND v.kind = 'file' AND v.size > 0 AND v.status <> 1
      AND (v.gone = 0 OR v.replaced = 0) ORDER BY v.n LIMIT ?`
    return this.sql
      .all(sql, this.#folder(folder), after, limit)
      .map((row) => ({ n: num(row['n']), row: versionRow(row) }))
  }

  hasOpened(): boolean {
    const tables = ['versions', 'known', 'reseals']
    return tables.some((table) => this.sql.get(`SELECT 1 FROM ${table} LIMIT 1`) !== undefined)
  }

  heldReseals(folder: FolderId): RecordHash[] {
    const sql = `SELECT r.hash FROM reseals s JOIN records r ON r.n = s.record WHERE s.counts = 0 AND r.folder = ?`
    return this.sql.all(sql, this.#folder(folder)).map((row) => idIn<RecordHash>(row['hash']))
  }

  held(folder: FolderId): VersionRow[] {
    return this.#versions('WHERE v.folder = ? AND v.status = 1 ORDER BY v.n', this.#folder(folder))
  }

  future(limit: number): VersionRow[] {
    return this.#versions('WHERE v.status = 2 ORDER BY r.ms, r.counter, r.hash LIMIT ?', limit)
  }

  totals(folder: FolderId): { files: number; bytes: number } {
    const row = this.sql.get(
      "SELECT files, bytes FROM paths WHERE folder = ? AND path = ''",
      this.#folder(folder),
    )
    return { files: num(row?.['files'] ?? 0), bytes: num(row?.['bytes'] ?? 0) }
  }

  contentOf(version: RecordHash): ChunkId[] | undefined {
    const row = this.sql.get(
      'SELECT v.n, v.listed FROM versions v JOIN records r ON r.n = v.n WHERE r.hash = ?',
      idBytes(version),
    )
    if (row === undefined || row['listed'] === 0) return undefined
    const sql =
      'SELECT c.id FROM contents t JOIN chunks c ON c.n = t.chunk WHERE t.version = ? ORDER BY t.chunk'
    return this.sql.all(sql, num(row['n'])).map((chunk) => idIn<ChunkId>(chunk['id']))
  }

  withoutContent(limit: number): VersionRow[] {
    return this.#versions('WHERE v.listed = 0 ORDER BY v.n LIMIT ?', limit)
  }

  copies(versions: readonly RecordHash[], peers: readonly PeerId[]): Map<RecordHash, number> {
    const result = new Map<RecordHash, number>()
    const { strength, among } = this.strength('t.chunk', peers)
    const rows = this.sql.all(
      `SELECT j.value version, v.listed, (SELECT min(${strength}) FROM contents t WHERE t.version = v.n) copies
       FROM json_each(?) j CROSS JOIN records r ON r.hash = unhex(j.value) CROSS JOIN versions v ON v.n = r.n`,
      ...among,
      JSON.stringify(versions),
    )
    for (const { version, listed, copies } of rows) {
      if (listed === 0) continue
      // A version without chunks is whole wherever its record is.
      result.set(text(version) as RecordHash, copies === null ? peers.length : num(copies))
    }
    return result
  }

  safety(
    folder: FolderId,
    want: number,
    peers: readonly PeerId[],
    after: number,
    limit: number,
    wantMost: number = want,
  ): { safe: number; degraded: number; lost: number; next?: number } {
    const { strength, among } = this.strength('t.chunk', peers)
    // In the order of numbers, not of paths: neighbours in every table.
    const row = this.sql.get(
      `WITH shown AS (SELECT e.n, v.n version, v.listed, instr(v.tags, '"${priorityTag}"') > 0 most FROM entries e NOT INDEXED JOIN versions v ON v.n = e.version
         WHERE e.n > ? AND e.folder = ? AND e.removed = 0 AND e.shadowed = 0 AND v.kind IN ('file', 'link') ORDER BY e.n LIMIT ?),
       counted AS (SELECT n, listed, most, (SELECT min(${strength}) FROM contents t WHERE t.version = shown.version) copies FROM shown)
       SELECT coalesce(sum(listed = 1 AND coalesce(copies, ?) >= iif(most, ?, ?)), 0) safe, coalesce(sum(listed = 1 AND copies = 0), 0) lost,
         count(*) files, max(n) last FROM counted`,
      after,
      this.#folder(folder),
      limit,
      ...among,
      peers.length,
      wantMost,
      want,
    )!
    const files = num(row['files'])
    const safe = num(row['safe'])
    const lost = want === 0 ? 0 : num(row['lost'])
    return {
      safe,
      lost,
      degraded: files - safe - lost,
      ...(files < limit ? {} : { next: num(row['last']) }),
    }
  }

  lostAmong(
    folder: FolderId,
    peers: readonly PeerId[],
    after: number,
    limit: number,
  ): { entries: { n: number; path: string; size: number }[]; next?: number } {
    const { strength, among } = this.strength('t.chunk', peers)
    const rows = this.sql.all(
      `SELECT e.n, e.path, v.size, v.listed, (SELECT min(${strength}) FROM contents t WHERE t.version = v.n) copies
       FROM entries e NOT INDEXED JOIN versions v ON v.n = e.version
       WHERE e.n > ? AND e.folder = ? AND e.removed = 0 AND e.shadowed = 0 AND v.kind IN ('file', 'link') ORDER BY e.n LIMIT ?`,
      ...among,
      after,
      this.#folder(folder),
      limit,
    )
    const entries = rows
      .filter((row) => row['listed'] === 1 && row['copies'] === 0)
      .map((row) => ({ n: num(row['n']), path: text(row['path']), size: num(row['size']) }))
    return rows.length < limit ? { entries } : { entries, next: num(rows.at(-1)!['n']) }
  }

  filesOf(ids: readonly ChunkId[]): { folder: FolderId; path: string }[] {
    const sql = `SELECT DISTINCT f.id folder, e.path FROM chunks c JOIN contents t ON t.chunk = c.n
      JOIN versions v ON v.n = t.version JOIN entries e ON e.folder = v.folder AND e.entry = v.entry AND e.version = v.n
      JOIN folders f ON f.n = v.folder WHERE c.id = ? AND e.removed = 0 ORDER BY e.path`
    return ids.flatMap((id) =>
      this.sql
        .all(sql, idBytes(id))
        .map((row) => ({ folder: idIn<FolderId>(row['folder']), path: text(row['path']) })),
    )
  }

  generation(): string {
    const { data_version: others } = this.sql.get('PRAGMA data_version')!
    const { own } = this.sql.get('SELECT total_changes() own')!
    return `${num(others)}.${num(own)}`
  }

  /** The SQL of a chunk's strength among `peers`, and the values it takes. */
  protected strength(chunk: string, peers: readonly PeerId[]): Strength {
    return strengthAmong(this.sql, chunk, this.peerNumbers(peers))
  }

  /** Peers as a JSON list of their numbers, for `json_each`; unknown ones hold nothing. */
  protected peerNumbers(peers: readonly PeerId[]): string {
    return JSON.stringify(peers.map((peer) => this.numbers.peer(peer)).filter((n) => n !== undefined))
  }

  /** A folder's number; one that no folder has when it is unknown. */
  #folder(folder: FolderId): number {
    return this.numbers.folder(folder) ?? -1
  }

  #versions(where: string, ...values: (string | number | Uint8Array)[]): VersionRow[] {
    return this.sql.all(`${versionSelect} ${where}`, ...values).map(versionRow)
  }

  #lines(peers: readonly PeerId[], where: string, ...values: (string | number)[]): ListedRow[] {
    const { strength, among } = this.strength('t.chunk', peers)
    const rows = this.sql.lists(
      `${lineSelect(strength)} ${where}`,
      ...among,
      // A version without chunks is whole wherever its record is.
      peers.length,
      ...values,
    )
    return rows.map(listedRow)
  }

  #entries(where: string, ...values: (string | number | Uint8Array)[]): EntryRow[] {
    return this.sql.all(`${entrySelect} ${where}`, ...values).map(entryRow)
  }
}

/** The first `limit` of `rows`; `next` says where the rest begins. */
export function page<T>(rows: readonly T[], limit: number, cursorOf: (last: T) => string): Page<T> {
  const entries = rows.slice(0, limit)
  const last = entries.at(-1)
  return rows.length > limit && last !== undefined ? { entries, next: cursorOf(last) } : { entries }
}
