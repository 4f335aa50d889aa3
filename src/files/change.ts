/** Facts of an entry that are not its content: times, mode, what programs keep with it. */
import { fail } from '../base/errors.ts'
import type { EntryRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { Changes } from './files.ts'
import { newFolder } from './make-folder.ts'
import { isFolder, openPlace, type Place } from './place.ts'
import { changeProperties } from './properties.ts'
import { changed } from './version-bodies.ts'

export async function change(parts: FilesParts, path: string, changes: Changes): Promise<void> {
  const place = openPlace(parts, 'write', path)
  const { properties, modified, created, mode } = changes
  const facts = Object.entries({ modified, created, mode }).filter((pair) => pair[1] !== undefined)
  if (place.path === '') {
    if (properties !== undefined) await changeProperties(parts, place.id, '', properties)
    return
  }
  const entry = await entryToChange(parts, place)
  if (properties !== undefined) await changeProperties(parts, place.id, entry.entry, properties)
  const same = facts.every(([name, value]) => entry[name as 'mode'] === value)
  if (!same) await parts.catalogue.write([changed(parts, entry, Object.fromEntries(facts))])
}

/** A folder that only paths imply becomes one that was made: there is no other place for its facts. */
async function entryToChange(parts: FilesParts, place: Place): Promise<EntryRow> {
  const { read } = parts.store
  const entry = read.entryAt(place.id, place.path)
  if (entry !== undefined) return entry
  if (!isFolder(parts, place)) throw fail('NOT_FOUND', { what: 'path', name: place.text })
  await parts.catalogue.write([newFolder(parts, place.id, place.path)])
  return read.entryAt(place.id, place.path) as EntryRow
}
