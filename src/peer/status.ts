/** contract.md `status`: what this device is and how safe its files are, in numbers and in a sentence. */
import { recoveryDeviceOf } from '../access/recovery.ts'
import { fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Member } from '../pool/pool.ts'
import type { Core } from './create-core.ts'
import { nameOf } from './devices.ts'
import type { PeerStatus } from './peer.ts'
import type { FilesByCopies } from './safety.ts'

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

/** The storage folder was missing at the start, or is now. */
export function awayWarning(problem: PeerStorError | undefined, folder: string | undefined): string[] {
  const error = problem ?? (folder === undefined ? undefined : fail('STORAGE_MISSING', { path: folder }))
  if (error === undefined) return []
  const { message, next } = error
  return [`${message}: files are listed and read from other devices, nothing is stored here; ${next}`]
}

/** What a person should look at. */
export function warningsOf(core: Core): string[] {
  const warnings: string[] = []
  const ahead = median(
    core.pool
      .health()
      .flatMap(({ connected, clockAheadMs }) =>
        connected && clockAheadMs !== undefined ? [clockAheadMs] : [],
      ),
  )
  if (ahead !== undefined && Math.abs(ahead) > limits.clockAheadMs)
    warnings.push(
      `the clock of this device differs from the others by ${Math.round(Math.abs(ahead) / 1000)} s`,
    )
  for (const device of core.catalogue.devices())
    if (device.fork === 'equivocation' && !device.revoked)
      warnings.push(
        `${nameOf(device)} has signed two histories: whoever has its keys may forge; revoke it: peerstor device revoke ${device.peer ?? device.device}`,
      )
  const { phase } = core.retirement.state()
  if (phase !== 'active')
    warnings.push(
      `this device is retiring: ${core.retirement.status()}; to keep it: peerstor device retire ${core.catalogue.peer} --cancel`,
    )
  const zone = zoneWarning(core.membership.members())
  if (zone !== undefined) warnings.push(zone)
  const out = shutOutText(core)
  if (out !== undefined) warnings.push(out)
  if (core.contributed() === 0) warnings.push('this device keeps nothing: peerstor quota set SIZE')
  return warnings
}

/** A device that reaches nobody, and whom nobody reaches, gets no copies and no news. */
export function loneWarning({ pool }: Core): string[] {
  const others = pool.health()
  if (others.length === 0 || others.some(({ connected }) => connected)) return []
  const whom = others.length === 1 ? 'the other device' : `none of the ${others.length} other devices`
  const state = others.length === 1 ? 'is not connected' : 'is connected'
  return [`${whom} ${state}: start one, or say where it is: peerstor peers add ADDRESS`]
}

/** All devices that keep files name one zone: what happens there happens to every copy. */
export function zoneWarning(members: readonly Pick<Member, 'keeps' | 'zone'>[]): string | undefined {
  const zones = members.filter(({ keeps }) => keeps).map(({ zone }) => zone)
  const [first] = zones
  if (zones.length < 2 || first === undefined || zones.some((zone) => zone !== first)) return undefined
  return `all ${zones.length} devices that keep files are in one zone: fire or theft there takes every copy; keep one elsewhere, and name its zone: peerstor config set zone NAME`
}

/** A device that a paper brought back holds its key until all is back. */
export function recoveryWarning({ catalogue }: Core, seed: Uint8Array | undefined): string | undefined {
  const device = seed && recoveryDeviceOf(seed)
  const printed = catalogue.devices().some((line) => line.device === device && line.printed)
  if (!printed) return undefined
  return 'the recovery key lies on this device; when all your files are back, remove it: peerstor recovery confirm'
}

/** Whether this device was revoked: its records say so, or a connected device does. */
export function isShutOut(core: Core): boolean {
  return wasRevoked(core) || whoShutsOut(core).length > 0
}

function wasRevoked({ catalogue }: Core): boolean {
  return catalogue.roleOf(catalogue.peer) === 'ex-member'
}

function whoShutsOut({ catalogue, pool }: Core): string[] {
  const peers = pool.health().filter(({ shutsOut }) => shutsOut)
  return peers.map(({ peer }) => catalogue.deviceOf(peer)?.name ?? peer)
}

function shutOutText(core: Core): string | undefined {
  const who = whoShutsOut(core)
  if (who.length === 0 && !wasRevoked(core)) return undefined
  const says = who.length === 0 ? '' : ` (says ${who.slice(0, 3).join(', ')})`
  return `this device was revoked from its pool${says}: come back with a new code: peerstor join CODE, or begin anew: peerstor pool leave`
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
