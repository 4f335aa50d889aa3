/** Tags, description, type and category of an entry: a new version that names the same content. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { isPropertyTag } from '../codec/version-body.ts'
import { priorityTag, type EntryRow } from '../store/view.ts'
import { ownExpiry, withExpiry } from './expiry.ts'
import type { FilesParts } from './files-parts.ts'
import type { Description, FileInfo } from './files.ts'
import { info } from './info.ts'
import { categories, categorySetBy, shownTags, tagOfCategory } from './mime.ts'
import { entryAt, openPlace } from './place.ts'
import { inTurn } from './turns.ts'
import { changed } from './version-bodies.ts'

export async function describe(parts: FilesParts, path: string, description: Description): Promise<FileInfo> {
  const place = openPlace(parts, 'write', path)
  return inTurn(parts, place, () => sayNow(parts, path, description))
}

async function sayNow(parts: FilesParts, path: string, description: Description): Promise<FileInfo> {
  const place = openPlace(parts, 'write', path)
  const entry = entryAt(parts, place)
  const tags = tagsAfter(entry, description)
  const body = {
    tags,
    description: description.description ?? entry.description,
    type: description.type ?? entry.type,
  }
  requireFits(body)
  // A conflicting version stays one: what a file is called says nothing about its content.
  const version = { ...changed(parts, entry, body), parents: [entry.version] }
  if (!isSame(entry, body)) await parts.write([version])
  return info(parts, path)
}

function tagsAfter(entry: EntryRow, change: Description): string[] {
  const { tags = shownTags(entry.tags), addTags = [], removeTags = [], category } = change
  const removed = new Set(removeTags.map(normalTag))
  const kept = [...tags, ...addTags].map(normalTag).filter((tag) => !removed.has(tag))
  const setter = category === undefined ? (setterAmong(kept) ?? setterAmong(entry.tags)) : setterFor(category)
  const { priority = [...kept, ...entry.tags].includes(priorityTag) } = change
  const own = [...(setter === undefined ? [] : [setter]), ...(priority ? [priorityTag] : [])]
  const expiry = change.expires === undefined ? ownExpiry(entry.tags) : (change.expires ?? undefined)
  const tagsOfAll = [...new Set([...shownTags(kept), ...own, ...entry.tags.filter(isPropertyTag)])]
  return [...withExpiry(tagsOfAll, expiry)]
}

const setterAmong = (tags: readonly string[]): string | undefined =>
  tags.findLast((tag) => categorySetBy(tag) !== undefined)

function setterFor(category: string | null): string | undefined {
  if (category === null) return undefined
  const known = categories.find((name) => name === category)
  if (known === undefined)
    throw fail('BAD_INPUT', {
      what: 'the category',
      reason: `${category} is none of ${categories.join(', ')}`,
    })
  return tagOfCategory(known)
}

/** One form of a tag for all devices: NFC, without spaces around it. */
function normalTag(text: string): string {
  const tag = text.normalize('NFC').trim()
  const reason = whyNoTag(tag)
  if (reason !== undefined) throw fail('BAD_INPUT', { what: 'a tag', reason })
  return tag
}

function whyNoTag(tag: string): string | undefined {
  if (tag === '') return 'it is empty'
  if (!tag.isWellFormed() || /[\p{Cc},]/u.test(tag)) return 'it holds a comma or a control character'
  return Buffer.byteLength(tag) > limits.tagBytes ? `it is longer than ${limits.tagBytes} bytes` : undefined
}

function requireFits({
  tags,
  description,
  type,
}: {
  tags: string[]
  description: string
  type: string
}): void {
  if (tags.length > limits.tags)
    throw fail('BAD_INPUT', { what: 'the tags', reason: `they are more than ${limits.tags}` })
  if (Buffer.byteLength(description) > limits.descriptionBytes || !description.isWellFormed())
    throw fail('BAD_INPUT', {
      what: 'the description',
      reason: `it is longer than ${limits.descriptionBytes} bytes or no Unicode`,
    })
  if (!/^[\w.+-]+\/[\w.+-]+(?:; ?[\w-]+=[\w.-]+)*$/.test(type) || type.length > limits.typeBytes)
    throw fail('BAD_INPUT', { what: 'the type', reason: 'it is no MIME type such as image/png' })
}

function isSame(entry: EntryRow, body: { tags: string[]; description: string; type: string }): boolean {
  const said = ({ tags, description, type }: typeof body): string =>
    JSON.stringify([[...tags].sort(), description, type])
  return said(body) === said({ ...entry, tags: [...entry.tags] })
}
