/** What reads one entry and writes it anew takes turns with its like: of two at once both would replace the same version. */
import type { FilesParts } from './files-parts.ts'
import type { Place } from './place.ts'

const turns = new WeakMap<FilesParts['store'], Map<string, Promise<unknown>>>()

/** Runs when everything that was asked for at `place` before has ended. */
export function inTurn<T>(
  { store }: Pick<FilesParts, 'store'>,
  { id, path }: Pick<Place, 'id' | 'path'>,
  run: () => Promise<T>,
): Promise<T> {
  const name = `${id}/${path}`
  const lines = turns.get(store) ?? new Map<string, Promise<unknown>>()
  turns.set(store, lines)
  const turn = (lines.get(name) ?? Promise.resolve()).then(run, run)
  const last = turn
    .catch(() => undefined)
    .finally(() => {
      if (lines.get(name) === last) lines.delete(name)
    })
  lines.set(name, last)
  return turn
}
