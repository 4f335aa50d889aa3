/** An empty folder inside a folder; folders with files in them need none, their paths imply them. */
import { fail } from '../base/errors.ts'
import { hash } from '../codec/hash.ts'
import type { FilesParts } from './files-parts.ts'
import { isFolder, openPlace, requireFoldersAbove } from './place.ts'

export async function makeFolder(parts: FilesParts, path: string): Promise<void> {
  const place = openPlace(parts, 'write', path)
  const taken = isFolder(parts, place) || parts.store.read.entryAt(place.id, place.path) !== undefined
  if (taken) throw fail('ALREADY_EXISTS', { what: 'path', name: place.text })
  requireFoldersAbove(parts, place)
  const now = parts.clock.now()
  const body = {
    kind: 'folder' as const,
    path: place.path,
    mode: 0o755,
    modified: now,
    created: now,
    size: 0,
    hash: hash(),
    content: { form: 'inline' as const, chunks: [] },
    type: 'inode/directory',
    tags: [],
    description: '',
  }
  await parts.catalogue.write([{ folder: place.id, parents: [], body, chunks: [] }])
}
