/**
 * To the trash: a tombstone for each entry, also for those that others hide; nothing is dropped before
 * the folder's retention ends.
 */
import { fail } from '../base/errors.ts'
import type { CallOptions } from '../base/words.ts'
import type { FilesParts } from './files-parts.ts'
import { everythingAt, openPlace } from './place.ts'
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
  const entries = everythingAt(parts, place)
  if (entries.length === 0 && place.path !== '') throw fail('NOT_FOUND', { what: 'path', name: place.text })
  const others = place.path === '' || entries.some((entry) => entry.path !== place.path)
  if (others && options.recursive !== true) throw fail('IS_FOLDER', { path: place.text })
  options.signal?.throwIfAborted()
  if (entries.length > 0) await parts.write(entries.map(tombstone))
  return { removed: entries.length }
}
