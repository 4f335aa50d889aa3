/**
 * The read side of search. Rows are numbered by time, so every way to find candidates gives the newest
 * first and can stop: names by their index, words and parts of words by the index of three-letter groups,
 * what has no three letters by going through all rows. Each call looks at a bounded number of them.
 */
import type { FolderId } from '../base/words.ts'
import type { CategoryTotal, Found, FoundStep, SearchFilter, SearchStage } from './index-reader.ts'
import { num, text, type Sqlite } from './sqlite.ts'
import type { Numbers } from './sqlite-numbers.ts'
import { timeNumber } from './sqlite-search.ts'
import { groupsQuery, tagMark, type SoughtWords } from './search-text.ts'
import type { EntryRow } from './view.ts'

type Value = string | number

interface Condition {
  sql: string
  values: Value[]
}

/** Candidates of one step: their numbers, or all rows down to a number. */
type Candidates = Listed | { kind: 'range'; from: number; next: number | undefined }

interface Listed {
  kind: 'list'
  numbers: number[]
  next: number | undefined
}

/** Candidates of one step: looked up one by one, and read in a row; each some milliseconds. */
const listed = 600
const scanned = 15_000
/** Names that begin alike are sorted by time up to so many. */
const sortedNames = 30_000
/** Above every number. */
const top = Number.MAX_SAFE_INTEGER

export interface SearchReaderParts {
  sql: Sqlite
  numbers: Numbers
  /** Entries by the join of a list of rows: `search s`, `entries e`, `versions v`. */
  entries(from: string, values: readonly Value[]): { at: number; entry: EntryRow }[]
}

export class SqliteSearchReader {
  readonly #parts: SearchReaderParts
  readonly #sql: Sqlite

  constructor(parts: SearchReaderParts) {
    this.#parts = parts
    this.#sql = parts.sql
  }

  find(
    stage: SearchStage,
    words: SoughtWords,
    filter: SearchFilter,
    from: number | undefined,
    limit: number,
  ): FoundStep {
    const ascending = stage === 'oldest'
    const before = from ?? (ascending ? -1 : top)
    const candidates = this.#candidates(stage, words, filter, before)
    const conditions = [membership(candidates, before, ascending), ...stageConditions(stage, words)]
    conditions.push(...this.#filterConditions(filter))
    const sql = `WHERE ${conditions.map((condition) => condition.sql).join(' AND ')}
      ORDER BY s.at ${ascending ? '' : 'DESC'} LIMIT ?`
    const values = [...conditions.flatMap((condition) => condition.values), limit + 1]
    const rows = this.#parts.entries(sql, values)
    const found: Found[] = rows.slice(0, limit)
    const next = rows.length > limit ? found.at(-1)!.at : candidates.next
    return { found, ...(next === undefined ? {} : { next }) }
  }

  waiting(): number {
    const sql = 'SELECT (SELECT count(*) FROM search_new) + (SELECT count(*) FROM search_gone) rows'
    return num(this.#sql.get(sql)!['rows'])
  }

  categories(folder: FolderId): CategoryTotal[] {
    const sql =
      'SELECT category, files, bytes FROM categories WHERE folder = ? AND files > 0 ORDER BY category'
    return this.#sql.all(sql, this.#parts.numbers.folder(folder) ?? -1).map((row) => ({
      category: text(row['category']),
      files: num(row['files']),
      bytes: num(row['bytes']),
    }))
  }

  #candidates(stage: SearchStage, words: SoughtWords, filter: SearchFilter, from: number): Candidates {
    if (stage === 'oldest') return this.#scan(from, true)
    if (stage === 'name') return this.#named(words.phrase, from)
    if (stage === 'start' && this.#isRare(words.phrase)) return this.#beginning(words.phrase, from)
    const groups = groupsQuery([...groupParts(stage, words), ...tagParts(filter)])
    if (groups !== undefined) return this.#byGroups(groups, from)
    if (filter.category !== undefined && words.words.length === 0)
      return this.#list('SELECT at FROM search WHERE category = ? AND at < ? ORDER BY at DESC', [
        filter.category,
        from,
      ])
    return this.#scan(from, false)
  }

  #list(sql: string, values: readonly Value[], limit = listed): Listed {
    const numbers = this.#sql.all(`${sql} LIMIT ?`, ...values, limit).map((row) => num(row['at']))
    return { kind: 'list', numbers, next: numbers.length < limit ? undefined : numbers.at(-1) }
  }

  /** The exact name, with or without what follows its first dot. */
  #named(name: string, from: number): Candidates {
    const sql = `SELECT at FROM search WHERE name = ? AND at < ?
      UNION ALL SELECT at FROM search WHERE name > ? AND name < ? AND at < ? ORDER BY at DESC`
    return this.#list(sql, [name, from, `${name}.`, `${name}/`, from])
  }

  #beginning(start: string, from: number): Candidates {
    const sql = `SELECT at FROM search INDEXED BY search_by_name WHERE name >= ? AND name < ? AND at < ? ORDER BY at DESC`
    return this.#list(sql, [start, afterStart(start), from])
  }

  /** Whether few enough names begin so that all of them can be sorted by time. */
  #isRare(start: string): boolean {
    const sql = 'SELECT 1 FROM search WHERE name >= ? AND name < ? LIMIT 1 OFFSET ?'
    return this.#sql.get(sql, start, afterStart(start), sortedNames) === undefined
  }

  /** Rows whose words are not in the index yet are candidates too. */
  #byGroups(groups: string, from: number): Candidates {
    const sql =
      'SELECT rowid AS at FROM search_words WHERE search_words MATCH ? AND rowid < ? ORDER BY rowid DESC'
    const found = this.#list(sql, [groups, from])
    const recent = this.#list('SELECT at FROM search_new WHERE at < ? ORDER BY at DESC', [from])
    return newestOf(found, recent)
  }

  /** The next rows by time. */
  #scan(from: number, ascending: boolean): Candidates {
    const sql = ascending
      ? 'SELECT at FROM search WHERE at > ? ORDER BY at LIMIT 1 OFFSET ?'
      : 'SELECT at FROM search WHERE at < ? ORDER BY at DESC LIMIT 1 OFFSET ?'
    const row = this.#sql.get(sql, from, scanned)
    if (row !== undefined) return { kind: 'range', from: num(row['at']), next: num(row['at']) }
    return { kind: 'range', from: ascending ? top : -1, next: undefined }
  }

  #filterConditions(filter: SearchFilter): Condition[] {
    const folders = filter.folders.map((folder) => this.#parts.numbers.folder(folder) ?? -1)
    const conditions = [condition('e.shadowed = 0')]
    conditions.push(condition('s.folder IN (SELECT value FROM json_each(?))', JSON.stringify(folders)))
    for (const tag of filter.tags ?? []) conditions.push(condition('instr(s.tags, ?) > 0', tagMark(tag)))
    const { below, category, type, larger, smaller, newer, older } = filter
    if (below !== undefined && below !== '')
      conditions.push(condition('e.path > ? AND e.path < ?', `${below}/`, `${below}0`))
    if (category !== undefined) conditions.push(condition("s.category = ? AND v.kind <> 'folder'", category))
    if (type !== undefined) conditions.push(condition('instr(v.type, ?) = 1', type))
    if (larger !== undefined) conditions.push(condition('v.size > ?', larger))
    if (smaller !== undefined) conditions.push(condition('v.size < ?', smaller))
    if (newer !== undefined)
      conditions.push(condition('s.at >= ? AND v.modified > ?', timeNumber(newer), newer))
    if (older !== undefined)
      conditions.push(condition('s.at < ? AND v.modified < ?', timeNumber(older + 1000), older))
    return conditions
  }
}

