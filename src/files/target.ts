/** Where something is moved or copied to, and what has to make room for it. */
import { fail } from '../base/errors.ts'
import type { EntryRow } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { TargetOptions } from './files.ts'
import { baseName, checkPath, pathText } from './paths.ts'
import {
  everythingAt,
  everythingBelow,
  isFolder,
  openPlace,
  requireFoldersAbove,
  type Place,
} from './place.ts'

/** One entry and where it goes. */
export interface Step {
  entry: EntryRow
  path: string
}

export interface Target {
  place: Place
  /** What lies there now and goes to the trash. */
  replaced: EntryRow[]
}

/** Onto an existing folder, or a name with a trailing slash: into it, under the same name. */
export function targetOf(
  parts: FilesParts,
  source: Place,
  to: string,
  { existing = 'into' }: TargetOptions,
): Target {
  if (source.path === '')
    throw fail('BAD_PATH', { path: source.text, reason: 'it is a whole folder: name what lies in it' })
  const named = openPlace(parts, 'write', to)
  const into = existing === 'into' && (to.endsWith('/') || isFolder(parts, named))
  const place = into ? inside(parts, named, baseName(source.path)) : named
  requireApart(source, place)
  const replaced = everythingAt(parts, place)
  const taken = replaced.length > 0 || place.path === ''
  if (taken && (existing !== 'replace' || place.path === ''))
    throw fail('ALREADY_EXISTS', { what: 'path', name: place.text })
  requireFoldersAbove(parts, place)
  return { place, replaced }
}

/** Neither lies in the other: what is replaced must not be what is moved. */
function requireApart(source: Place, target: Place): void {
  if (source.id !== target.id) return
  const [from, to] = [`${source.path}/`, `${target.path}/`]
  if (to.startsWith(from))
    throw fail('BAD_PATH', { path: target.text, reason: 'it is, or lies in, what goes there' })
  if (from.startsWith(to) && target.path !== '')
    throw fail('ALREADY_EXISTS', { what: 'path', name: target.text })
}

function inside(parts: FilesParts, folder: Place, name: string): Place {
  const path = folder.path === '' ? name : `${folder.path}/${name}`
  return openPlace(parts, 'write', pathText({ folder: folder.folder, path }))
}

/** The entry itself and everything below it, each with its new path. */
export function stepsFor(parts: FilesParts, source: Place, target: Place): Step[] {
  const itself = parts.store.read.entryAt(source.id, source.path)
  const entries = [...(itself === undefined ? [] : [itself]), ...everythingBelow(parts, source)]
  if (entries.length === 0) throw fail('NOT_FOUND', { what: 'path', name: source.text })
  return entries.map((entry) => ({
    entry,
    path: checkPath(target.path + entry.path.slice(source.path.length)),
  }))
}
