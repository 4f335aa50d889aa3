/**
 * The orders that search can go through, each along rows of facts that lie in it, and positions in them,
 * which cursors name: a page goes on behind the last row of the one before, whatever came or went meanwhile.
 */
import { fail } from '../base/errors.ts'
import type { SearchFilter, SearchOrder } from './index-reader.ts'
import { condition, type Condition } from './search-conditions.ts'
import { num, text, type Row } from './sqlite.ts'
import { timeNumber } from './sqlite-search.ts'

/** A row's place: its number, and what sorts before that. */
export interface Position {
  at: number
  stage?: number | undefined
  size?: number | undefined
  key?: string | undefined
}

/** Above every number and size. */
export const top = Number.MAX_SAFE_INTEGER

export interface Ordering {
  name: Exclude<SearchOrder, 'rank'>
  isTime: boolean
  isSize: boolean
  /** The rows that lie in this order. */
  from: string
  columns: string
  by: string
  position(row: Row): Position
  /** Before everything that the filter takes. */
  first(filter: SearchFilter): Position
  after(position: Position): Condition
  upTo(position: Position): Condition
  /** What ends it, so far as the filter knows. */
  until(filter: SearchFilter): Condition[]
}

const atOf = (row: Row): Position => ({ at: num(row['at']) })
const sizeOf = (row: Row): Position => ({ at: num(row['at']), size: num(row['size']) })

const time = {
  isTime: true,
  isSize: false,
  from: 'search_facts facts NOT INDEXED',
  columns: 'facts.at',
  position: atOf,
}
const size = {
  isTime: false,
  isSize: true,
  from: 'search_sizes facts',
  columns: 'facts.size, facts.at',
  position: sizeOf,
}

const orderings: Record<Exclude<SearchOrder, 'rank'>, Ordering> = {
  newest: {
    ...time,
    name: 'newest',
    by: 'facts.at DESC',
    first: ({ older }) => ({ at: older === undefined ? top : timeNumber(older + 1000) }),
    after: ({ at }) => condition('facts.at < ?', at),
    upTo: ({ at }) => condition('facts.at >= ?', at),
    until: ({ newer }) => (newer === undefined ? [] : [condition('facts.at >= ?', timeNumber(newer))]),
  },
  oldest: {
    ...time,
    name: 'oldest',
    by: 'facts.at',
    first: ({ newer }) => ({ at: newer === undefined ? -1 : timeNumber(newer) - 1 }),
    after: ({ at }) => condition('facts.at > ?', at),
    upTo: ({ at }) => condition('facts.at <= ?', at),
    until: ({ older }) => (older === undefined ? [] : [condition('facts.at < ?', timeNumber(older + 1000))]),
  },
  largest: {
    ...size,
    name: 'largest',
    by: 'facts.size DESC, facts.at DESC',
    first: ({ smaller }) => ({ at: -1, size: smaller ?? top }),
    after: ({ size, at }) => condition('(facts.size, facts.at) < (?, ?)', size ?? 0, at),
    upTo: ({ size, at }) => condition('(facts.size, facts.at) >= (?, ?)', size ?? 0, at),
    until: ({ larger }) => (larger === undefined ? [] : [condition('facts.size > ?', larger)]),
  },
  smallest: {
    ...size,
    name: 'smallest',
    by: 'facts.size, facts.at',
    first: ({ larger }) => ({ at: top, size: larger ?? -1 }),
    after: ({ size, at }) => condition('(facts.size, facts.at) > (?, ?)', size ?? 0, at),
    upTo: ({ size, at }) => condition('(facts.size, facts.at) <= (?, ?)', size ?? 0, at),
    until: ({ smaller }) => (smaller === undefined ? [] : [condition('facts.size < ?', smaller)]),
  },
  name: {
    name: 'name',
    isTime: false,
    isSize: false,
    from: 'search_names facts',
    columns: 'facts.key, facts.at',
    by: 'facts.key, facts.at DESC',
    position: (row) => ({ at: num(row['at']), key: text(row['key']) }),
    first: () => ({ at: top, key: '' }),
    after: ({ key = '', at }) =>
      condition('facts.key >= ? AND (facts.key > ? OR facts.at < ?)', key, key, at),
    upTo: ({ key = '', at }) =>
      condition('facts.key <= ? AND (facts.key < ? OR facts.at >= ?)', key, key, at),
    until: () => [],
  },
}

export const ordering = (order: Exclude<SearchOrder, 'rank'>): Ordering => orderings[order]

export function cursorOf(order: SearchOrder, { at, stage = 0, size = 0, key = '' }: Position): string {
  const before = { rank: stage, newest: 0, oldest: 0, largest: size, smallest: size }
  return `${order === 'name' ? Buffer.from(key).toString('base64url') : before[order]}.${at}`
}

/** Fails with `BAD_INPUT` on what no search of this order gave. */
export function positionIn(order: SearchOrder, cursor: string): Position {
  const [, before, digits] = /^([\w-]*)\.(\d{1,16})$/.exec(cursor) ?? []
  const at = Number(digits)
  if (before !== undefined) {
    if (order === 'name') return { at, key: Buffer.from(before, 'base64url').toString() }
    if (order === 'rank' && /^[0-3]$/.test(before)) return { at, stage: Number(before) }
    if ((order === 'newest' || order === 'oldest') && before === '0') return { at }
    if ((order === 'largest' || order === 'smallest') && /^\d{1,16}$/.test(before))
      return { at, size: Number(before) }
  }
  throw fail('BAD_INPUT', { what: 'the cursor', reason: 'it is not one that this search gave' })
}
