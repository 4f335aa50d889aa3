/** Range and conditional headers of RFC 9110. An entity tag names content: its hash, and how it was encoded. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/**
 * Where an encoded form of the content is sent, its tag differs (RFC 9110 §8.8.3.3). 128 bits of the
 * hash are enough, and some clients have room for few bytes: litmus writes two tags into 200.
 */
export const entityTag = (hash: string, encoding?: string): string =>
  encoding === undefined ? `"${hash.slice(0, 32)}"` : `"${hash.slice(0, 32)}-${encoding}"`

/** Whether `If-None-Match` names the content in whatever form; `*` names any. */
export const namesWeakly = (header: string, hash: string): boolean => named(header, hash, /^W\//)

/** Whether `If-Match` names the content: only strong tags count. */
export const namesStrongly = (header: string, hash: string): boolean => named(header, hash, /^$/)

function named(header: string, hash: string, mark: RegExp): boolean {
  if (header.trim() === '*') return true
  return header.split(',').some((item) => {
    const tag = item.trim().replace(mark, '')
    return (
      tag === entityTag(hash) ||
      (tag.startsWith(`"${hash.slice(0, 32)}-`) && /^"[0-9a-f]+-(?:gzip|br|zstd)"$/.test(tag))
    )
  })
}

/** First and last byte, both included. */
export interface ByteRange {
  first: number
  last: number
}

/**
 * The ranges that a Range header asks for, in its order; undefined: all of the file, also for other
 * units, malformed headers and more than `limits.httpRanges` (RFC 9110 §14.2 allows all three).
 * Ranges that overlap become one, so that no answer is larger than the file. `BAD_RANGE` when none
 * lies inside the file.
 */
export function parseRanges(header: string | undefined, size: number, path: string): ByteRange[] | undefined {
  const list = /^bytes=(.+)$/.exec(header ?? '')?.[1]?.split(',')
  if (list === undefined || list.length > limits.httpRanges) return undefined
  const asked = list.map((item) => parseRange(item.trim(), size))
  if (asked.includes('malformed')) return undefined
  const inside = asked.filter((range): range is ByteRange => typeof range === 'object')
  if (inside.length === 0) throw fail('BAD_RANGE', { range: header ?? '', size, path })
  return withoutOverlaps(inside)
}

function parseRange(text: string, size: number): ByteRange | 'malformed' | 'outside' {
  const [whole, from = '', to = ''] = /^(\d{0,15})-(\d{0,15})$/.exec(text) ?? []
  if (whole === undefined || (from === '' && to === '')) return 'malformed'
  if (from !== '' && to !== '' && Number(to) < Number(from)) return 'malformed'
  const range =
    from === ''
      ? { first: Math.max(0, size - Number(to)), last: size - 1 }
      : { first: Number(from), last: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
  return range.first >= size || range.first > range.last ? 'outside' : range
}

/** The ranges as asked, or, where two touch, ascending and merged. */
function withoutOverlaps(ranges: ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = []
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = merged.at(-1)
    if (before !== undefined && range.first <= before.last + 1)
      before.last = Math.max(before.last, range.last)
    else merged.push({ ...range })
  }
  return merged.length === ranges.length ? ranges : merged
}
