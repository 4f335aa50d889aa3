/** Range and conditional headers of RFC 9110, against one version's entity tag. */
import { fail } from '../base/errors.ts'
import type { RecordHash } from '../base/words.ts'

export const entityTag = (version: RecordHash): string => `"${version}"`

/** Whether a list of entity tags (`If-Match`, `If-None-Match`) names `version`; `*` names any. */
export function namesVersion(header: string, version: RecordHash): boolean {
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === entityTag(version))
}

/**
 * The one range that a Range header asks for, as `files.get` takes it; undefined: all of it. Several
 * ranges, other units and malformed headers are answered with the whole file, as RFC 9110 §14.2 allows.
 */
export function parseRange(
  header: string | undefined,
  size: number,
  path: string,
): { first: number; last: number } | undefined {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header ?? '')
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  const range =
    match[1] === ''
      ? { first: Math.max(0, size - Number(match[2])), last: size - 1 }
      : { first: Number(match[1]), last: match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1) }
  if (match[1] !== '' && match[2] !== '' && Number(match[2]) < Number(match[1])) return undefined
  if (range.first >= size || range.first > range.last)
    throw fail('BAD_RANGE', { range: header ?? '', size, path })
  return range
}
