/** Conditions of the queries of search, with the values of their question marks. */
import type { SearchFilter, SearchStage } from './index-reader.ts'
import type { SoughtWords } from './search-text.ts'
import { timeNumber } from './sqlite-search.ts'

export type Value = string | number

export interface Condition {
  sql: string
  values: Value[]
}

export const condition = (sql: string, ...values: Value[]): Condition => ({ sql, values })

/** All of them; true when there are none. */
export function whereOf(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: '1', values: [] }
  const sql = `(${conditions.map((one) => one.sql).join(' AND ')})`
  return { sql, values: conditions.flatMap((one) => one.values) }
}

export function sizeConditions({ larger, smaller }: SearchFilter): Condition[] {
  return [
    ...(larger === undefined ? [] : [condition('facts.size > ?', larger)]),
    ...(smaller === undefined ? [] : [condition('facts.size < ?', smaller)]),
  ]
}

export const placeConditions = (below: string): Condition[] => [
  condition('e.removed = 0 AND e.path > ? AND e.path < ?', `${below}/`, `${below}0`),
]

/** Rows that the index of groups finds, or may find when their words are in it. */
export const amongWords = (query: string): Condition =>
  condition(
    `(facts.at IN (SELECT rowid FROM search_words WHERE search_words MATCH ?)
      OR facts.at IN (SELECT at FROM search_new))`,
    query,
  )

/** To the second. */
export function timeConditions({ newer, older }: SearchFilter): Condition[] {
  return [
    ...(newer === undefined ? [] : [condition('facts.at >= ?', timeNumber(newer))]),
    ...(older === undefined ? [] : [condition('facts.at < ?', timeNumber(older + 1000))]),
  ]
}

const named = "(s.name = ? OR (s.name > ? || '.' AND s.name < ? || '/'))"
const begins = 'instr(s.name, ?) = 1'
const holdsWord = 'instr(s.label, ?) > 0'
const holdsPart = "(instr(s.name, ?) > 0 OR (? <> '' AND (instr(s.label, ?) > 0 OR instr(s.rest, ?) > 0)))"

/** A row belongs to the first stage that takes it; without a stage all that match. */
export function stageConditions(stage: SearchStage | undefined, { phrase, words }: SoughtWords): Condition[] {
  if (words.length === 0) return []
  const isNamed = condition(named, phrase, phrase, phrase)
  const isBeginning = condition(begins, phrase)
  const hasWords = whereOf(
    words.map(({ plain }) => (plain === '' ? condition('0') : condition(holdsWord, ` ${plain} `))),
  )
  const hasParts = whereOf(
    words.map(({ text: part, plain }) => condition(holdsPart, part, plain, plain, plain)),
  )
  if (stage === 'name') return [isNamed]
  if (stage === 'start') return [isBeginning, not(isNamed)]
  if (stage === 'word') return [hasWords, not(isBeginning)]
  if (stage === 'part') return [hasParts, not(hasWords), not(isBeginning)]
  return [hasParts]
}

const not = ({ sql, values }: Condition): Condition => ({ sql: `NOT ${sql}`, values })
