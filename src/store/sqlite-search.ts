/**
 * The write side of search: one row for each entry that is not removed, with its facts: size, and class, a
 * number for what folder, kind, type and category together are. Rows of facts are narrow and lie in every
 * order that is asked for. Words go into the index of three-letter groups later, in bulk: done with each
 * small commit that costs 46 µs of CPU an entry and a write to many pages, done by hundreds 35 µs and few.
 * Until then a row waits in `search_new`, which the reader looks through beside the index.
 */
import { groupTexts, type Facts, type GroupTexts } from './search-groups.ts'
import { searchTexts, sortKey, type SearchTexts } from './search-text.ts'
import { num, text, type Row, type Sqlite } from './sqlite.ts'
import type { EntryKind } from './view.ts'

/**
 * A row's number orders by time: seconds of `modified`, then 20 bits that make it unique; all of it
 * within the 53 bits of a safe integer.
 */
const secondsMax = 2 ** 33 - 1
const places = 2 ** 20

export const timeNumber = (modifiedMs: number): number =>
  Math.min(secondsMax, Math.floor(modifiedMs / 1000)) * places

/** What an entry shows, as far as search is concerned. */
export interface Searchable {
  entry: number
  folder: number
  path: string
  kind: EntryKind
  modified: number
  size: number
  type: string
  category: string
  tags: readonly string[]
  description: string
}

