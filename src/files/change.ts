/** Facts of an entry that are not its content: times, mode, what programs keep with it. */
import { isDeepStrictEqual } from 'node:util'
import { fail } from '../base/errors.ts'
import type { EntryRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { Changes } from './files.ts'
import { newFolder } from './make-folder.ts'
import { isFolder, openPlace, type Place } from './place.ts'
import { changeProperties, forgetProperties, propertiesOf } from './properties.ts'
import { withProperties } from './property-tags.ts'
import { inTurn } from './turns.ts'
import { changed } from './version-bodies.ts'

export async function change(parts: FilesParts, path: string, changes: Changes): Promise<void> {
  const place = openPlace(parts, 'write', path)
  await inTurn(parts, place, () => changeNow(parts, place, changes))
}

async function changeNow(parts: FilesParts, place: Place, changes: Changes): Promise<void> {
  const { properties = {}, modified, created, mode, type } = changes
  if (place.path === '') return changeProperties(parts, place.id, '', properties)
  const entry = await entryToChange(parts, place)
  const tags = entry.kind === 'folder' ? undefined : tagsAfter(parts, entry, properties)
  const facts = Object.entries({ modified, created, mode, type, tags }).filter(
    ([name, value]) => value !== undefined && !isDeepStrictEqual(entry[name as 'mode'], value),
  )
  if (facts.length > 0) await parts.write([changed(parts, entry, Object.fromEntries(facts))])
  if (entry.kind === 'folder') await changeProperties(parts, place.id, entry.entry, properties)
  else await forgetProperties(parts, entry)
}

/** Of a file they travel with its version. */
function tagsAfter(parts: FilesParts, entry: EntryRow, changes: Readonly<Record<string, string | null>>) {
  const merged = Object.entries({ ...propertiesOf(parts, entry.folder, entry.entry, entry.tags), ...changes })
  const kept = merged.filter((pair): pair is [string, string] => pair[1] !== null)
  return withProperties(entry.tags, Object.fromEntries(kept))
}

/** A folder that only paths imply becomes one that was made: there is no other place for its facts. */
async function entryToChange(parts: FilesParts, place: Place): Promise<EntryRow> {
  const { read } = parts.store
  const entry = read.entryAt(place.id, place.path)
  if (entry !== undefined) return entry
  if (!isFolder(parts, place)) throw fail('NOT_FOUND', { what: 'path', name: place.text })
  await parts.write([newFolder(parts, place.id, place.path)])
  return read.entryAt(place.id, place.path) as EntryRow
}
