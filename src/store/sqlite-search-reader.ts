/**
 * The read side of search: candidates in the order asked for, a bounded number of them a look, then each
 * compared whole. Words are asked of the index of three-letter groups, which marks of class and size make
 * narrower; facts alone of the narrow rows that lie in every order: the order itself is walked where much
 * matches, and the rows of one fact are gathered and sorted where little does. So no look goes through all.
 */
import type { FolderId } from '../base/words.ts'
import type { CategoryTotal, Page, Search, SearchFilter, SearchOrder, SearchStage } from './index-reader.ts'
import { askedTerms, factsQuery, together, wordsQuery } from './search-groups.ts'
import { sortKey, tagMark } from './search-text.ts'
import {
  amongWords,
  condition,
  placeConditions,
  sizeConditions,
  stageConditions,
  timeConditions,
  whereOf,
  type Condition,
  type Value,
} from './search-conditions.ts'
import { cursorOf, ordering, positionIn, top, type Ordering, type Position } from './search-orders.ts'
import { num, text, type Sqlite } from './sqlite.ts'
import type { Numbers } from './sqlite-numbers.ts'
import type { EntryRow } from './view.ts'

/** Most rows of one look. */
export interface SearchBounds {
  /** Candidates that are compared whole. */
  listed: number
  /** So few are compared or sorted at once, however they are found. */
  few: number
  /** Rows of one fact that are sorted. */
  gathered: number
  /** Rows that an order is walked along, at first and then; those whose texts are compared meanwhile. */
  tried: number
  walked: number
  walkedTexts: number
}

/** Some milliseconds each: a narrow row takes 50 ns, one whose texts are read 1 to 5 µs. */
const usualBounds: SearchBounds = {
  listed: 600,
  few: 2_000,
  gathered: 100_000,
  tried: 5_000,
  walked: 100_000,
  walkedTexts: 15_000,
}

export interface SearchReaderParts {
  sql: Sqlite
  numbers: Numbers
  /** Entries by the join of a list of rows: `search_facts facts`, `search s`, `entries e`, `versions v`. */
  entries(where: string, values: readonly Value[]): { at: number; entry: EntryRow }[]
  bounds?: SearchBounds | undefined
}

/** A search as this database knows it. */
interface Sought extends Search {
  /** Of the search's folders, kinds and types; undefined: all there are. */
  classes: number[] | undefined
  /** How many rows these have. */
  rows: number
}

interface Candidate extends Position {
  at: number
}

/** In order; `next`: there may be more behind it. */
interface Candidates {
  list: Candidate[]
  next?: Position | undefined
}

/** Over so many rows of an order. */
interface Walk {
  rows: number
  conditions: readonly Condition[]
  /** Whether conditions are on texts. */
  readsTexts?: boolean | undefined
}

const stages: readonly SearchStage[] = ['name', 'start', 'word', 'part']

export class SqliteSearchReader {
  readonly #parts: SearchReaderParts
  readonly #sql: Sqlite
  readonly #bounds: SearchBounds

  constructor(parts: SearchReaderParts) {
    this.#parts = parts
    this.#sql = parts.sql
    this.#bounds = parts.bounds ?? usualBounds
  }

