/**
 * The write side of search: one row for each entry that is not removed. Its words go into the index of
 * three-letter groups later, in bulk: done with each small commit that costs 46 µs of CPU an entry and a
 * write to many pages, done by hundreds 35 µs and few. Until then a row waits in `search_new`, which the
 * reader looks through beside the index.
 */
import { num, text, type Row, type Sqlite } from './sqlite.ts'
import { searchTexts, type SearchTexts } from './search-text.ts'

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
  modified: number
  category: string
  tags: readonly string[]
  description: string
}

const insertSql = `
INSERT OR IGNORE INTO search (at, entry, folder, category, name, label, rest, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

export class SqliteSearch {
  readonly #sql: Sqlite

  constructor(sql: Sqlite) {
    this.#sql = sql
  }

  /** Brings an entry's row up to date; `at` is its row until now. Returns its row from now on. */
  show(at: number | undefined, shown: Searchable): number {
    const texts = searchTexts(shown.path, shown.tags, shown.description)
    if (at !== undefined) {
      if (this.#isSame(at, shown, texts)) return at
      this.hide(at)
    }
    return this.#insert(shown, texts)
  }

  hide(at: number): void {
    const row = this.#row(at)
    if (row === undefined) return
    this.#sql.run('DELETE FROM search WHERE at = ?', at)
    if (this.#sql.run('DELETE FROM search_new WHERE at = ?', at) > 0) return
    this.#sql.run('INSERT INTO search_gone (at, words) VALUES (?, ?)', at, wordsIn(row))
  }

  /** Moves up to `limit` waiting rows into the index of groups. */
  tend(limit: number): void {
    for (const row of this.#sql.all('SELECT at, words FROM search_gone LIMIT ?', limit)) {
      const at = num(row['at'])
      this.#sql.run(
        "INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', ?, ?)",
        at,
        text(row['words']),
      )
      this.#sql.run('DELETE FROM search_gone WHERE at = ?', at)
    }
    // A number that is used again must be gone before it is new.
    if (this.#sql.get('SELECT 1 FROM search_gone LIMIT 1') !== undefined) return
    for (const { at } of this.#sql.all('SELECT at FROM search_new ORDER BY at LIMIT ?', limit)) {
      this.#sql.run(
        'INSERT INTO search_words (rowid, words) VALUES (?, ?)',
        num(at),
        wordsIn(this.#row(num(at))!),
      )
      this.#sql.run('DELETE FROM search_new WHERE at = ?', num(at))
    }
  }

  #row(at: number): Row | undefined {
    return this.#sql.get('SELECT name, label, rest, tags, folder, category FROM search WHERE at = ?', at)
  }

  #isSame(at: number, shown: Searchable, texts: SearchTexts): boolean {
    const row = this.#row(at)
    return (
      row !== undefined &&
      timeNumber(shown.modified) === at - (at % places) &&
      row['name'] === texts.name &&
      row['label'] === texts.label &&
      row['rest'] === texts.rest &&
      row['tags'] === texts.tags &&
      row['category'] === shown.category
    )
  }

  #insert({ entry, folder, category, modified }: Searchable, texts: SearchTexts): number {
    const from = timeNumber(modified)
    for (let place = entry % places; ; place = (place + 1) % places) {
      const at = from + place
      const { name, label, rest, tags } = texts
      const added = this.#sql.run(insertSql, at, entry, folder, category, name, label, rest, tags)
      if (added === 0) continue
      this.#sql.run('INSERT INTO search_new (at) VALUES (?)', at)
      return at
    }
  }
}

const wordsIn = (row: Row): string => text(row['label']) + text(row['rest'])
