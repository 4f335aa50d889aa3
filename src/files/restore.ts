/** An earlier version, or the last one of a removed file, written again as the newest at its path. */
import type { NewVersion } from '../access/catalogue.ts'
import { fail } from '../base/errors.ts'
import type { CallOptions, RecordHash } from '../base/words.ts'
import type { EntryRow, VersionRow } from '../store/view.ts'
import { copiesOf } from './copies.ts'
import type { FilesParts } from './files-parts.ts'
import type { PutResult } from './files.ts'
import { headsOf, openPlace, requireFoldersAbove, versionAt, type Place } from './place.ts'
import { lastContent } from './trash.ts'
import { bodyOf, chunksOf } from './version-bodies.ts'

export interface RestoreOptions extends CallOptions {
  version?: RecordHash | undefined
}

export async function restore(
  parts: FilesParts,
  path: string,
  options: RestoreOptions = {},
): Promise<PutResult> {
  const place = openPlace(parts, 'write', path)
  requireFoldersAbove(parts, place)
  const row =
    options.version === undefined ? lastRemoved(parts, place) : versionAt(parts, place, options.version)
  if (row.kind === 'removed') throw fail('NOT_FOUND', { what: 'content in version', name: row.version })
  const [written] = await parts.catalogue.write([again(parts, place, row)])
  const version = written?.version as RecordHash
  return {
    path: place.text,
    size: row.size,
    hash: row.hash,
    version,
    copies: copiesOf(parts, place.id, [{ version, size: row.size }]).get(version)?.have ?? 0,
    sentBytes: 0,
    savedBytes: row.size,
  }
}

/** The same content at this path: of the entry that shows there, else of its own if that lies in the trash, else a new one. */
function again(parts: FilesParts, place: Place, row: VersionRow): NewVersion {
  const { read } = parts.store
  const own = read.entry(place.id, row.entry)
  const entry = read.entryAt(place.id, place.path) ?? (own?.kind === 'removed' ? own : undefined)
  return {
    folder: place.id,
    entry: entry?.entry,
    parents: entry === undefined ? [] : headsOf(entry),
    body: { ...bodyOf(row), path: place.path, modified: row.modified },
    chunks: chunksOf(parts, row),
  }
}

/** What was removed last at this path. */
function lastRemoved(parts: FilesParts, place: Place): VersionRow {
  const removed = parts.store.read
    .entriesAt(place.id, place.path)
    .filter((entry) => entry.kind === 'removed' && entry.path === place.path)
    .sort((a: EntryRow, b: EntryRow) => b.time.ms - a.time.ms || b.time.counter - a.time.counter)[0]
  const row = removed && lastContent(parts, removed)
  if (row === undefined) throw fail('NOT_FOUND', { what: 'removed file', name: place.text })
  return row
}
