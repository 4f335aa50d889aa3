/** contract.md `status`: what this device is and how safe its files are, in numbers and in a sentence. */
import type { Core } from './create-core.ts'
import type { Peer, PeerStatus } from './peer.ts'
import type { FilesByCopies } from './safety.ts'
import { isShutOut } from './warnings.ts'

export type Safety = PeerStatus['safety']

export function filesOf(core: Core): { count: number; bytes: number } {
  const total = { count: 0, bytes: 0 }
  for (const { id } of core.catalogue.folders()) {
    const { files, bytes } = core.store.read.totals(id)
    total.count += files
    total.bytes += bytes
  }
  return total
}

/**
 * Files that are safe, those that need something, those that cannot be read now. A file whose keys would
 * be lost with one device is not safe, however many copies there are of it.
 */
export async function safetyOf(core: Core): Promise<Safety> {
  const { safe, degraded, lost } = await core.safety.count()
  const needs = keepers(core) <= 1 ? 'device' : keysSurvive(core) ? undefined : 'keys'
  const total = needs === undefined ? { safe, degraded, lost } : { safe: 0, degraded: degraded + safe, lost }
  const statement = isShutOut(core)
    ? 'not known: this device was revoked from its pool'
    : safetyInWords(total, needs, shortage(core))
  return { ...total, statement, needs }
}

/** Whether a second device of this owner, or a recovery key on paper, has the keys too. */
function keysSurvive({ catalogue }: Core): boolean {
  const own = catalogue.devices().filter(({ user, revoked }) => user === catalogue.user && !revoked)
  return own.filter(({ kind }) => kind === 'device').length > 1 || own.some(({ printed }) => printed)
}

/** Copies on their way: made again, or moved to where they belong. */
export function movesOf({ pool }: Core): Pick<PeerStatus, 'mending' | 'moving'> {
  return { mending: pool.mending(), moving: pool.moving() }
}

/** Files that no other device of the pool has whole. */
export async function countFilesOnlyHere({ catalogue, pool, safety }: Core): Promise<number> {
  const others = pool.countedPeers().filter((peer) => peer !== catalogue.peer)
  const { degraded, lost } = await safety.countAmong(others, 1)
  return degraded + lost
}

function keepers(core: Core): number {
  return core.membership.members().filter(({ keeps }) => keeps).length
}

/** Devices that keep files, and the most copies that a folder asks for, when these are more. */
export interface Shortage {
  devices: number
  asked: number
}

function shortage(core: Core): Shortage | undefined {
  const devices = keepers(core)
  const asked = Math.max(0, ...core.catalogue.folders().map(({ id }) => core.pool.asked(id)))
  return asked > devices ? { devices, asked } : undefined
}

export function safetyInWords(
  { safe, degraded, lost }: FilesByCopies,
  needs: Safety['needs'],
  short: Shortage | undefined,
): string {
  if (lost > 0) return `${files(lost)} can not be read now: bring back a device that keeps them`
  if (needs === 'device')
    return 'not safe yet: one device keeps everything; add another with: peerstor invite'
  if (needs === 'keys')
    return 'not safe yet: the keys are on one device only; run: peerstor recovery print, or add a second device of your own: peerstor invite'
  if (degraded > 0) return `${files(degraded)} wait for more copies; ${safe} have all that are wanted`
  if (safe === 0) return 'no files yet'
  if (short !== undefined)
    return `not as safe as asked for: ${safe === 1 ? 'the file has' : `all ${files(safe)} have`} a copy on each of ${short.devices} devices, ${short.asked} copies are asked for; add another device with: peerstor invite`
  if (safe === 1) return 'the file has all wanted copies'
  return `all ${files(safe)} have all wanted copies`
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`
}

/** What lies on this disk, and may. */
export async function storageOf(core: Core): Promise<PeerStatus['storage']> {
  const { usedBytes: used, freeBytes: free } = await core.store.use()
  return { used, contributed: core.contributed(), free, quarantined: core.store.read.looseChunks().bytes }
}

/** contract.md `quota`. */
export async function quotaOf(core: Core): ReturnType<Peer['quota']> {
  const perFolder = core.catalogue.folders().map(({ id, name, policy: { quota } }) => ({
    folder: name ?? id,
    bytes: core.store.read.totals(id).bytes,
    ...(quota === undefined ? {} : { quota }),
  }))
  return { ...(await storageOf(core)), perUser: [], perFolder }
}
