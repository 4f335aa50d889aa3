/** A folder as it was: of each entry the last version until then, with the folders that their paths imply. */
import type { Page } from '../store/index-reader.ts'
import type { ShownRow } from '../store/view.ts'
import { copiesOf } from './copies.ts'
import type { FilesParts } from './files-parts.ts'
import type { ListedEntry, ListOptions } from './files.ts'
import { fileLine, folderLine } from './lines.ts'
import type { Place } from './place.ts'

/** Rows read at once: a few milliseconds. */
const stepRows = 250

export async function listAt(
  parts: FilesParts,
  place: Place,
  at: number,
  { recursive, cursor, limit = stepRows }: ListOptions,
): Promise<Page<ListedEntry>> {
  const found: (ShownRow | string)[] = []
  let from = cursor
  /** The path that was told last, and the folder that is told already. */
  let told: string | undefined
  let inside: string | undefined
  for (;;) {
    const rows = parts.store.read.belowAt(place.id, place.path, at, from, stepRows)
    for (const row of rows.entries) {
      // Of several at one path the latest showed.
      if (row.path === told || (inside !== undefined && row.path.startsWith(`${inside}/`))) continue
      if (recursive !== true && isTold(parts, place, at, row)) continue
      if (found.length === limit) return { entries: lines(parts, place, found), next: from! }
      inside = recursive === true ? undefined : folderOf(place, row.path)
      found.push(inside ?? row)
      told = row.path
      from = inside === undefined ? row.path : behind(inside)
    }
    if (rows.next === undefined) return { entries: lines(parts, place, found) }
    if (inside === undefined || !rows.next.startsWith(`${inside}/`)) from = rows.next
    await parts.clock.sleep(0)
  }
}

/** A folder that was made on purpose, when what lies in it tells of it too. */
function isTold({ store }: FilesParts, { id }: Place, at: number, row: ShownRow): boolean {
  return row.kind === 'folder' && store.read.belowAt(id, row.path, at, undefined, 1).entries.length > 0
}

/** The direct child that a deeper path lies in. */
function folderOf({ path: at }: Place, path: string): string | undefined {
  const slash = path.indexOf('/', at === '' ? 0 : at.length + 1)
  return slash === -1 ? undefined : path.slice(0, slash)
}

/** Behind every path below a folder. */
const behind = (folder: string): string => `${folder}/\u{10FFFF}`

function lines(parts: FilesParts, place: Place, found: readonly (ShownRow | string)[]): ListedEntry[] {
  const rows = found.filter((one) => typeof one !== 'string')
  const copies = copiesOf(parts, place.id, rows)
  return found.map((one) => {
    if (typeof one !== 'string') return fileLine(parts, place, one, copies.get(one.version), false)
    const { files: _, ...line } = folderLine(`${place.folder}/${one}`, 0, 0)
    return line
  })
}
