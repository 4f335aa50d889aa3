/**
 * Texts that programs keep with files and folders: WebDAV's dead properties, metadata of S3. Those of a
 * file are in its version (property-tags.ts). Those of folders, which need not be entries at all, are
 * rows of this device, by entry: so a moved folder keeps them, and a new one of the same name has none.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { EntryId, FolderId } from '../base/words.ts'
import type { FilesParts } from './files-parts.ts'
import type { EntryRow } from '../store/view.ts'
import type { Changes, Properties } from './files.ts'
import { propertiesIn } from './property-tags.ts'

/** The properties of an entry, or of a folder of the pool itself (`''`); undefined without any. */
export function propertiesOf(
  parts: Pick<FilesParts, 'store'>,
  folder: FolderId,
  entry: EntryId | '',
  tags: readonly string[] = [],
): Properties | undefined {
  const said = propertiesIn(tags)
  // Earlier programs kept those of files here too.
  const rows = rowsOf(parts, folder, entry)
  return rows === undefined ? said : { ...rows, ...said }
}

function rowsOf(
  { store }: Pick<FilesParts, 'store'>,
  folder: FolderId,
  entry: EntryId | '',
): Properties | undefined {
  // Nearly always there are none, and every line of a listing asks.
  if (store.own.count('property') === 0) return undefined
  return store.own.get<Properties>('property', `${folder}/${entry}`)
}

/** The rows of a file whose version holds its properties now. */
export async function forgetProperties(parts: FilesParts, { folder, entry }: EntryRow): Promise<void> {
  if (rowsOf(parts, folder, entry) !== undefined)
    await parts.store.own.remove('property', `${folder}/${entry}`)
}

/** Takes over the rows of another entry. */
export async function copyProperties(
  parts: FilesParts,
  from: { folder: FolderId; entry: EntryId },
  to: { folder: FolderId; entry: EntryId },
): Promise<void> {
  const properties = rowsOf(parts, from.folder, from.entry)
  if (properties !== undefined) await changeProperties(parts, to.folder, to.entry, properties)
}

/** All of `changes`, or `TOO_LARGE` or `TOO_MANY` and none. */
export async function changeProperties(
  parts: FilesParts,
  folder: FolderId,
  entry: EntryId | '',
  changes: NonNullable<Changes['properties']>,
): Promise<void> {
  const { own } = parts.store
  const id = `${folder}/${entry}`
  const before = own.get<Properties>('property', id)
  const merged = Object.entries({ ...before, ...changes }).filter((pair) => pair[1] !== null)
  if (merged.length === 0) return before === undefined ? undefined : own.remove('property', id)
  const after = Object.fromEntries(merged)
  if (JSON.stringify(after).length > limits.propertyBytes)
    throw fail('TOO_LARGE', { what: 'the properties of one file', limit: limits.propertyBytes })
  if (before === undefined) await requireRoom(parts)
  await own.put('property', id, after)
}

/** Where there is none, what belongs to removed and unknown entries goes. */
async function requireRoom({ store }: FilesParts): Promise<void> {
  const { own, read } = store
  if (own.count('property') < limits.propertyFiles) return
  for (const { id } of own.list('property')) {
    const [folder, entry] = id.split('/') as [FolderId, EntryId]
    const row = (entry as string) === '' ? undefined : read.entry(folder, entry)
    const gone = (entry as string) !== '' && (row === undefined || row.kind === 'removed')
    if (gone) await own.remove('property', id)
  }
  if (own.count('property') >= limits.propertyFiles)
    throw fail('TOO_MANY', { what: 'files with properties', limit: limits.propertyFiles })
}
