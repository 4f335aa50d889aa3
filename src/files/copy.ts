/**
 * A file, or everything below a folder, once more under another name. Inside a folder the copies name
 * the same chunks: nothing is read, sealed or stored again. Between folders it is, with the other's keys.
 */
import type { NewVersion } from '../access/catalogue.ts'
import { carryOver } from './carry-over.ts'
import type { FilesParts } from './files-parts.ts'
import type { CopyOptions } from './files.ts'
import { newFolder } from './make-folder.ts'
import { isFolder, openPlace, type Place } from './place.ts'
import { copyProperties } from './properties.ts'
import { stepsFor, targetOf, type Step, type Target } from './target.ts'
import { bodyOf, contentAgain, tombstone } from './version-bodies.ts'

export async function copy(
  parts: FilesParts,
  from: string,
  to: string,
  options: CopyOptions = {},
): Promise<{ copied: number }> {
  const source = openPlace(parts, 'read', from)
  const target = targetOf(parts, source, to, options)
  if (options.shallow === true && isFolder(parts, source)) return copyFolderAlone(parts, source, target)
  const steps = stepsFor(parts, source, target.place)
  if (source.id === target.place.id) await again(parts, target, steps)
  else await carryOver(parts, target, steps, options)
  return { copied: steps.length }
}

async function again(parts: FilesParts, { place, replaced }: Target, steps: readonly Step[]): Promise<void> {
  const copies = steps.map((step) => copyOf(parts, step))
  const written = await parts.write([...copies, ...replaced.map(tombstone)])
  for (const [index, { entry }] of steps.entries()) {
    const made = written[index]
    if (made !== undefined) await copyProperties(parts, entry, { folder: place.id, entry: made.entry })
  }
}

/** The first version of a new entry with the content and facts of another. */
function copyOf(parts: FilesParts, { entry, path }: Step): NewVersion {
  return {
    folder: entry.folder,
    parents: [],
    body: { ...bodyOf(entry), path },
    ...contentAgain(parts, entry),
  }
}

async function copyFolderAlone(
  parts: FilesParts,
  source: Place,
  { place, replaced }: Target,
): Promise<{ copied: number }> {
  const entry = parts.store.read.entryAt(source.id, source.path)
  const [made] = await parts.write([newFolder(parts, place.id, place.path), ...replaced.map(tombstone)])
  if (entry?.kind === 'folder' && made !== undefined)
    await copyProperties(parts, entry, { folder: place.id, entry: made.entry })
  return { copied: 1 }
}
