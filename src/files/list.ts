/** A folder's lines: files with their copies, folders made or implied by paths, by name. */
import { fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { MadeFolder, Page } from '../store/index-reader.ts'
import type { EntryRow, ListedRow } from '../store/view.ts'
import { timeText } from '../base/clock.ts'
import { copiesOf, wantsOf } from './copies.ts'
import type { FilesParts } from './files-parts.ts'
import type { ListOptions, ListedEntry } from './files.ts'
import { fileLine, folderLine, hidingOf, withProperties } from './lines.ts'
import { listAt } from './list-at.ts'
import { isFolder, openPlace, type Place } from './place.ts'

/** Entries read at once: about 10 ms. */
const stepEntries = 250

export async function list(
  parts: FilesParts,
  path: string,
  options: ListOptions = {},
): Promise<Page<ListedEntry>> {
  if (path === '' || path === '/') return topFolders(parts)
  const place = openPlace(parts, 'read', path)
  const limit = Math.min(limits.listEntries, Math.max(1, options.limit ?? limits.listEntries))
  if (options.at !== undefined) return listAt(parts, place, options.at, { ...options, limit })
  if (options.recursive === true) return everything(parts, place, options.cursor, limit)
  if (!isFolder(parts, place)) return single(parts, place)
  const peers = parts.pool.countedPeers()
  const { entries, next } = parts.store.read.list(place.id, place.path, options.cursor, limit, peers)
  const wants = wantsOf(parts.pool, place.id)
  const lines = entries.map((line) =>
    line.kind === 'entry'
      ? listedLine(parts, place, line.entry, wants(line.entry.tags))
      : {
          ...folderLine(`${place.folder}/${line.path}`, line.files, line.bytes),
          ...madeFacts(parts, place, line.made),
        },
  )
  return { entries: lines, ...(next === undefined ? {} : { next }) }
}

/** What has no chunks is in its record, which every device keeps. */
function listedLine(parts: FilesParts, place: Place, row: ListedRow, want: number): ListedEntry {
  const have = row.size === 0 ? want : row.copies
  return fileLine(parts, place, row, { have, want }, row.hides)
}

/** `ls FILE`: its own line. */
function single(parts: FilesParts, place: Place): Page<ListedEntry> {
  const entry = parts.store.read.entryAt(place.id, place.path)
  if (entry === undefined) throw fail('NOT_FOUND', { what: 'path', name: place.text })
  return { entries: [lineOf(parts, place, entry)] }
}

/** The line of one path. Of a folder inside a folder the sums of what lies below are left out. */
export function look(parts: FilesParts, path: string): ListedEntry | undefined {
  const place = placeIfThere(parts, path)
  if (place === undefined) return undefined
  if (place.path === '') {
    const { files, bytes } = parts.store.read.totals(place.id)
    return { ...folderLine(place.folder, files, bytes), ...withProperties(parts, place.id, '') }
  }
  const entry = parts.store.read.entryAt(place.id, place.path)
  if (entry !== undefined && entry.kind !== 'folder') return lineOf(parts, place, entry)
  if (entry === undefined && !isFolder(parts, place)) return undefined
  const { files: _, ...line } = folderLine(place.text, 0, 0)
  return { ...line, ...madeFacts(parts, place, entry) }
}

function placeIfThere(parts: FilesParts, path: string): Place | undefined {
  try {
    return openPlace(parts, 'read', path)
  } catch (thrown) {
    if (isCode(thrown, 'NOT_FOUND')) return undefined
    throw thrown
  }
}

function lineOf(parts: FilesParts, place: Place, entry: EntryRow): ListedEntry {
  const copies = copiesOf(parts, place.id, [entry]).get(entry.version)
  return fileLine(parts, place, entry, copies, hidingOf(parts, place, [entry]).has(entry.path))
}

/** What only a folder that was made on purpose has. */
function madeFacts(parts: FilesParts, place: Place, made: MadeFolder | undefined): Partial<ListedEntry> {
  if (made === undefined) return {}
  const { entry, version, modified, created } = made
  return {
    modified: timeText(modified),
    created: timeText(created),
    version,
    ...withProperties(parts, place.id, entry),
  }
}

/** In steps, so that nobody waits behind a long page. */
async function everything(
  parts: FilesParts,
  place: Place,
  cursor: string | undefined,
  limit: number,
): Promise<Page<ListedEntry>> {
  const lines: ListedEntry[] = []
  const peers = parts.pool.countedPeers()
  const wants = wantsOf(parts.pool, place.id)
  let next = cursor
  do {
    if (lines.length > 0) await parts.clock.sleep(0)
    const step = parts.store.read.below(
      place.id,
      place.path,
      next,
      Math.min(stepEntries, limit - lines.length),
      peers,
    )
    for (const row of step.entries) lines.push(listedLine(parts, place, row, wants(row.tags)))
    next = step.next
  } while (next !== undefined && lines.length < limit)
  return { entries: lines, ...(next === undefined ? {} : { next }) }
}

/** The folders of the pool that the caller may read. */
function topFolders(parts: FilesParts): Page<ListedEntry> {
  const entries = parts.catalogue.folders().flatMap(({ id, name, open }) => {
    if (name === undefined || !open || !mayRead(parts, name)) return []
    const { files, bytes } = parts.store.read.totals(id)
    return [folderLine(name, files, bytes)]
  })
  return { entries: entries.sort((a, b) => (a.path < b.path ? -1 : 1)) }
}

export function mayRead(parts: FilesParts, folder: string): boolean {
  try {
    parts.require('read', folder)
    return true
  } catch {
    return false
  }
}
