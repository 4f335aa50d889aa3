/** Rows of the view's queries as the objects that readers get. */
import type { SQLOutputValue } from 'node:sqlite'
import type { DeviceId, EntryId, EpochId, FolderId, RecordHash } from '../base/words.ts'
import type { Listed, MadeFolder } from './index-reader.ts'
import { blob, idIn, num, splitIds, text, type Row } from './sqlite.ts'
import { statusNames } from './sqlite-view.ts'
import type { EntryKind, EntryRow, ListedRow, ShownRow, VersionRow } from './view.ts'

/** What a listing shows of a version. */
function factsIn(row: Row): Omit<ShownRow, 'conflicts' | 'time'> {
  return {
    version: idIn<RecordHash>(row['record_hash']),
    entry: idIn<EntryId>(row['entry']),
    kind: text(row['kind']) as EntryKind,
    path: text(row['path']),
    mode: num(row['mode']),
    modified: num(row['modified']),
    created: num(row['created']),
    size: num(row['size']),
    hash: idIn(row['hash']),
    type: text(row['type']),
    tags: tagsIn(row['tags']),
    target: row['target'] === null ? undefined : text(row['target']),
  }
}

export function versionRow(row: Row): VersionRow {
  return {
    ...factsIn(row),
    folder: idIn<FolderId>(row['folder_id']),
    epoch: row['epoch'] === null ? ('' as EpochId) : idIn<EpochId>(row['epoch']),
    device: idIn<DeviceId>(row['device_id']),
    time: { ms: num(row['ms']), counter: num(row['counter']) },
    parents: splitIds<RecordHash>(row['parents']),
    status: statusNames[num(row['status'])]!,
    category: text(row['category']),
    description: text(row['description']),
    content: blob(row['content']),
    ...(row['sealed'] === null ? {} : { sealed: idIn<EpochId>(row['sealed']) }),
    ...(row['own_content'] === null ? {} : { written: writtenIn(row) }),
    ...(num(row['gone']) !== 0 && num(row['replaced']) === 1 ? { gone: true } : {}),
  }
}

/** What a version says itself of its content. */
function writtenIn(row: Row): NonNullable<VersionRow['written']> {
  return {
    hash: idIn<RecordHash>(row['own_hash']),
    content: blob(row['own_content']),
    ...(row['own_sealed'] === null ? {} : { sealed: idIn<EpochId>(row['own_sealed']) }),
  }
}

export function shownRow(row: Row): ShownRow {
  return {
    ...factsIn(row),
    time: { ms: num(row['ms']) },
    conflicts: splitIds<RecordHash>(row['conflicts']),
  }
}

/** Joined ids as hex, each of 32 bytes. */
function idsIn(hex: string): RecordHash[] {
  return Array.from({ length: hex.length / 64 }, (_, at) => hex.slice(at * 64, at * 64 + 64) as RecordHash)
}

/** A row of `lineSelect`. */
export function listedRow(row: SQLOutputValue[]): ListedRow {
  const [joined, kind, path, mode, modified, created, size, type, tags, target, conflicts, copies] = row
  // Of 32 and 16 bytes; what follows is the content's.
  const ids = (joined as string).toLowerCase()
  return {
    version: ids.slice(0, 64) as RecordHash,
    entry: ids.slice(64, 96) as EntryId,
    kind: kind as EntryKind,
    path: path as string,
    mode: mode as number,
    modified: modified as number,
    created: created as number,
    size: size as number,
    hash: ids.slice(96),
    type: type as string,
    tags: tagsIn(tags),
    target: (target as string | null) ?? undefined,
    conflicts: conflicts === '' ? noConflicts : idsIn((conflicts as string).toLowerCase()),
    copies: copies as number,
    hides: row[12] === 1,
    time: { ms: row[13] as number },
  }
}

const noTags: readonly string[] = []
const noConflicts: readonly RecordHash[] = []

function tagsIn(value: Row[string] | undefined): readonly string[] {
  return value === '[]' ? noTags : (JSON.parse(text(value)) as string[])
}

export function entryRow(row: Row): EntryRow {
  return {
    ...versionRow(row),
    versions: num(row['versions']),
    conflicts: splitIds<RecordHash>(row['conflicts']),
    shadowed: row['shadowed'] === 1,
  }
}

export function listedFolder(row: Row): Listed {
  const folder = {
    kind: 'folder' as const,
    path: text(row['path']),
    files: num(row['files']),
    bytes: num(row['bytes']),
  }
  if (row['entry'] === null) return folder
  const made: MadeFolder = {
    entry: idIn<EntryId>(row['entry']),
    version: idIn<RecordHash>(row['record_hash']),
    modified: num(row['modified']),
    created: num(row['created']),
  }
  return { ...folder, made }
}

export function listedEntry(entry: ListedRow): Listed {
  return { kind: 'entry', entry }
}

/** Two lists in order of paths as one; bytes decide, as in the database. */
export function mergeByPath(folders: readonly Listed[], entries: readonly Listed[]): Listed[] {
  const pathOf = (listed: Listed): Buffer =>
    Buffer.from(listed.kind === 'folder' ? listed.path : listed.entry.path)
  const keyed = [...folders, ...entries].map((listed) => ({ listed, key: pathOf(listed) }))
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ listed }) => listed)
}
