/**
 * Another name for a file, or for everything below a folder, in one batch: inside a folder no content
 * is read or sent. Between folders the content is sealed anew, with the other folder's keys.
 */
import { fail } from '../base/errors.ts'
import type { CallOptions } from '../base/words.ts'
import type { EntryRow } from '../store/view.ts'
import { contentOf } from './download.ts'
import type { FilesParts } from './files-parts.ts'
import { baseName, checkPath, pathText } from './paths.ts'
import { everythingBelow, isFolder, openPlace, requireFoldersAbove, shadowedAt, type Place } from './place.ts'
import { upload } from './upload.ts'
import { changed, tombstone } from './version-bodies.ts'

/** One entry and where it goes. */
interface Step {
  entry: EntryRow
  path: string
}

export async function move(
  parts: FilesParts,
  from: string,
  to: string,
  options: CallOptions = {},
): Promise<{ moved: number }> {
  const source = openPlace(parts, 'write', from)
  const target = targetOf(parts, source, to)
  const steps = stepsFor(parts, source, target)
  if (source.id === target.id) await rename(parts, source, steps)
  else await carryOver(parts, target, steps, options)
  return { moved: steps.length }
}

/** Onto an existing folder, or a name with a trailing slash: into it, under the same name. */
function targetOf(parts: FilesParts, source: Place, to: string): Place {
  if (source.path === '')
    throw fail('BAD_PATH', { path: source.text, reason: 'a whole folder is renamed, not moved' })
  const named = openPlace(parts, 'write', to)
  const target =
    to.endsWith('/') || isFolder(parts, named) ? inside(parts, named, baseName(source.path)) : named
  const same = target.id === source.id
  if (same && `${target.path}/`.startsWith(`${source.path}/`))
    throw fail('BAD_PATH', { path: target.text, reason: 'it lies in what is moved' })
  const taken = parts.store.read.entryAt(target.id, target.path) !== undefined || isFolder(parts, target)
  if (taken) throw fail('ALREADY_EXISTS', { what: 'path', name: target.text })
  requireFoldersAbove(parts, target)
  return target
}

function inside(parts: FilesParts, folder: Place, name: string): Place {
  const path = folder.path === '' ? name : `${folder.path}/${name}`
  return openPlace(parts, 'write', pathText({ folder: folder.folder, path }))
}

/** The entry itself and everything below it, each with its new path. */
function stepsFor(parts: FilesParts, source: Place, target: Place): Step[] {
  const itself = parts.store.read.entryAt(source.id, source.path)
  const entries = [...(itself === undefined ? [] : [itself]), ...everythingBelow(parts, source)]
  if (entries.length === 0) throw fail('NOT_FOUND', { what: 'path', name: source.text })
  return entries.map((entry) => ({
    entry,
    path: checkPath(target.path + entry.path.slice(source.path.length)),
  }))
}

async function rename(parts: FilesParts, source: Place, steps: readonly Step[]): Promise<void> {
  // What a moved file hid would come out from under it.
  const hidden = shadowedAt(parts, source).map(tombstone)
  await parts.catalogue.write([...steps.map(({ entry, path }) => changed(parts, entry, { path })), ...hidden])
}

async function carryOver(
  parts: FilesParts,
  target: Place,
  steps: readonly Step[],
  options: CallOptions,
): Promise<void> {
  for (const { entry, path } of steps)
    await carryOne(parts, pathText({ folder: target.folder, path }), entry, options)
  await parts.catalogue.write(steps.map(({ entry }) => tombstone(entry)))
}

async function carryOne(
  parts: FilesParts,
  to: string,
  entry: EntryRow,
  { signal }: CallOptions,
): Promise<void> {
  if (entry.kind === 'folder') return
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
