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
import { trashedAt } from './discard.ts'
import { bodyAgain, contentAgain } from './version-bodies.ts'

export interface RestoreOptions extends CallOptions {
  version?: RecordHash | undefined
  since?: number | undefined
}

export async function restore(
  parts: FilesParts,
  path: string,
  options: RestoreOptions = {},
): Promise<PutResult> {
  const place = openPlace(parts, 'write', path)
  requireFoldersAbove(parts, place)
  if (options.since !== undefined) return restoreBelow(parts, place, options.since)
  const row =
    options.version === undefined ? lastRemoved(parts, place) : versionAt(parts, place, options.version)
  if (row === undefined) return restoreBelow(parts, place)
  if (row.kind === 'removed') throw fail('NOT_FOUND', { what: 'content in version', name: row.version })
  const [written] = await parts.write([again(parts, place, row)])
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
    body: { ...bodyAgain(parts, row), path: place.path, modified: row.modified },
    ...contentAgain(parts, row),
  }
}

/** A removed folder: of everything removed below it what was removed last, where nothing shows now. */
async function restoreBelow(parts: FilesParts, place: Place, since = 0): Promise<PutResult> {
  const again = new Map<string, NewVersion>()
  let size = 0
  for (const entry of trashedAt(parts, place)) {
    // Newest first.
    if (entry.time.ms < since) break
    const row = lastContent(parts, entry)
    const taken = again.has(entry.path) || parts.store.read.entryAt(place.id, entry.path) !== undefined
    if (row === undefined || taken) continue
    requireFoldersAbove(parts, { ...place, path: entry.path })
    again.set(entry.path, {
      folder: place.id,
      entry: entry.entry,
      parents: headsOf(entry),
      body: { ...bodyAgain(parts, row), path: entry.path },
      ...contentAgain(parts, row),
    })
    size += row.size
  }
  if (again.size === 0) throw fail('NOT_FOUND', { what: 'removed file', name: place.text })
  const written = await parts.write([...again.values()])
  const version = written[0]!.version
  const facts = { hash: '', version, copies: 0, sentBytes: 0, savedBytes: size }
  return { path: place.text, size, ...facts, restored: written.length }
}

/** What was removed last at this path. */
function lastRemoved(parts: FilesParts, place: Place): VersionRow | undefined {
  const removed = parts.store.read
    .entriesAt(place.id, place.path)
    .filter((entry) => entry.kind === 'removed' && entry.path === place.path)
    .sort((a: EntryRow, b: EntryRow) => b.time.ms - a.time.ms || b.time.counter - a.time.counter)[0]
  return removed && lastContent(parts, removed)
}
