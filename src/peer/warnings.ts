/**
 * What a person should look at, each with how serious it is, what it is about and the command that helps.
 * `status` shows these as sentences (contract.md: strings), `doctor` and alerts as they are.
 */
import { recoveryDeviceOf } from '../access/recovery.ts'
import { timeText } from '../base/clock.ts'
import { fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { shellWord } from '../base/shell-word.ts'
import type { MassDeletion } from '../files/deletions.ts'
import type { Member } from '../pool/pool.ts'
import type { Core } from './create-core.ts'
import { nameOf } from './devices.ts'
import type { Problem } from './peer.ts'
import { damageWarning } from './scrub-verb.ts'
import { pausedWarning } from './worker-verbs.ts'

/** As a sentence that ends in the command. */
export function warningText({ what, next }: Problem): string {
  return `${what}: ${next}`
}

/** What a peer knows beside its core. */
interface Around {
  /** Why the storage folder could not be used at the start. */
  problem: PeerStorError | undefined
  storage: string
  /** Whether the other devices had time to connect. */
  settled: boolean
  recoverySeed: Uint8Array | undefined
  /** Of the pool before this one. */
  former: readonly Problem[]
}

export async function allWarnings(core: Core, around: Around): Promise<Problem[]> {
  const { away, usedBytes } = await core.store.use()
  return [
    ...awayWarning(around.problem, away ? around.storage : undefined),
    ...warningsOf(core),
    ...fullnessWarnings(core, usedBytes),
    ...(around.settled ? loneWarning(core) : []),
    ...pausedWarning(core),
    ...damageWarning(core),
    ...recoveryWarning(core, around.recoverySeed),
    ...around.former,
  ]
}

/** The storage folder was missing at the start, or is now. */
function awayWarning(problem: PeerStorError | undefined, folder: string | undefined): Problem[] {
  const error = problem ?? (folder === undefined ? undefined : fail('STORAGE_MISSING', { path: folder }))
  if (error === undefined) return []
  const { message, next } = error
  return [
    {
      kind: 'storage-away',
      what: `${message}: files are listed and read from other devices, nothing is stored here; ${next}`,
      severity: 'error',
      next: 'peerstor start',
    },
  ]
}

function warningsOf(core: Core): Problem[] {
  return [
    ...clockWarning(core),
    ...historyWarnings(core),
    ...retiringWarning(core),
    ...zoneWarning(core.membership.members()),
    ...shutOutWarning(core),
    ...nothingKeptWarning(core),
    ...deletionWarnings(core),
  ]
}

/** How far most connected devices' clocks are ahead of this one's, when that is worth a word; milliseconds. */
export function clockOff({ pool }: Pick<Core, 'pool'>): number | undefined {
  const ahead = median(
    pool
      .health()
      .flatMap(({ connected, clockAheadMs }) =>
        connected && clockAheadMs !== undefined ? [clockAheadMs] : [],
      ),
  )
  return ahead === undefined || Math.abs(ahead) <= limits.clockAheadMs ? undefined : ahead
}

function clockWarning(core: Core): Problem[] {
  const ahead = clockOff(core)
  if (ahead === undefined) return []
  const seconds = Math.round(Math.abs(ahead) / 1000)
  return [
    {
      kind: 'clock',
      what: `the clock of this device differs from the others by ${seconds} s; set it, then look again`,
      severity: 'warning',
      next: 'peerstor status',
    },
  ]
}

function historyWarnings({ catalogue }: Core): Problem[] {
  return catalogue
    .devices()
    .filter(({ fork, revoked }) => fork === 'equivocation' && !revoked)
    .map((device) => ({
      kind: 'two-histories',
      subject: device.peer ?? device.device,
      what: `${nameOf(device)} has signed two histories: whoever has its keys may forge; revoke it`,
      severity: 'error',
      next: `peerstor device revoke ${device.peer ?? device.device}`,
    }))
}

function retiringWarning({ retirement, catalogue }: Core): Problem[] {
  if (retirement.state().phase === 'active') return []
  return [
    {
      kind: 'retiring',
      what: `this device is retiring: ${retirement.status()}; to keep it`,
      severity: 'warning',
      next: `peerstor device retire ${catalogue.peer} --cancel`,
    },
  ]
}

/** All devices that keep files name one zone: what happens there happens to every copy. */
export function zoneWarning(members: readonly Pick<Member, 'keeps' | 'zone'>[]): Problem[] {
  const zones = members.filter(({ keeps }) => keeps).map(({ zone }) => zone)
  const [first] = zones
  if (zones.length < 2 || first === undefined || zones.some((zone) => zone !== first)) return []
  return [
    {
      kind: 'one-zone',
      what: `all ${zones.length} devices that keep files are in one zone: fire or theft there takes every copy; keep one elsewhere, and name its zone`,
      severity: 'warning',
      next: 'peerstor config set zone NAME',
    },
  ]
}

function nothingKeptWarning(core: Core): Problem[] {
  if (core.contributed() !== 0) return []
  const what = 'this device keeps nothing'
  return [{ kind: 'keeps-nothing', what, severity: 'warning', next: 'peerstor quota set SIZE' }]
}

/** Shares at which it is worth a word, and a warning. */
const filledShare = 0.8
const fullShare = 0.95

/** This device, and folders with a quota, that have little room left. */
function fullnessWarnings(core: Core, usedBytes: number): Problem[] {
  const device = fullness('space-used', 'the contributed space', usedBytes, core.contributed())
  const folders = core.catalogue.folders().flatMap(({ id, name = id, policy }) => {
    if (policy.quota === undefined) return []
    const { bytes } = core.store.read.totals(id)
    return fullness('folder-full', `the quota of folder ${name}`, bytes, policy.quota, name)
  })
  return [...device, ...folders]
}

function fullness(kind: string, of: string, used: number, limit: number, subject?: string): Problem[] {
  const share = limit === 0 ? 0 : used / limit
  if (share < filledShare) return []
  return [
    {
      kind,
      ...(subject === undefined ? {} : { subject }),
      what: `${Math.floor(share * 100)} % of ${of} is used; to see what could go`,
      severity: share >= fullShare ? 'warning' : 'hint',
      next: 'peerstor quota free',
    },
  ]
}

function deletionWarnings(core: Core): Problem[] {
  return core.deletions.found().map((found) => deletionProblem(core, found))
}

export function deletionProblem({ catalogue }: Pick<Core, 'catalogue'>, found: MassDeletion): Problem {
  const { folder: id, files, of, since, until } = found
  const folder = catalogue.folders().find((folder) => folder.id === id)?.name ?? id
  return {
    kind: 'mass-deletion',
    subject: folder,
    what: `${files} of ${of} files in ${folder} were deleted within an hour, until ${timeText(until)}; to bring them back`,
    severity: 'warning',
    next: `peerstor trash restore ${shellWord(folder)} --since ${timeText(since)}`,
  }
}

/** A device that reaches nobody, and whom nobody reaches, gets no copies and no news. */
function loneWarning({ pool }: Core): Problem[] {
  const others = pool.health()
  if (others.length === 0 || others.some(({ connected }) => connected)) return []
  const whom = others.length === 1 ? 'the other device' : `none of the ${others.length} other devices`
  const state = others.length === 1 ? 'is not connected' : 'is connected'
  return [
    {
      kind: 'alone',
      what: `${whom} ${state}: start one, or say where it is`,
      severity: 'warning',
      next: 'peerstor peers add ADDRESS',
    },
  ]
}

/** A device that a paper brought back holds its key until all is back. */
function recoveryWarning({ catalogue }: Core, seed: Uint8Array | undefined): Problem[] {
  const device = seed && recoveryDeviceOf(seed)
  if (!catalogue.devices().some((line) => line.device === device && line.printed)) return []
  return [
    {
      kind: 'recovery-key-here',
      what: 'the recovery key lies on this device; when all your files are back, remove it',
      severity: 'warning',
      next: 'peerstor recovery confirm',
    },
  ]
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

function shutOutWarning(core: Core): Problem[] {
  const who = whoShutsOut(core)
  if (who.length === 0 && !wasRevoked(core)) return []
  const says = who.length === 0 ? '' : ` (says ${who.slice(0, 3).join(', ')})`
  return [
    {
      kind: 'revoked',
      what: `this device was revoked from its pool${says}; begin anew with peerstor pool leave, or come back with a new code`,
      severity: 'error',
      next: 'peerstor join CODE',
    },
  ]
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
