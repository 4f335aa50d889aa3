/**
 * Another name for a file, or for everything below a folder, in one batch: inside a folder no content
 * is read or sent. Between folders the content is sealed anew, with the other folder's keys.
 */
import { carryOver } from './carry-over.ts'
import type { FilesParts } from './files-parts.ts'
import type { TargetOptions } from './files.ts'
import { hiddenAt, openPlace, type Place } from './place.ts'
import { stepsFor, targetOf, type Step, type Target } from './target.ts'
import { changed, tombstone } from './version-bodies.ts'

export async function move(
  parts: FilesParts,
  from: string,
  to: string,
  options: TargetOptions = {},
): Promise<{ moved: number }> {
  const source = openPlace(parts, 'write', from)
  const target = targetOf(parts, source, to, options)
  const steps = stepsFor(parts, source, target.place)
  if (source.id === target.place.id) await rename(parts, source, target, steps)
  else {
    await carryOver(parts, target, steps, options)
    const gone = [...steps.map(({ entry }) => entry), ...hiddenAt(parts, source)]
    await parts.write(gone.map(tombstone))
  }
  return { moved: steps.length }
}

async function rename(
  parts: FilesParts,
  source: Place,
  { replaced }: Target,
  steps: readonly Step[],
): Promise<void> {
  const removed = [...replaced, ...hiddenAt(parts, source)].map(tombstone)
  await parts.write([...removed, ...steps.map(({ entry, path }) => changed(parts, entry, { path }))])
}
