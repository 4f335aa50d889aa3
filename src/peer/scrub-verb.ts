/** contract.md `scrub`: everything on this disk, or what a path needs of it, read, compared and mended. */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { CallOptions } from '../base/words.ts'
import type { Network } from '../net/network.ts'
import type { Core } from './create-core.ts'
import { deviceNamed } from './devices.ts'
import type { Problem, ScrubAnswer } from './peer.ts'
import { scrubThere } from './serve-scrub.ts'

/** Files named in an answer or a warning. */
const mostNamed = 100

export async function scrub(
  core: Core,
  path: string | undefined,
  { signal }: CallOptions,
): Promise<ScrubAnswer> {
  const ids = path === undefined ? undefined : core.chunksAt(path)
  const result = await core.pool.scrub(ids, { signal })
  const among = new Set(ids)
  const left = core.store.verifier.quarantined().filter((id) => ids === undefined || among.has(id))
  return { ...result, left: filesNaming(core, left) }
}

/** Another device reads its whole disk; files that stay damaged there are named as far as this device knows them. */
export async function scrubDevice(
  core: Core,
  name: string,
  { network, clock }: { network: Network; clock: Clock },
  options: CallOptions,
): Promise<ScrubAnswer> {
  const device = deviceNamed(core.catalogue, name)
  if (device.peer === core.catalogue.peer) return scrub(core, undefined, options)
  if (device.peer === undefined || device.revoked) throw fail('DEVICE_UNKNOWN', { name })
  const { checked, bytes, damaged, healed, left } = await scrubThere(network, device.peer, clock, options)
  return { checked, bytes, damaged, healed, left: filesNaming(core, left) }
}

/** Files that need some chunks, by path; a chunk that no file of this device needs stands for itself. */
function filesNaming(
  { store, catalogue }: Core,
  ids: Parameters<Core['store']['read']['filesOf']>[0],
): string[] {
  const nameOf = new Map(catalogue.folders().map(({ id, name }) => [id, name ?? id]))
  const paths = ids.slice(0, mostNamed).flatMap((id) => {
    const files = store.read.filesOf([id])
    return files.length === 0
      ? [`chunk ${id}`]
      : files.map(({ folder, path }) => `${nameOf.get(folder) ?? folder}/${path}`)
  })
  return [...new Set(paths)].slice(0, mostNamed)
}

/** What is damaged here and nobody could mend yet. */
export function damageWarning(core: Core): Problem[] {
  const ids = core.store.verifier.quarantined()
  if (ids.length === 0) return []
  const files = filesNaming(core, ids)
  const named = files.slice(0, 3).join(', ') + (files.length > 3 ? ' …' : '')
  const chunks = ids.length === 1 ? '1 chunk on this disk is' : `${ids.length} chunks on this disk are`
  const what = `${chunks} damaged (${named}): connect a device that has good copies, then`
  return [{ kind: 'damage', what, severity: 'error', next: 'peerstor scrub' }]
}
