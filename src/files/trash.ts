/** Removed entries of a folder, newest first; each line is the version that `restore` brings back. */
import { limits } from '../base/limits.ts'
import { timeText } from '../base/clock.ts'
import type { Page } from '../store/index-reader.ts'
import type { EntryRow, VersionRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { ListOptions, VersionInfo } from './files.ts'
import { openPlace } from './place.ts'
import { authorOf, versionInfo } from './versions.ts'

export async function trash(
  parts: FilesParts,
  folder: string,
  options: ListOptions = {},
): Promise<Page<VersionInfo>> {
  const place = openPlace(parts, 'read', folder)
  const limit = Math.min(limits.listEntries, Math.max(1, options.limit ?? limits.listEntries))
  const { entries, next } = parts.store.read.trash(place.id, options.cursor, limit)
  return {
    entries: entries.map((entry) => ({
      ...versionInfo(parts, place.folder, lastContent(parts, entry) ?? entry, 'old'),
      // Who removed it, and when.
      written: timeText(entry.time.ms),
      author: authorOf(parts, entry),
    })),
    ...(next === undefined ? {} : { next }),
  }
}

/** The newest version of an entry that is no tombstone. */
export function lastContent(parts: FilesParts, entry: EntryRow): VersionRow | undefined {
  return parts.store.read
    .versions(entry.folder, entry.entry)
    .find((row) => row.kind !== 'removed' && row.status === 'counted' && row.gone !== true)
}
