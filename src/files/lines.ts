/** Lines of listings: what `ls`, `find` and the page show of an entry. */
import { timeText } from '../base/clock.ts'
import type { EntryId, FolderId } from '../base/words.ts'
import type { ShownRow } from '../store/view.ts'
import { expiresLine } from './expiry.ts'
import type { FilesParts } from './files-parts.ts'
import type { ListedEntry } from './files.ts'
import { shownTags } from './mime.ts'
import type { Place } from './place.ts'
import { propertiesOf } from './properties.ts'

/** Paths at which two devices made files apart: the later one shows and is listed as a conflict. */
export function hidingOf(
  parts: FilesParts,
  place: Pick<Place, 'id'>,
  entries: readonly ShownRow[],
): Set<string> {
  return parts.store.read.hidingAmong(
    place.id,
    entries.map(({ path }) => path),
  )
}

export function fileLine(
  parts: FilesParts,
  place: Pick<Place, 'id' | 'folder' | 'expireMs'>,
  entry: ShownRow,
  copies: ListedEntry['copies'],
  hides: boolean,
): ListedEntry {
  const tags = shownTags(entry.tags)
  const modified = timeText(entry.modified)
  return {
    path: `${place.folder}/${entry.path}`,
    kind: entry.kind === 'removed' ? 'file' : entry.kind,
    size: entry.size,
    modified,
    type: entry.type,
    version: entry.version,
    created: entry.created === entry.modified ? modified : timeText(entry.created),
    ...(entry.kind === 'folder' ? {} : { hash: entry.hash, mode: entry.mode }),
    ...(entry.target === undefined ? {} : { target: entry.target }),
    ...withProperties(parts, place.id, entry.entry, entry.tags),
    ...(entry.kind === 'folder' || copies === undefined ? {} : { copies }),
    ...(tags.length === 0 ? {} : { tags }),
    ...expiresLine(entry, place.expireMs),
    ...(hides || entry.conflicts.length > 0 ? { conflict: true } : {}),
  }
}

export function folderLine(path: string, files: number, bytes: number): ListedEntry {
  return { path, kind: 'folder', size: bytes, modified: null, type: 'inode/directory', files }
}

export function withProperties(
  parts: FilesParts,
  folder: FolderId,
  entry: EntryId | '',
  tags?: readonly string[],
): Pick<ListedEntry, 'properties'> {
  const properties = propertiesOf(parts, folder, entry, tags)
  return properties === undefined ? {} : { properties }
}