const insertSql = `
INSERT OR IGNORE INTO search (at, entry, folder, category, name, label, rest, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

const unfilledSql = `
SELECT s.at, s.folder, s.name, v.kind, v.size, v.type, v.category FROM search s CROSS JOIN entries e ON e.n = s.entry
CROSS JOIN versions v ON v.n = e.version WHERE s.at > ? ORDER BY s.at LIMIT ?`

export class SqliteSearch {
  readonly #sql: Sqlite
  /** Numbers of classes by what they are; and how many rows of each this group added. */
  readonly #classes = new Map<string, number>()
  readonly #added = new Map<number, number>()

  constructor(sql: Sqlite) {
    this.#sql = sql
  }

  /** Brings an entry's row up to date; `at` is its row until now. Returns its row from now on. */
  show(at: number | undefined, shown: Searchable): number {
    const texts = searchTexts(shown.path, shown.tags, shown.description)
    const facts = { class: this.#class(shown), size: shown.size }
    if (at !== undefined) {
      if (this.#isSame(at, shown, texts, facts)) return at
      this.hide(at)
    }
    return this.#insert(shown, texts, facts)
  }

  hide(at: number): void {
    const row = this.#row(at)
    if (row === undefined) return
    this.#sql.run('DELETE FROM search WHERE at = ?', at)
    const facts = this.#dropFacts(at, text(row['name']))
    if (this.#sql.run('DELETE FROM search_new WHERE at = ?', at) > 0 || facts === undefined) return
    const { words, class: kind, size } = groupsIn(row, facts)
    const sql = 'INSERT INTO search_gone (at, words, class, size) VALUES (?, ?, ?, ?)'
    this.#sql.run(sql, at, words, kind, size)
  }

  /** Moves up to `limit` waiting rows into the index of groups; before that, makes facts that are missing. */
  tend(limit: number): void {
    if (this.#fill(limit)) return
    for (const row of this.#sql.all('SELECT at, words, class, size FROM search_gone LIMIT ?', limit)) {
      const groups = { words: text(row['words']), class: text(row['class']), size: text(row['size']) }
      this.#index("'delete'", num(row['at']), groups)
      this.#sql.run('DELETE FROM search_gone WHERE at = ?', num(row['at']))
    }
    // A number that is used again must be gone before it is new.
    if (this.#sql.get('SELECT 1 FROM search_gone LIMIT 1') !== undefined) return
    for (const { at } of this.#sql.all('SELECT at FROM search_new ORDER BY at LIMIT ?', limit)) {
      const facts = this.#facts(num(at))!
      this.#index('NULL', num(at), groupsIn(this.#row(num(at))!, facts))
      this.#sql.run('DELETE FROM search_new WHERE at = ?', num(at))
    }
  }

  /** Writes the sums of a group, inside its transaction. */
  settle(): void {
    for (const [n, rows] of this.#added)
      if (rows !== 0) this.#sql.run('UPDATE search_classes SET rows = rows + ? WHERE n = ?', rows, n)
    this.#added.clear()
  }

  /** After a transaction was undone. */
  forget(): void {
    this.#classes.clear()
    this.#added.clear()
  }

  /** Facts of rows that an older program wrote: the next ones by time, until all have them. */
  #fill(limit: number): boolean {
    const unfilled = this.#sql.get("SELECT value FROM meta WHERE key = 'unfilled'")
    if (unfilled === undefined) return false
    const rows = this.#sql.all(unfilledSql, num(unfilled['value']), limit)
    for (const row of rows) this.#fillRow(row)
    const last = rows.at(-1)
    if (last === undefined) this.#sql.run("DELETE FROM meta WHERE key = 'unfilled'")
    else this.#sql.run("UPDATE meta SET value = ? WHERE key = 'unfilled'", num(last['at']))
    return true
  }

  #fillRow(row: Row): void {
    const at = num(row['at'])
    if (this.#facts(at) !== undefined) return
    this.#sql.run('INSERT OR IGNORE INTO search_new (at) VALUES (?)', at)
    const kind = text(row['kind']) as EntryKind
    const of = { folder: num(row['folder']), kind, type: text(row['type']), category: text(row['category']) }
    this.#addFacts(at, text(row['name']), { class: this.#class(of), size: num(row['size']) })
  }

  /** `command` is the one of FTS5 that takes texts out, or `NULL`. */
  #index(command: string, at: number, { words, class: kind, size }: GroupTexts): void {
    const sql = `INSERT INTO search_words (search_words, rowid, words, class, size) VALUES (${command}, ?, ?, ?, ?)`
    this.#sql.run(sql, at, words, kind, size)
  }

  #row(at: number): Row | undefined {
    return this.#sql.get('SELECT name, label, rest, tags FROM search WHERE at = ?', at)
  }

  #facts(at: number): Facts | undefined {
    const row = this.#sql.get('SELECT class, size FROM search_facts WHERE at = ?', at)
    return row === undefined ? undefined : { class: num(row['class']), size: num(row['size']) }
  }

  #isSame(at: number, shown: Searchable, texts: SearchTexts, facts: Facts): boolean {
    const row = this.#row(at)
    const before = this.#facts(at)
    return (
      row !== undefined &&
      timeNumber(shown.modified) === at - (at % places) &&
      before?.class === facts.class &&
      before.size === facts.size &&
      row['name'] === texts.name &&
      row['label'] === texts.label &&
      row['rest'] === texts.rest &&
      row['tags'] === texts.tags
    )
  }

  #insert({ entry, folder, category, modified }: Searchable, texts: SearchTexts, facts: Facts): number {
    const from = timeNumber(modified)
    for (let place = entry % places; ; place = (place + 1) % places) {
      const at = from + place
      const { name, label, rest, tags } = texts
      const added = this.#sql.run(insertSql, at, entry, folder, category, name, label, rest, tags)
      if (added === 0) continue
      this.#addFacts(at, name, facts)
      this.#sql.run('INSERT INTO search_new (at) VALUES (?)', at)
      return at
    }
  }

  #addFacts(at: number, name: string, { class: kind, size }: Facts): void {
    this.#sql.run('INSERT INTO search_facts (at, class, size) VALUES (?, ?, ?)', at, kind, size)
    this.#sql.run('INSERT INTO search_sizes (size, at, class) VALUES (?, ?, ?)', size, at, kind)
    const sql = 'INSERT INTO search_names (key, at, class, size) VALUES (?, ?, ?, ?)'
    this.#sql.run(sql, sortKey(name), at, kind, size)
    this.#count(kind, 1)
  }

  #dropFacts(at: number, name: string): Facts | undefined {
    const facts = this.#facts(at)
    if (facts === undefined) return undefined
    this.#sql.run('DELETE FROM search_facts WHERE at = ?', at)
    this.#sql.run('DELETE FROM search_sizes WHERE size = ? AND at = ?', facts.size, at)
    this.#sql.run('DELETE FROM search_names WHERE key = ? AND at = ?', sortKey(name), at)
    this.#count(facts.class, -1)
    return facts
  }

  #count(kind: number, rows: number): void {
    this.#added.set(kind, (this.#added.get(kind) ?? 0) + rows)
  }

  #class({
    folder,
    kind,
    type,
    category,
  }: Pick<Searchable, 'folder' | 'kind' | 'type' | 'category'>): number {
    const key = JSON.stringify([folder, kind, type, category])
    const known = this.#classes.get(key)
    if (known !== undefined) return known
    const values = [folder, kind, type, category]
    const select = 'SELECT n FROM search_classes WHERE folder = ? AND kind = ? AND type = ? AND category = ?'
    const insert = 'INSERT INTO search_classes (folder, kind, type, category) VALUES (?, ?, ?, ?) RETURNING n'
    const n = num((this.#sql.get(select, ...values) ?? this.#sql.get(insert, ...values))!['n'])
    // Types come from outside: no more of them are kept in mind than this.
    if (this.#classes.size >= rememberedClasses) this.#classes.clear()
    this.#classes.set(key, n)
    return n
  }
}

const rememberedClasses = 4096

const groupsIn = (row: Row, facts: Facts): GroupTexts =>
  groupTexts({ name: text(row['name']), label: text(row['label']), rest: text(row['rest']) }, facts)
