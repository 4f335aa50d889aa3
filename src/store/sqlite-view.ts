/**
 * The write side of the view: which version of an entry shows, which entry shows at a path, and the
 * sums of folders; computed once for each entry that a group touched, inside its transaction.
 */
import { idBytes, type ChunkId, type RecordHash } from '../base/words.ts'
import type { IndexWrite, ResealRow } from './store.ts'
import { SqliteSearch, type Searchable } from './sqlite-search.ts'
import { blob, idIn, num, splitIds, text, type Row, type Sqlite } from './sqlite.ts'
import type { Numbers } from './sqlite-numbers.ts'
import type { EntryKind, VersionRow, VersionStatus } from './view.ts'

export const statusNumbers: Record<VersionStatus, number> = { counted: 0, held: 1, future: 2 }
export const statusNames: readonly VersionStatus[] = ['counted', 'held', 'future']

/** Causes for which a replaced version is gone, bits of a column. */
export const goneBits = { expired: 1, discarded: 2 } as const

type ViewWrite = IndexWrite & {
  op: 'version' | 'invalid' | 'status' | 'content' | 'search' | 'gone' | 'reseal' | 'reseal-counts'
}

interface Touched {
  folder: number
  entry: Uint8Array
}

/** What one path adds to the sums of the folders above it. */
interface Sums {
  files: number
  bytes: number
  entries: number
}

