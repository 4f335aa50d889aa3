/** An empty folder inside a folder; folders with files in them need none, their paths imply them. */
import type { NewVersion } from '../access/catalogue.ts'
import { fail } from '../base/errors.ts'
import type { FolderId } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import type { FilesParts } from './files-parts.ts'
import { isFolder, openPlace, type Place, requireFoldersAbove } from './place.ts'
import { inTurn } from './turns.ts'

export async function makeFolder(parts: FilesParts, path: string): Promise<void> {
  const place = openPlace(parts, 'write', path)
  await inTurn(parts, place, () => makeNow(parts, place))
}

async function makeNow(parts: FilesParts, place: Place): Promise<void> {
  const taken = isFolder(parts, place) || parts.store.read.entryAt(place.id, place.path) !== undefined
  if (taken) throw fail('ALREADY_EXISTS', { what: 'path', name: place.text })
  requireFoldersAbove(parts, place)
  await parts.write([newFolder(parts, place.id, place.path)])
}

/** The first version of a folder that is an entry of its own. */
export function newFolder(parts: Pick<FilesParts, 'clock'>, folder: FolderId, path: string): NewVersion {
  const now = parts.clock.now()
  return {
    folder,
    parents: [],
    body: {
      kind: 'folder',
      path,
      mode: 0o755,
      modified: now,
      created: now,
      size: 0,
      hash: hash(),
      content: { form: 'inline', chunks: [] },
      type: 'inode/directory',
      tags: [],
      description: '',
    },
    chunks: [],
  }
}