  find(search: Search, cursor: string | undefined, limit: number): Page<EntryRow> {
    const order = search.order === 'rank' && search.words.words.length === 0 ? 'newest' : search.order
    const sought = { ...search, order, ...this.#classes(search.filter) }
    const from = cursor === undefined ? undefined : positionIn(order, cursor)
    if (sought.classes?.length === 0) return { entries: [] }
    return order === 'rank' ? this.#ranked(sought, from, limit) : this.#ordered(sought, order, from, limit)
  }

  waiting(): number {
    const sql = `SELECT (SELECT count(*) FROM search_new) + (SELECT count(*) FROM search_gone)
      + (SELECT count(*) FROM meta WHERE key = 'unfilled') rows`
    return num(this.#sql.get(sql)!['rows'])
  }

  isFilled(): boolean {
    return this.#sql.get("SELECT 1 FROM meta WHERE key = 'unfilled'") === undefined
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

  /** Few enough are compared with all stages at once; else one stage after the other. */
  #ranked(sought: Sought, from: Position | undefined, limit: number): Page<EntryRow> {
    const few = this.#few(sought)
    if (few !== undefined) return this.#rankedAtOnce(sought, few, from, limit)
    const stage = from?.stage ?? 0
    const candidates = this.#staged(sought, stages[stage]!, from, limit)
    const found = this.#take(sought, candidates, stageConditions(stages[stage]!, sought.words), limit)
    const next =
      found.next === undefined
        ? stage + 1 < stages.length && { stage: stage + 1, at: top }
        : { ...found.next, stage }
    return { entries: found.entries, ...(next && { next: cursorOf('rank', next) }) }
  }

  #rankedAtOnce(
    sought: Sought,
    few: readonly Candidate[],
    from: Position | undefined,
    limit: number,
  ): Page<EntryRow> {
    const ranks = stages.map((stage, n) => ({ n, stage: whereOf(stageConditions(stage, sought.words)) }))
    const sql = `SELECT s.at, CASE ${ranks.map(({ n, stage }) => `WHEN ${stage.sql} THEN ${n}`).join(' ')} END stage
      FROM search s WHERE s.at IN (SELECT value FROM json_each(?))`
    const numbers = JSON.stringify(few.map(({ at }) => at))
    const list = this.#sql
      .all(sql, ...ranks.flatMap(({ stage }) => stage.values), numbers)
      .filter((row) => row['stage'] !== null)
      .map((row) => ({ at: num(row['at']), stage: num(row['stage']) }))
      .filter(({ at, stage }) => from === undefined || isBehind({ at, stage }, from))
      .sort((a, b) => a.stage - b.stage || b.at - a.at)
    return this.#page('rank', this.#take(sought, { list }, [], limit))
  }

  /** All candidates, when they are few. */
  #few(sought: Sought): Candidate[] | undefined {
    const newest = ordering('newest')
    const { few } = this.#bounds
    const source = this.#source(sought, newest, few)
    if (source !== undefined) return this.#allOf(sought, source)
    const found = this.#byWords(sought, undefined, newest, undefined, few)
    return found === undefined || found.next !== undefined ? undefined : found.list
  }

  #staged(sought: Sought, stage: SearchStage, from: Position | undefined, limit: number): Candidates {
    const { phrase } = sought.words
    const newest = ordering('newest')
    const before = from?.at ?? top
    if (stage === 'name') return this.#named(phrase, before)
    const after = before === top ? undefined : from
    const found = this.#byWords(sought, stage, newest, after, this.#bounds.listed)
    if (found !== undefined) return found
    if (stage === 'start' && this.#isRare(phrase)) return this.#beginning(phrase, before)
    return this.#byFacts(sought, newest, stageConditions(stage, sought.words), after, limit)
  }

