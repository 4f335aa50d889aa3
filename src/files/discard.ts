/**
 * Gives up, before its retention ends, what can no longer be undone then: single versions of a file, and
 * what lies in the trash. A record says so to every member; what shows is never given up.
 */
import { fail } from '../base/errors.ts'
import type { RecordHash } from '../base/words.ts'
import type { EntryRow, VersionRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import { openPlace, versionAt, type Place } from './place.ts'
import { changed, tombstone } from './version-bodies.ts'

/** Removes earlier and conflicting versions of a file for good. */
export async function discardVersions(
  parts: FilesParts,
  path: string,
  versions: readonly RecordHash[],
): Promise<{ removed: number }> {
  const place = openPlace(parts, 'write', path)
  const rows = [...new Set(versions)].map((version) => versionAt(parts, place, version))
  const ending = new Map<string, EntryRow>()
  for (const row of rows) {
    const entry = headEntry(parts, place, row)
    if (entry !== undefined) ending.set(entry.entry, entry)
  }
  // What nothing replaced yet is replaced first: by the version that shows, or by a tombstone.
  const replacing = [...ending.values()].map((entry) =>
    entry.shadowed ? tombstone(entry) : changed(parts, entry, {}),
  )
  if (replacing.length > 0) await parts.write(replacing)
  await discard(
    parts,
    place,
    rows.map(({ version }) => version),
  )
  return { removed: rows.length }
}

/** Empties the trash of a folder, or of what lay at and below a path. */
export async function emptyTrash(parts: FilesParts, path: string): Promise<{ removed: number }> {
  const place = openPlace(parts, 'write', path)
  const versions: RecordHash[] = []
  let removed = 0
  for (const entry of trashedAt(parts, place)) {
    removed += 1
    for (const row of parts.store.read.versions(place.id, entry.entry))
      if (row.version !== entry.version && row.gone !== true) versions.push(row.version)
  }
  if (removed === 0 && place.path !== '') throw fail('NOT_FOUND', { what: 'removed file', name: place.text })
  await discard(parts, place, versions)
  return { removed }
}

/** Removed entries that can come back, at and below a place. */
export function* trashedAt(parts: FilesParts, place: Place): Generator<EntryRow> {
  let cursor: string | undefined
  do {
    const { entries, next } = parts.store.read.trash(place.id, cursor, pageEntries)
    for (const entry of entries) if (lies(entry.path, place.path)) yield entry
    cursor = next
  } while (cursor !== undefined)
}

const pageEntries = 1000

const lies = (path: string, at: string): boolean => at === '' || path === at || path.startsWith(`${at}/`)

async function discard(parts: FilesParts, place: Place, versions: readonly RecordHash[]): Promise<void> {
  if (versions.length > 0) await parts.catalogue.discard(place.id, versions)
}

/** The entry that still shows this version, as a conflict; refused for the one that people see. */
function headEntry(parts: FilesParts, place: Place, row: VersionRow): EntryRow | undefined {
  const entry = parts.store.read.entry(place.id, row.entry)
  if (entry === undefined) return undefined
  if (entry.conflicts.includes(row.version)) return entry
  if (entry.version !== row.version || row.kind === 'removed') return undefined
  if (entry.shadowed) return entry
  throw fail('BAD_INPUT', { what: 'the version', reason: 'it is the current one; remove the file instead' })
}
