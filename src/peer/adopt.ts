/** What a revoked device wrote after its cut: held back, listed, and taken over by whoever may write there. */
import { limits } from '../base/limits.ts'
import { fail } from '../base/errors.ts'
import type { DeviceId } from '../base/words.ts'
import { parsePath, pathText } from '../files/paths.ts'
import type { VersionRow } from '../store/view.ts'
import type { Core } from './create-core.ts'
import type { HeldLine } from './peer.ts'

/** Held-back versions of a device, in the order they were written; `paths`: only of these files and folders. */
export function heldOf(core: Core, device: DeviceId, paths: readonly string[] = []): HeldLine[] {
  return heldRows(core, device, paths).map(({ row, path }) => ({
    path,
    version: row.version,
    kind: row.kind,
  }))
}

/** Takes them over; `NOT_FOUND` when there are none. */
export async function adopt(core: Core, device: DeviceId, paths: readonly string[]): Promise<HeldLine[]> {
  const rows = heldRows(core, device, paths)
  if (rows.length === 0)
    throw fail('NOT_FOUND', {
      what: 'held-back version',
      name: paths.length === 0 ? 'of this device' : paths.join(', '),
    })
  for (let at = 0; at < rows.length; at += limits.adoptVersions)
    await core.catalogue.adopt(rows.slice(at, at + limits.adoptVersions).map(({ row }) => row.version))
  return rows.map(({ row, path }) => ({ path, version: row.version, kind: row.kind }))
}

function heldRows(
  { catalogue, store }: Core,
  device: DeviceId,
  paths: readonly string[],
): { row: VersionRow; path: string }[] {
  const wanted = paths.map((path) => pathText(parsePath(path)))
  const isWanted = (path: string): boolean =>
    wanted.length === 0 || wanted.some((each) => path === each || path.startsWith(`${each}/`))
  return catalogue.folders().flatMap(({ id, name }) =>
    store.read
      .held(id)
      .filter((row) => row.device === device && name !== undefined)
      .map((row) => ({ row, path: pathText({ folder: name!, path: row.path }) }))
      .filter(({ path }) => isWanted(path)),
  )
}