  #ordered(
    sought: Sought,
    order: Exclude<SearchOrder, 'rank'>,
    from: Position | undefined,
    limit: number,
  ): Page<EntryRow> {
    const conditions = stageConditions(undefined, sought.words)
    const candidates = this.#inOrder(sought, ordering(order), conditions, from, limit)
    return this.#page(order, this.#take(sought, candidates, conditions, limit))
  }

  #inOrder(
    sought: Sought,
    order: Ordering,
    conditions: readonly Condition[],
    from: Position | undefined,
    limit: number,
  ): Candidates {
    const few = this.#few(sought)
    if (few !== undefined) return this.#sorted(sought, order, few, from)
    if (order.isTime) {
      const found = this.#byWords(sought, undefined, order, from, this.#bounds.listed)
      if (found !== undefined) return found
    }
    const query = this.#query(sought, undefined)
    if (query === undefined) return this.#byFacts(sought, order, conditions, from, limit)
    const { tried, walked } = this.#bounds
    const among = { rows: walked, conditions: [amongWords(query)] }
    const texts = { rows: tried, conditions, readsTexts: true }
    const isCommon = conditions.length > 0 && this.#isCommon(query)
    return this.#walk(sought, order, from, limit, isCommon ? [texts, among] : [among])
  }

  /** Whether so many have it in the index of groups that comparing texts along the order soon finds a page. */
  #isCommon(query: string): boolean {
    const sql = `SELECT count(*) rows FROM (SELECT 1 FROM search_words WHERE search_words MATCH ? LIMIT ?)`
    return num(this.#sql.get(sql, query, this.#bounds.gathered)!['rows']) === this.#bounds.gathered
  }

  #byFacts(
    sought: Sought,
    order: Ordering,
    texts: readonly Condition[],
    from: Position | undefined,
    limit: number,
  ): Candidates {
    const { few, gathered, tried, walked, walkedTexts } = this.#bounds
    const readsTexts = texts.length > 0
    const source = this.#source(sought, order, readsTexts || order.name === 'name' ? few : gathered)
    if (source !== undefined) return this.#gather(sought, order, source, from)
    const along = (rows: number): Walk => ({ rows, conditions: texts, readsTexts })
    return this.#walk(sought, order, from, limit, [along(tried), along(readsTexts ? walkedTexts : walked)])
  }

  /** The fact that the fewest rows share, when they are at most `most`. */
  #source({ filter, classes, rows }: Sought, order: Ordering, most: number): string | undefined {
    const { folders, below, larger, smaller, newer, older } = filter
    const sources: { rows: number; from: string }[] = []
    if (classes !== undefined)
      sources.push({ rows, from: 'search_facts facts INDEXED BY search_facts_by_class' })
    if ((larger ?? smaller) !== undefined)
      sources.push({ rows: this.#count(bySize, sizeConditions(filter), most), from: bySize })
    if ((newer ?? older) !== undefined)
      sources.push({ rows: this.#count(byTime, timeConditions(filter), most), from: byTime })
    if (below !== undefined && below !== '') sources.push(this.#belowSource(folders, below))
    const least = sources.sort((a, b) => a.rows - b.rows)[0]
    // What lies in the order anyway is walked.
    if (least === undefined || least.rows > most || least.from === order.from) return undefined
    return least.from
  }

  /** Entries below a path are counted; it is one folder's. */
  #belowSource(folders: readonly FolderId[], below: string): { rows: number; from: string } {
    const numbers = folders.map((folder) => this.#parts.numbers.folder(folder) ?? -1)
    const sql =
      'SELECT sum(entries) rows FROM paths WHERE path = ? AND folder IN (SELECT value FROM json_each(?))'
    const { rows } = this.#sql.get(sql, below, JSON.stringify(numbers))!
    return { rows: num(rows ?? 0), from: belowPath }
  }

  /** No more than is needed to see that it is over `most`. */
  #count(from: string, conditions: readonly Condition[], most: number): number {
    const where = whereOf(conditions)
    const sql = `SELECT count(*) rows FROM (SELECT 1 FROM ${from} WHERE ${where.sql} LIMIT ?)`
    return num(this.#sql.get(sql, ...where.values, most + 1)!['rows'])
  }

  /** Along the order, one walk after the other until there is enough for a page. */
  #walk(
    sought: Sought,
    order: Ordering,
    from: Position | undefined,
    limit: number,
    walks: readonly Walk[],
  ): Candidates {
    const facts = this.#factConditions(sought, order)
    const until = order.until(sought.filter)
    const wanted = Math.min(this.#bounds.listed, limit + spareRows)
    const list: Candidate[] = []
    let at = from ?? order.first(sought.filter)
    for (const walk of walks) {
      const conditions = [...facts, ...walk.conditions]
      // Where every row matches a page ends soon.
      const end =
        conditions.length === 0 ? undefined : this.#walkEnd(order, [order.after(at), ...until], walk.rows)
      const range = [order.after(at), ...(end === undefined ? until : [order.upTo(end)])]
      const where = whereOf([...range, ...conditions])
      const texts = walk.readsTexts === true ? 'CROSS JOIN search s ON s.at = facts.at' : ''
      const sql = `SELECT ${order.columns} FROM ${order.from} ${texts} WHERE ${where.sql} ORDER BY ${order.by} LIMIT ?`
      list.push(...this.#positions(order, sql, where.values, wanted - list.length))
      if (list.length === wanted) return { list, next: list.at(-1) }
      if (end === undefined) return { list }
      at = end
    }
    return { list, next: at }
  }

  #walkEnd(order: Ordering, range: readonly Condition[], rows: number): Position | undefined {
    const where = whereOf(range)
    const sql = `SELECT ${order.columns} FROM ${order.from} WHERE ${where.sql} ORDER BY ${order.by} LIMIT 1 OFFSET ?`
    const row = this.#sql.get(sql, ...where.values, rows)
    return row === undefined ? undefined : order.position(row)
  }

  /** All rows of one fact, sorted. */
  #gather(sought: Sought, order: Ordering, from: string, after: Position | undefined): Candidates {
    if (order.name === 'name') return this.#sorted(sought, order, this.#allOf(sought, from), after)
    const start = order.after(after ?? order.first(sought.filter))
    const where = whereOf([...this.#sourceConditions(sought, from), start])
    const sql = `SELECT ${order.columns} FROM ${from} WHERE ${where.sql} ORDER BY ${order.by} LIMIT ?`
    return this.#ended(this.#positions(order, sql, where.values))
  }

  #allOf(sought: Sought, from: string): Candidate[] {
    const where = whereOf([...this.#sourceConditions(sought, from)])
    const sql = `SELECT facts.at FROM ${from} WHERE ${where.sql}`
    return this.#sql.all(sql, ...where.values).map((row) => ({ at: num(row['at']) }))
  }

  #positions(
    order: Ordering,
    sql: string,
    values: readonly Value[],
    limit = this.#bounds.listed,
  ): Candidate[] {
    return this.#sql.all(sql, ...values, limit).map((row) => order.position(row))
  }

  #ended(list: Candidate[]): Candidates {
    return { list, next: list.length < this.#bounds.listed ? undefined : list.at(-1) }
  }

  /** Rows that are known by their numbers, in another order than that of time. */
  #sorted(
    sought: Sought,
    order: Ordering,
    all: readonly Candidate[],
    after: Position | undefined,
  ): Candidates {
    const numbers = JSON.stringify(all.map(({ at }) => at))
    const among = condition('facts.at IN (SELECT value FROM json_each(?))', numbers)
    if (order.name === 'name') return this.#sortedByName(among, after)
    const where = whereOf([among, ...this.#factConditions(sought), ...this.#rangeConditions(sought)])
    const start = order.after(after ?? order.first(sought.filter))
    const sql = `SELECT ${order.columns} FROM search_facts facts WHERE ${where.sql} AND ${start.sql} ORDER BY ${order.by} LIMIT ?`
    return this.#ended(this.#positions(order, sql, [...where.values, ...start.values]))
  }

  #sortedByName(among: Condition, after: Position | undefined): Candidates {
    const rows = this.#sql.all(
      `SELECT facts.at, facts.name FROM search facts WHERE ${among.sql}`,
      ...among.values,
    )
    const sorted = rows
      .map((row) => ({ at: num(row['at']), key: sortKey(text(row['name'])) }))
      .filter((row) => after === undefined || byName(row, after) > 0)
      .sort(byName)
    const list = sorted.slice(0, this.#bounds.listed)
    return { list, next: list.length < sorted.length ? list.at(-1) : undefined }
  }

  /** The exact name, with or without what follows its first dot. */
  #named(name: string, from: number): Candidates {
    const sql = `SELECT at FROM search WHERE name = ? AND at < ?
      UNION ALL SELECT at FROM search WHERE name > ? AND name < ? AND at < ? ORDER BY at DESC LIMIT ?`
    const values = [name, from, `${name}.`, `${name}/`, from]
    return this.#ended(this.#positions(ordering('newest'), sql, values))
  }

  /** Names that begin with what is too short for the index of groups. */
  #beginning(start: string, from: number): Candidates {
    const sql = `SELECT at FROM search INDEXED BY search_by_name WHERE name >= ? AND name < ? AND at < ?
      ORDER BY at DESC LIMIT ?`
    return this.#ended(this.#positions(ordering('newest'), sql, [start, afterStart(start), from]))
  }

  /** Whether few enough names begin so that all of them can be sorted by time. */
  #isRare(start: string): boolean {
    const sql = 'SELECT 1 FROM search WHERE name >= ? AND name < ? LIMIT 1 OFFSET ?'
    return this.#sql.get(sql, start, afterStart(start), this.#bounds.gathered) === undefined
  }

  /** What the index of groups knows, by time; rows whose words are not in it yet are candidates too. */
  #byWords(
    sought: Sought,
    stage: SearchStage | undefined,
    order: Ordering,
    from: Position | undefined,
    limit: number,
  ): Candidates | undefined {
    const { filter } = sought
    const query = this.#query(sought, stage, from)
    if (query === undefined) return undefined
    const start = from ?? order.first(filter)
    const found = this.#indexed(query, sought, order, start, limit)
    const where = whereOf([order.after(start), ...order.until(filter)])
    const sql = `SELECT facts.at FROM search_new facts WHERE ${where.sql} ORDER BY ${order.by} LIMIT ?`
    const recent = this.#sql.all(sql, ...where.values, limit + 1).map((row) => ({ at: num(row['at']) }))
    return merged(order, cut(found, limit), cut(recent, limit))
  }

  /**
   * Undefined when nothing that is sought is long enough to ask. Behind a first look pairs of letters are asked by all
   * groups that begin with them: what is common was found by then.
   */
  #query(
    { words, filter, classes }: Sought,
    stage: SearchStage | undefined,
    from?: Position,
  ): string | undefined {
    const pairs = from === undefined ? undefined : (pair: string) => this.#groupsFrom(pair)
    const asked = wordsQuery(stage, words, filter, pairs)
    return asked && together([asked, factsQuery(classes, filter, this.#sizes(filter))])
  }

  #groupsFrom(pair: string): string[] {
    const sql = 'SELECT term FROM search_terms WHERE term >= ? AND term < ? LIMIT ?'
    return this.#sql.all(sql, pair, afterStart(pair), askedTerms).map((row) => text(row['term']))
  }

  #indexed(query: string, sought: Sought, order: Ordering, start: Position, limit: number): Candidate[] {
    const time = whereOf([order.after(start), ...order.until(sought.filter)])
    // Groups tell sizes only roughly.
    const sizes = whereOf(sizeConditions(sought.filter))
    const join = sizes.values.length === 0 ? '' : 'CROSS JOIN search_facts facts ON facts.at = w.rowid'
    const sql = `SELECT w.rowid AS at FROM search_words w ${join} WHERE w.search_words MATCH ?
      AND ${time.sql.replaceAll('facts.at', 'w.rowid')} AND ${sizes.sql}
      ORDER BY ${order.by.replaceAll('facts.at', 'w.rowid')} LIMIT ?`
    return this.#sql
      .all(sql, query, ...time.values, ...sizes.values, limit + 1)
      .map((row) => ({ at: num(row['at']) }))
  }

  /** The least and the most bytes of any entry. */
  #sizes({ larger, smaller }: SearchFilter): { least: number; most: number } {
    if ((larger ?? smaller) === undefined) return { least: 0, most: 0 }
    const sql = 'SELECT (SELECT min(size) FROM search_sizes) least, (SELECT max(size) FROM search_sizes) most'
    const row = this.#sql.get(sql)!
    return { least: num(row['least'] ?? 0), most: num(row['most'] ?? 0) }
  }

  /** Compares candidates whole, until `limit` of them are found. */
  #take(
    sought: Sought,
    { list, next }: Candidates,
    conditions: readonly Condition[],
    limit: number,
  ): { entries: EntryRow[]; next?: Position | undefined } {
    const all = whereOf([...conditions, ...this.#entryConditions(sought)])
    const entries: EntryRow[] = []
    const chunk = Math.max(limit, 100)
    for (let at = 0; at < list.length; at += chunk) {
      const part = list.slice(at, at + chunk)
      const found = this.#compared(part, all)
      for (const [index, candidate] of part.entries()) {
        const entry = found.get(candidate.at)
        if (entry !== undefined) entries.push(entry)
        const isLast = at + index === list.length - 1
        if (entries.length === limit) return { entries, next: isLast ? next : candidate }
      }
    }
    return { entries, next }
  }

  #compared(candidates: readonly Candidate[], { sql, values }: Condition): Map<number, EntryRow> {
    const numbers = JSON.stringify(candidates.map(({ at }) => at))
    const where = `WHERE facts.at IN (SELECT value FROM json_each(?)) AND ${sql}`
    const rows = this.#parts.entries(where, [numbers, ...values])
    return new Map(rows.map(({ at, entry }) => [at, entry]))
  }

  #page(
    order: SearchOrder,
    { entries, next }: { entries: EntryRow[]; next?: Position | undefined },
  ): Page<EntryRow> {
    return { entries, ...(next === undefined ? {} : { next: cursorOf(order, next) }) }
  }

  /** Which classes match, undefined when all do, and how many rows these have. */
  #classes({ folders, type, category }: SearchFilter): { classes: number[] | undefined; rows: number } {
    const numbers = folders.map((folder) => this.#parts.numbers.folder(folder) ?? -1)
    const where = whereOf([
      condition('folder IN (SELECT value FROM json_each(?))', JSON.stringify(numbers)),
      ...(type === undefined ? [] : [condition('instr(type, ?) = 1', type)]),
      ...(category === undefined ? [] : [condition("category = ? AND kind <> 'folder'", category)]),
    ])
    const all = this.#sql.all(`SELECT n, rows, ${where.sql} matches FROM search_classes`, ...where.values)
    const matching = all.filter((row) => row['matches'] === 1 && num(row['rows']) > 0)
    const rows = matching.reduce((sum, row) => sum + num(row['rows']), 0)
    const isAll = all.every((row) => row['matches'] === 1 || row['rows'] === 0)
    return { classes: isAll && rows > 0 ? undefined : matching.map((row) => num(row['n'])), rows }
  }

  /** Of class, and of what is not the order itself. */
  #factConditions({ classes, filter }: Sought, order?: Ordering): Condition[] {
    const conditions: Condition[] = []
    if (classes?.length === 1) conditions.push(condition('facts.class = ?', classes[0]!))
    else if (classes !== undefined)
      conditions.push(condition('facts.class IN (SELECT value FROM json_each(?))', JSON.stringify(classes)))
    if (order === undefined) return conditions
    if (!order.isTime) conditions.push(...timeConditions(filter))
    if (!order.isSize) conditions.push(...sizeConditions(filter))
    return conditions
  }

  #sourceConditions(sought: Sought, from: string): Condition[] {
    const { folders, below = '' } = sought.filter
    const numbers = folders.map((folder) => this.#parts.numbers.folder(folder) ?? -1)
    const inFolders = condition('e.folder IN (SELECT value FROM json_each(?))', JSON.stringify(numbers))
    const places = from === belowPath ? [inFolders, ...placeConditions(below)] : []
    return [...places, ...this.#factConditions(sought), ...this.#rangeConditions(sought)]
  }

  #rangeConditions({ filter }: Sought): Condition[] {
    return [...timeConditions(filter), ...sizeConditions(filter)]
  }

  /** Everything but words. */
  #entryConditions(sought: Sought): Condition[] {
    const { below, newer, older, tags = [] } = sought.filter
    const conditions = [...this.#factConditions(sought), ...this.#rangeConditions(sought)]
    conditions.push(condition('e.shadowed = 0'))
    for (const tag of tags) conditions.push(condition('instr(s.tags, ?) > 0', tagMark(tag)))
    if (below !== undefined && below !== '') conditions.push(...placeConditions(below))
    if (newer !== undefined) conditions.push(condition('v.modified > ?', newer))
    if (older !== undefined) conditions.push(condition('v.modified < ?', older))
    return conditions
  }
}