const condition = (sql: string, ...values: Value[]): Condition => ({ sql, values })

const afterStart = (start: string): string => `${start}\u{10FFFF}`

function membership(candidates: Candidates, from: number, ascending: boolean): Condition {
  if (candidates.kind === 'list')
    return condition('s.at IN (SELECT value FROM json_each(?))', JSON.stringify(candidates.numbers))
  return ascending
    ? condition('s.at > ? AND s.at <= ?', from, candidates.from)
    : condition('s.at < ? AND s.at >= ?', from, candidates.from)
}

const named = "(s.name = ? OR (s.name > ? || '.' AND s.name < ? || '/'))"
const begins = 'instr(s.name, ?) = 1'
const holdsWord = 'instr(s.label, ?) > 0'
const holdsPart = "(instr(s.name, ?) > 0 OR (? <> '' AND instr(s.label || s.rest, ?) > 0))"

/** A row belongs to the first stage that takes it. */
function stageConditions(stage: SearchStage, { phrase, words }: SoughtWords): Condition[] {
  if (words.length === 0) return []
  const isNamed = condition(named, phrase, phrase, phrase)
  const isBeginning = condition(begins, phrase)
  const hasWords = all(
    words.map(({ plain }) => condition(plain === '' ? '0' : holdsWord, ...inSpaces(plain))),
  )
  const hasParts = all(words.map(({ text: part, plain }) => condition(holdsPart, part, plain, plain)))
  if (stage === 'name') return [isNamed]
  if (stage === 'start') return [isBeginning, not(isNamed)]
  if (stage === 'word') return [hasWords, not(isBeginning)]
  if (stage === 'part') return [hasParts, not(hasWords), not(isBeginning)]
  return [hasParts]
}

const inSpaces = (plain: string): string[] => (plain === '' ? [] : [` ${plain} `])

function all(conditions: readonly Condition[]): Condition {
  const sql = `(${conditions.map((one) => one.sql).join(' AND ')})`
  return { sql, values: conditions.flatMap((one) => one.values) }
}

const not = ({ sql, values }: Condition): Condition => ({ sql: `NOT ${sql}`, values })

/** What the index of groups is asked for: spaces tell where words begin and end. */
function groupParts(stage: SearchStage, { words }: SoughtWords): string[] {
  return words.map(({ plain }) => {
    if (plain === '') return ''
    if (stage === 'word') return ` ${plain} `
    // The last word of a name's beginning may go on.
    return stage === 'start' ? ` ${plain}` : plain
  })
}

/** A tag's words stand in the index too. */
function tagParts({ tags = [] }: SearchFilter): string[] {
  return tags
    .map((tag) => tagMark(tag).replaceAll('\u{1f}', ''))
    .filter((tag) => /^[\p{L}\p{N}]+$/u.test(tag))
}

function newestOf(a: Listed, b: Listed): Listed {
  if (b.numbers.length === 0) return a
  // What lies behind the end of either list is not known yet.
  const end = Math.max(a.next ?? -1, b.next ?? -1)
  const numbers = [...new Set([...a.numbers, ...b.numbers])].filter((at) => at >= end).sort((x, y) => y - x)
  return { kind: 'list', numbers, next: end === -1 ? undefined : end }
}
