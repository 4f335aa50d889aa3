/** Entries into another folder, whose keys differ: their content is read and sealed anew. */
import type { CallOptions } from '../base/words.ts'
import type { EntryRow } from '../store/view.ts'
import { contentOf } from './download.ts'
import type { FilesParts } from './files-parts.ts'
import { newFolder } from './make-folder.ts'
import { pathText } from './paths.ts'
import type { Place } from './place.ts'
import { copyProperties } from './properties.ts'
import type { Step, Target } from './target.ts'
import { upload } from './upload.ts'
import { tombstone } from './version-bodies.ts'

/** What lies at the target goes to the trash first; a file that replaces a file becomes its next version. */
export async function carryOver(
  parts: FilesParts,
  { place, replaced }: Target,
  steps: readonly Step[],
  options: CallOptions,
): Promise<void> {
  const fileForFile = steps.length === 1 && isFile(steps[0]?.entry) && replaced.every(isFile)
  if (!fileForFile && replaced.length > 0) await parts.write(replaced.map(tombstone))
  for (const step of steps) await carryOne(parts, place, step, options)
}

async function carryOne(
  parts: FilesParts,
  place: Place,
  { entry, path }: Step,
  options: CallOptions,
): Promise<void> {
  if (entry.kind === 'folder') await parts.write([newFolder(parts, place.id, path)])
  else await carryFile(parts, pathText({ folder: place.folder, path }), entry, options)
  const made = parts.store.read.entryAt(place.id, path)
  if (made !== undefined) await copyProperties(parts, entry, made)
}

async function carryFile(
  parts: FilesParts,
  to: string,
  entry: EntryRow,
  { signal }: CallOptions,
): Promise<void> {
  const { size, mode, modified, created, type, tags, description } = entry
  const bytes = contentOf(parts, entry, { first: 0, last: size - 1, signal })
  await upload(parts, to, bytes, {
    size,
    mode,
    modified,
    created,
    type,
    tags,
    description,
    link: entry.target,
    signal,
  })
}

function isFile(entry: EntryRow | undefined): boolean {
  return entry?.kind === 'file' || entry?.kind === 'link'
}