const byTime = 'search_facts facts NOT INDEXED'
const bySize = 'search_sizes facts'
const belowPath = 'entries e INDEXED BY entries_by_path CROSS JOIN search_facts facts ON facts.at = e.search'
/** Beyond a page: some rows are hidden by others. */
const spareRows = 20

const afterStart = (start: string): string => `${start}\u{10FFFF}`

const isBehind = (a: { stage: number; at: number }, b: Position): boolean =>
  a.stage > (b.stage ?? 0) || (a.stage === (b.stage ?? 0) && a.at < b.at)

/** As the database compares: by bytes, which is by letters; of one name the newest first. */
function byName(a: Position, b: Position): number {
  return Buffer.compare(Buffer.from(a.key ?? ''), Buffer.from(b.key ?? '')) || b.at - a.at
}

/** Of `limit` + 1 rows. */
function cut(list: Candidate[], limit: number): Candidates {
  return list.length <= limit ? { list } : { list: list.slice(0, limit), next: list[limit - 1] }
}

/** Two lists by time as one, which ends where the first of them ends. */
function merged(order: Ordering, a: Candidates, b: Candidates): Candidates {
  if (b.list.length === 0) return a
  const sign = order.name === 'oldest' ? 1 : -1
  const ends = [a.next, b.next].filter((next) => next !== undefined)
  const next = ends.sort((x, y) => sign * (x.at - y.at))[0]
  const numbers = new Set([...a.list, ...b.list].map(({ at }) => at))
  const list = [...numbers]
    .filter((at) => next === undefined || sign * (at - next.at) <= 0)
    .sort((x, y) => sign * (x - y))
    .map((at) => ({ at }))
  return { list, next }
}
