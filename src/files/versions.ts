/** Every version that a path ever had, newest first: of the entry that shows and of those it hides or replaced. */
import { timeText } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { EntryRow, VersionRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { VersionInfo } from './files.ts'
import { openPlace, type Place } from './place.ts'

export async function versions(parts: FilesParts, path: string): Promise<VersionInfo[]> {
  const place = openPlace(parts, 'read', path)
  const found = versionsOf(parts, place)
  if (found.length === 0) throw fail('NOT_FOUND', { what: 'file', name: place.text })
  return found
}

export function versionsOf(parts: FilesParts, place: Place): VersionInfo[] {
  const { read } = parts.store
  const lines = read
    .entriesAt(place.id, place.path)
    .flatMap((entry) => read.versions(place.id, entry.entry).map((row) => ({ row, entry })))
    .filter(({ row }) => row.gone !== true)
  lines.sort((a, b) => later(a.row, b.row))
  return lines.map(({ row, entry }) => versionInfo(parts, place.folder, row, stateOf(row, entry, place)))
}

/** One version as people see it. */
export function versionInfo(
  parts: FilesParts,
  folder: string,
  row: VersionRow,
  state: VersionInfo['state'],
): VersionInfo {
  return {
    version: row.version,
    path: `${folder}/${row.path}`,
    kind: row.kind,
    size: row.size,
    modified: timeText(row.modified),
    written: timeText(row.time.ms),
    author: authorOf(parts, row),
    hash: row.hash,
    state,
  }
}

/** Name of the device that wrote a version. */
export function authorOf(parts: FilesParts, row: VersionRow): string {
  return parts.catalogue.devices().find(({ device }) => device === row.device)?.name ?? row.device
}

function stateOf(row: VersionRow, entry: EntryRow, place: Place): VersionInfo['state'] {
  if (row.status !== 'counted') return row.status
  if (entry.conflicts.includes(row.version)) return 'conflict'
  if (entry.version !== row.version) return 'old'
  if (!entry.shadowed || entry.path !== place.path) return 'current'
  return entry.kind === 'removed' ? 'old' : 'conflict'
}

/** Newest first; ties as everywhere, by record hash. */
function later(a: VersionRow, b: VersionRow): number {
  return b.time.ms - a.time.ms || b.time.counter - a.time.counter || (a.version < b.version ? 1 : -1)
}