/** The folder of a path; '' is the top, whose own folder is '/', a name no path has. */
export function parentOf(path: string): string {
  return path === '' ? '/' : path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** Ids of one entry's versions that nothing counted replaces, the shown one first. */
const headsSql = `
SELECT v.n, r.hash, r.ms, v.path, v.kind, v.modified, v.size, v.type, v.category, v.tags, v.description
FROM versions v JOIN records r ON r.n = v.n
WHERE v.folder = ? AND v.entry = ? AND v.status <> 1 AND v.replaced = 0
ORDER BY v.status, r.ms DESC, r.counter DESC, r.hash DESC`

const replacedSql = `
UPDATE versions SET replaced = EXISTS (SELECT 1 FROM replaces p JOIN versions c ON c.n = p.child
  WHERE p.parent = ? AND c.status <> 1 AND c.folder = versions.folder AND c.entry = versions.entry)
WHERE n = ?`

const shadowSql = `
SELECT e.n, e.shadowed FROM entries e JOIN versions v ON v.n = e.version JOIN records r ON r.n = e.version
WHERE e.folder = ? AND e.path = ? AND e.removed = 0
ORDER BY v.status, r.ms DESC, r.counter DESC, r.hash DESC`

const shownSql = `
SELECT v.kind, v.size, v.category FROM entries e JOIN versions v ON v.n = e.version
WHERE e.folder = ? AND e.path = ? AND e.removed = 0 AND e.shadowed = 0`

const versionSql = `
INSERT INTO versions (n, folder, entry, status, kind, path, mode, modified, created, size, hash, type, category,
  tags, description, target, content, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (n) DO UPDATE SET status = excluded.status`

/** A version, and the record that holds for its content. */
const resealedSql = `
SELECT v.n, s.record reseal, s.hash, s.content, sr.epoch FROM records r JOIN versions v ON v.n = r.n
LEFT JOIN (reseals s JOIN records sr ON sr.n = s.record)
  ON s.version = r.hash AND s.counts = 1 AND s.size = v.size AND sr.folder = v.folder
WHERE r.hash = ? ORDER BY sr.ms DESC, sr.counter DESC, sr.hash DESC LIMIT 1`

const resealSql = `
UPDATE versions SET own_hash = coalesce(own_hash, hash), own_sealed = iif(own_content IS NULL, sealed, own_sealed),
  own_content = coalesce(own_content, content), hash = ?1, content = ?2, sealed = ?3, listed = 0
WHERE n = ?4 AND (content <> ?2 OR sealed IS NOT ?3)`

const asWrittenSql = `
UPDATE versions SET hash = own_hash, content = own_content, sealed = own_sealed, listed = 0,
  own_hash = NULL, own_content = NULL, own_sealed = NULL
WHERE n = ? AND own_content IS NOT NULL`

const entrySql = `
INSERT INTO entries (folder, entry, version, path, parent, removed, ms, versions, conflicts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (folder, entry) DO UPDATE SET version = excluded.version, path = excluded.path, parent = excluded.parent,
  removed = excluded.removed, ms = excluded.ms, versions = excluded.versions, conflicts = excluded.conflicts,
  shadowed = CASE excluded.removed WHEN 1 THEN 0 ELSE shadowed END
RETURNING n, search`

const sumsSql = `
INSERT INTO paths (folder, path, parent, files, bytes, entries) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (folder, path) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes,
  entries = entries + excluded.entries`

const categorySql = `
INSERT INTO categories (folder, category, files, bytes) VALUES (?, ?, ?, ?)
ON CONFLICT (folder, category) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes`

export class SqliteView {
  readonly #sql: Sqlite
  readonly #numbers: Numbers
  readonly #search: SqliteSearch
  readonly #touched = new Map<string, Touched>()
  /** Changes of folder sums of this group, by folder number, then path. */
  readonly #sums = new Map<number, Map<string, Sums>>()

  constructor(sql: Sqlite, numbers: Numbers) {
    this.#sql = sql
    this.#numbers = numbers
    this.#search = new SqliteSearch(sql)
  }

  apply(op: ViewWrite): void {
    switch (op.op) {
      case 'version':
        return this.#version(op.row)
      case 'invalid':
        this.#sql.run('UPDATE records SET opened = 2 WHERE hash = ?', idBytes(op.version))
        return
      case 'status':
        return op.versions.forEach((version) => this.#status(version, statusNumbers[op.status]))
      case 'content':
        return this.#content(op.version, op.ids, op.content)
      case 'reseal':
        return this.#reseal(op.row)
      case 'reseal-counts':
        return this.#resealCounts(op.reseal, op.counts)
      case 'gone':
        return op.versions.forEach((version) => this.#gone(version, goneBits[op.cause], op.gone))
      case 'search':
        return this.#search.tend(op.limit)
    }
  }

  /** Computes what shows for everything touched since the last call. */
  settle(): void {
    for (const touched of this.#touched.values()) this.#settleEntry(touched)
    for (const [folder, paths] of this.#sums)
      for (const [path, sums] of paths) this.#addSums(folder, path, sums)
    this.#touched.clear()
    this.#sums.clear()
    this.#search.settle()
  }

  /** After a transaction was undone. */
  forget(): void {
    this.#touched.clear()
    this.#sums.clear()
    this.#search.forget()
  }

  #record(version: RecordHash): Row | undefined {
    return this.#sql.get('SELECT n, folder, entry, parents FROM records WHERE hash = ?', idBytes(version))
  }

  #touch(row: Row): void {
    const folder = num(row['folder'])
    const entry = blob(row['entry'])
    this.#touched.set(`${folder} ${Buffer.from(entry).toString('hex')}`, { folder, entry })
  }

  /** Folder, entry, times and parents are those of the signed head, whatever `row` says. */
  #version(row: VersionRow): void {
    const record = this.#record(row.version)
    if (record === undefined || record['folder'] === null || record['entry'] === null) return
    const n = num(record['n'])
    this.#sql.run(
      versionSql,
      n,
      num(record['folder']),
      blob(record['entry']),
      statusNumbers[row.status],
      row.kind,
      row.path,
      row.mode,
      Math.floor(row.modified),
      Math.floor(row.created),
      row.size,
      Buffer.from(row.hash, 'hex'),
      row.type,
      row.category,
      JSON.stringify(row.tags),
      row.description,
      row.target ?? null,
      row.content,
      row.sealed === undefined ? null : idBytes(row.sealed),
    )
    this.#sql.run('UPDATE records SET opened = 1 WHERE n = ?', n)
    for (const parent of splitIds<RecordHash>(record['parents']))
      this.#sql.run('INSERT OR IGNORE INTO replaces (parent, child) VALUES (?, ?)', idBytes(parent), n)
    this.#sql.run(replacedSql, idBytes(row.version), n)
    this.#markParents(record)
    this.#touch(record)
    this.#useReseal(row.version)
  }

  #markParents(record: Row): void {
    for (const parent of splitIds<RecordHash>(record['parents'])) {
      const found = this.#record(parent)
      if (found !== undefined) this.#sql.run(replacedSql, idBytes(parent), num(found['n']))
    }
  }

  #status(version: RecordHash, status: number): void {
    const record = this.#record(version)
    if (record === undefined) return
    const changed = this.#sql.run('UPDATE versions SET status = ? WHERE n = ?', status, num(record['n']))
    if (changed === 0) return
    this.#markParents(record)
    this.#touch(record)
  }

  #gone(version: RecordHash, bit: number, gone: boolean): void {
    const sql = `UPDATE versions SET gone = ${gone ? 'gone | ?' : 'gone & ~?'} WHERE n = (SELECT n FROM records WHERE hash = ?)`
    this.#sql.run(sql, bit, idBytes(version))
  }

  #content(version: RecordHash, ids: readonly ChunkId[], content: Uint8Array | undefined): void {
    const record = this.#record(version)
    if (record === undefined) return
    const n = num(record['n'])
    const sql = 'UPDATE versions SET listed = 1 WHERE n = ? AND content = coalesce(?, content)'
    if (this.#sql.run(sql, n, content ?? null) === 0) return
    for (const id of ids)
      this.#sql.run(
        'INSERT OR IGNORE INTO contents (version, chunk) VALUES (?, ?)',
        n,
        this.#numbers.makeChunk(id),
      )
  }

  #reseal({ reseal, version, counts, hash, content, size }: ResealRow): void {
    const record = this.#record(reseal)
    if (record === undefined) return
    const n = num(record['n'])
    const sql = `INSERT OR REPLACE INTO reseals (record, version, counts, size, hash, content) VALUES (?, ?, ?, ?, ?, ?)`
    this.#sql.run(sql, n, idBytes(version), counts ? 1 : 0, size, Buffer.from(hash, 'hex'), content)
    this.#sql.run('UPDATE records SET opened = 1 WHERE n = ?', n)
    this.#useReseal(version)
  }

  #resealCounts(reseal: RecordHash, counts: boolean): void {
    const sql = `UPDATE reseals SET counts = ? WHERE record = (SELECT n FROM records WHERE hash = ?) RETURNING version`
    const row = this.#sql.get(sql, counts ? 1 : 0, idBytes(reseal))
    if (row !== undefined) this.#useReseal(idIn<RecordHash>(row['version']))
  }

  /** A version's content is what the latest record that counts sealed it as, else what it says itself. */
  #useReseal(version: RecordHash): void {
    const row = this.#sql.get(resealedSql, idBytes(version))
    if (row === undefined) return
    const n = num(row['n'])
    const isNews =
      row['reseal'] === null
        ? this.#sql.run(asWrittenSql, n) > 0
        : this.#sql.run(resealSql, blob(row['hash']), blob(row['content']), blob(row['epoch']), n) > 0
    // The chunks of before are no longer its own; those of a manifest are read by the room above.
    if (isNews) this.#sql.run('DELETE FROM contents WHERE version = ?', n)
  }

  #settleEntry({ folder, entry }: Touched): void {
    const heads = this.#sql.all(headsSql, folder, entry)
    const before = this.#sql.get(
      'SELECT path, removed, search FROM entries WHERE folder = ? AND entry = ?',
      folder,
      entry,
    )
    const [shown, ...others] = heads
    const paths = new Set<string>()
    if (before !== undefined && before['removed'] === 0) paths.add(text(before['path']))
    if (shown !== undefined && shown['kind'] !== 'removed') paths.add(text(shown['path']))
    for (const path of paths) this.#addPath(folder, path, -1)
    if (shown === undefined) {
      this.#sql.run('DELETE FROM entries WHERE folder = ? AND entry = ?', folder, entry)
      if (typeof before?.['search'] === 'number') this.#search.hide(before['search'])
    } else this.#show(folder, entry, shown, others)
    for (const path of paths) this.#shadow(folder, path)
    for (const path of paths) this.#addPath(folder, path, 1)
  }

  #show(folder: number, entry: Uint8Array, shown: Row, others: readonly Row[]): void {
    const count = this.#sql.get(
      'SELECT count(*) count FROM versions WHERE folder = ? AND entry = ? AND status <> 1',
      folder,
      entry,
    )!
    const path = text(shown['path'])
    const made = this.#sql.get(
      entrySql,
      folder,
      entry,
      num(shown['n']),
      path,
      parentOf(path),
      shown['kind'] === 'removed' ? 1 : 0,
      num(shown['ms']),
      num(count['count']),
      Buffer.concat(others.map((other) => blob(other['hash']))),
    )!
    this.#showInSearch(folder, made, shown)
  }

  /** Search follows what an entry shows; hidden ones are left out when it is asked. */
  #showInSearch(folder: number, entry: Row, shown: Row): void {
    const n = num(entry['n'])
    const before = entry['search'] === null ? undefined : num(entry['search'])
    const after = shown['kind'] === 'removed' ? null : this.#search.show(before, searchable(folder, n, shown))
    if (after === null && before !== undefined) this.#search.hide(before)
    if (after !== (before ?? null)) this.#sql.run('UPDATE entries SET search = ? WHERE n = ?', after, n)
  }

  /** Once, when a database of an older program had entries already. */
  fillSearch(): void {
    const sql = `SELECT e.n, e.folder, e.search, v.path, v.kind, v.modified, v.size, v.type, v.category, v.tags,
      v.description FROM entries e JOIN versions v ON v.n = e.version WHERE e.removed = 0 AND e.n > ? ORDER BY e.n LIMIT 1000`
    for (let after = 0; ;) {
      const rows = this.#sql.all(sql, after)
      for (const row of rows) this.#showInSearch(num(row['folder']), row, row)
      if (rows.length === 0) return this.#search.settle()
      after = num(rows.at(-1)!['n'])
    }
  }

  /** Of several entries with one path the latest shows. */
  #shadow(folder: number, path: string): void {
    for (const [index, row] of this.#sql.all(shadowSql, folder, path).entries()) {
      const shadowed = index === 0 ? 0 : 1
      if (row['shadowed'] !== shadowed)
        this.#sql.run('UPDATE entries SET shadowed = ? WHERE n = ?', shadowed, num(row['n']))
    }
  }

  /** Adds what shows at `path` to, or takes it from, the sums of the folders above it. */
  #addPath(folder: number, path: string, sign: 1 | -1): void {
    const shown = this.#sql.get(shownSql, folder, path)
    if (shown === undefined) return
    const isFolder = shown['kind'] === 'folder'
    const files = isFolder ? 0 : sign
    const bytes = isFolder ? 0 : sign * num(shown['size'])
    let at = isFolder ? path : parentOf(path)
    for (; at !== '/'; at = parentOf(at)) this.#addTo(folder, at, { files, bytes, entries: sign })
    if (!isFolder) this.#sql.run(categorySql, folder, text(shown['category']), files, bytes)
  }

  #addTo(folder: number, path: string, { files, bytes, entries }: Sums): void {
    let paths = this.#sums.get(folder)
    if (paths === undefined) this.#sums.set(folder, (paths = new Map()))
    const sums = paths.get(path)
    if (sums === undefined) {
      paths.set(path, { files, bytes, entries })
      return
    }
    sums.files += files
    sums.bytes += bytes
    sums.entries += entries
  }

  #addSums(folder: number, path: string, { files, bytes, entries }: Sums): void {
    if (files === 0 && bytes === 0 && entries === 0) return
    this.#sql.run(sumsSql, folder, path, parentOf(path), files, bytes, entries)
    if (entries < 0)
      this.#sql.run('DELETE FROM paths WHERE folder = ? AND path = ? AND entries = 0', folder, path)
  }
}

function searchable(folder: number, entry: number, shown: Row): Searchable {
  return {
    entry,
    folder,
    path: text(shown['path']),
    kind: text(shown['kind']) as EntryKind,
    modified: num(shown['modified']),
    size: num(shown['size']),
    type: text(shown['type']),
    category: text(shown['category']),
    tags: JSON.parse(text(shown['tags'])) as string[],
    description: text(shown['description']),
  }
}
