/**
 * When a file goes by itself: its own time, or so long after its last version as its folder says. Its own
 * lies among its tags (docs/FORMAT.md), so that it travels with the version and programs of before can
 * read it; new content has none but what is said with it.
 */
import { timeText } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { expiryTag, type EntryKind } from '../store/view.ts'
import type { Expiry } from './files.ts'

const never = `${expiryTag}never`

export const isExpiryTag = (tag: string): boolean => tag.startsWith(expiryTag)

/** A file's own expiry; undefined: what its folder says. Of several the latest counts. */
export function ownExpiry(tags: readonly string[]): Expiry | undefined {
  const found = tags.filter(isExpiryTag)
  if (found.length === 0) return undefined
  if (found.includes(never)) return 'never'
  const times = found.map((tag) => Date.parse(tag.slice(expiryTag.length))).filter((at) => !Number.isNaN(at))
  return times.length === 0 ? undefined : Math.max(...times)
}

/** The tags with this expiry and no other. */
export function withExpiry(tags: readonly string[], expiry: Expiry | undefined): readonly string[] {
  if (expiry === undefined && !tags.some(isExpiryTag)) return tags
  const others = tags.filter((tag) => !isExpiryTag(tag))
  if (expiry === undefined) return others
  if (others.length >= limits.tags)
    throw fail('BAD_INPUT', { what: 'the tags', reason: `with the expiry they are more than ${limits.tags}` })
  return [...others, expiry === 'never' ? never : expiryTag + timeText(expiry)]
}

/** Of a file that comes back: a time that is over would take it away again at once. */
export function withoutPast(tags: readonly string[], now: number): readonly string[] {
  const own = ownExpiry(tags)
  return typeof own === 'number' && own <= now ? withExpiry(tags, undefined) : tags
}

export interface Expiring {
  kind: EntryKind
  tags: readonly string[]
  /** Of the version that shows. */
  time: { ms: number }
}

/** Wall milliseconds; undefined: it stays. Folders stay. */
export function expiresAt({ kind, tags, time }: Expiring, folderMs: number | undefined): number | undefined {
  if (kind === 'folder') return undefined
  const own = ownExpiry(tags)
  if (own !== undefined) return own === 'never' ? undefined : own
  return folderMs === undefined ? undefined : time.ms + folderMs
}

/** What a listing says of it. */
export function expiresLine(entry: Expiring, folderMs: number | undefined): { expires?: string } {
  const at = expiresAt(entry, folderMs)
  return at === undefined ? {} : { expires: timeText(Math.min(at, lastTime)) }
}

/** The last that a text of a time can say. */
const lastTime = Date.UTC(9999, 11, 31)
