/** To the trash: a tombstone for each entry; nothing is dropped before the folder's retention ends. */
import { fail } from '../base/errors.ts'
import type { CallOptions } from '../base/words.ts'
import type { EntryRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import { everythingBelow, openPlace, shadowedAt, type Place } from './place.ts'
import { tombstone } from './version-bodies.ts'

export interface RemoveOptions extends CallOptions {
  recursive?: boolean | undefined
}

export async function remove(
  parts: FilesParts,
  path: string,
  options: RemoveOptions = {},
): Promise<{ removed: number }> {
  const place = openPlace(parts, 'write', path)
  const here = entriesHere(parts, place)
  const below = [...everythingBelow(parts, place)]
  if (here.length === 0 && below.length === 0 && place.path !== '')
    throw fail('NOT_FOUND', { what: 'path', name: place.text })
  const emptyFolder = below.length === 0 && here[0]?.kind === 'folder'
  const folder = below.length > 0 || place.path === ''
  if (folder && !emptyFolder && options.recursive !== true) throw fail('IS_FOLDER', { path: place.text })
  options.signal?.throwIfAborted()
  const entries = [...here, ...below]
  if (entries.length > 0) await parts.catalogue.write(entries.map(tombstone))
  return { removed: entries.length }
}

/** What shows at a place and what it hides: removing a name removes all of it. */
function entriesHere(parts: FilesParts, place: Place): EntryRow[] {
  const shown = parts.store.read.entryAt(place.id, place.path)
  return shown === undefined ? [] : [shown, ...shadowedAt(parts, place)]
}
