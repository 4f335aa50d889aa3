/**
 * Texts that programs keep with files and folders (WebDAV's dead properties). They are rows of this
 * device alone, by entry: so a moved or restored file keeps them, and a new file of the same name has none.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { EntryId, FolderId } from '../base/words.ts'
import type { FilesParts } from './files-parts.ts'
import type { Changes, Properties } from './files.ts'

/** The properties of an entry, or of a folder of the pool itself (`''`); undefined without any. */
export function propertiesOf(
  { store }: Pick<FilesParts, 'store'>,
  folder: FolderId,
  entry: EntryId | '',
): Properties | undefined {
  // Nearly always there are none, and every line of a listing asks.
  if (store.own.count('property') === 0) return undefined
  return store.own.get<Properties>('property', `${folder}/${entry}`)
}

/** Takes over all properties of another entry. */
export async function copyProperties(
  parts: FilesParts,
  from: { folder: FolderId; entry: EntryId },
  to: { folder: FolderId; entry: EntryId },
): Promise<void> {
  const properties = propertiesOf(parts, from.folder, from.entry)
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
