/** The chunks of a file, or of everything in a folder: what `scrub PATH` reads. */
import { fail } from '../base/errors.ts'
import type { ChunkId } from '../base/words.ts'
import type { FilesParts } from './files-parts.ts'
import { everythingAt, openPlace } from './place.ts'
import { chunksOf } from './version-bodies.ts'

/** Manifests included, each once; `NOT_FOUND` where nothing is. */
export function chunksAt(parts: FilesParts, path: string): ChunkId[] {
  const place = openPlace(parts, 'read', path)
  const entries = everythingAt(parts, place)
  if (entries.length === 0 && place.path !== '') throw fail('NOT_FOUND', { what: 'file', name: place.text })
  return [...new Set(entries.flatMap((entry) => chunksOf(parts, entry)))]
}
