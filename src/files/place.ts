/** Where a path leads: parsed, authorised, its folder found. Every verb begins here. */
import { fail } from '../base/errors.ts'
import type { FolderId, RecordHash } from '../base/words.ts'
import type { Page } from '../store/index-reader.ts'
import type { EntryRow, VersionRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import { foldersAbove, parsePath, pathText, type FilePath } from './paths.ts'

export interface Place extends FilePath {
  id: FolderId
  /** The whole path as people see it. */
  text: string
  /** So long after their last version files here expire. */
  expireMs: number | undefined
}

/** Parses and authorises a path; `BAD_PATH`, `FORBIDDEN`, or `NOT_FOUND` for its folder. */
export function openPlace(parts: FilesParts, scope: 'read' | 'write', path: string): Place {
  const parsed = parsePath(path)
  const text = pathText(parsed)
  parts.require(scope, text)
  const folder = parts.catalogue.folderNamed(parsed.folder)
  if (folder === undefined) throw fail('NOT_FOUND', { what: 'folder', name: parsed.folder })
  return { ...parsed, id: folder.id, text, expireMs: folder.policy.expireMs }
}

/** The entry that shows at a place, or `NOT_FOUND`. */
export function entryAt(parts: FilesParts, place: Place): EntryRow {
  const entry = parts.store.read.entryAt(place.id, place.path)
  if (entry === undefined) throw fail('NOT_FOUND', { what: 'file', name: place.text })
  return entry
}

/** Every version that a change of this entry replaces. */
export function headsOf(entry: EntryRow): RecordHash[] {
  return [entry.version, ...entry.conflicts]
}

/** Whether a place is a folder: its top, one made on purpose, or one implied by what lies below. */
export function isFolder(parts: FilesParts, place: Place): boolean {
  if (place.path === '') return true
  if (parts.store.read.entryAt(place.id, place.path)?.kind === 'folder') return true
  return hasBelow(parts, place)
}

function hasBelow({ store }: FilesParts, { id, path }: Place): boolean {
  return store.read.hasBelow(id, path)
}

/** Fails unless a new file may lie here, where nothing shows: not where a folder is implied, not below a file. */
export function requireFilePlace(parts: FilesParts, place: Place): void {
  if (place.path === '' || hasBelow(parts, place)) throw fail('IS_FOLDER', { path: place.text })
  requireFoldersAbove(parts, place)
}

/** Fails when something above this place is a file. */
export function requireFoldersAbove(parts: FilesParts, place: Place): void {
  const above = foldersAbove(place.path)
  if (above.length === 0) return
  const [path] = parts.store.read.filesAmong(place.id, above)
  if (path !== undefined)
    throw fail('ALREADY_EXISTS', { what: 'file', name: pathText({ folder: place.folder, path }) })
}

/** Other entries at the same path that a later one hides: what concurrent writers left. */
export function shadowedAt(parts: FilesParts, place: Place): EntryRow[] {
  return parts.store.read.shadowedAt(place.id, place.path)
}

/** What concurrent writers left hidden at a place and below: it would come out when what hides it goes. */
export function hiddenAt(parts: FilesParts, { id, path }: Place): EntryRow[] {
  const { read } = parts.store
  return [...read.shadowedAt(id, path), ...read.shadowedBelow(id, path)]
}

/** Everything below a place, the place itself left out. */
export function* everythingBelow(parts: FilesParts, place: Place): Generator<EntryRow> {
  let cursor: string | undefined
  do {
    const page: Page<EntryRow> = parts.store.read.tree(place.id, place.path, cursor, pageEntries)
    for (const entry of page.entries) if (entry.path !== place.path) yield entry
    cursor = page.next
  } while (cursor !== undefined)
}

const pageEntries = 1000

/** What shows and what is hidden at a place and below. */
export function everythingAt(parts: FilesParts, place: Place): EntryRow[] {
  const shown = parts.store.read.entryAt(place.id, place.path)
  return [
    ...(shown === undefined ? [] : [shown]),
    ...everythingBelow(parts, place),
    ...hiddenAt(parts, place),
  ]
}

/** The version to read: the one that shows, or a named one that this path ever had. */
export function versionAt(parts: FilesParts, place: Place, version: RecordHash | undefined): VersionRow {
  if (version === undefined) return entryAt(parts, place)
  const row = parts.store.read.version(version)
  const here = row !== undefined && row.gone !== true && row.folder === place.id && hadPath(parts, place, row)
  if (!here) throw fail('NOT_FOUND', { what: 'version', name: `${version} of ${place.text}` })
  return row
}

/** Whether the version's entry ever lay at this place: a version is authorised by its path. */
function hadPath(parts: FilesParts, place: Place, row: VersionRow): boolean {
  return (
    row.path === place.path ||
    parts.store.read.entriesAt(place.id, place.path).some((entry) => entry.entry === row.entry)
  )
}
