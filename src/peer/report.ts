/** contract.md `report`: how safe the files of a pool are, as this device knows it at one time, signed by it. */
import { timeText, type Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { CallOptions, DeviceId, FolderId, PoolId } from '../base/words.ts'
import { schemeText } from '../codec/shards.ts'
import type { SigningKey } from '../codec/sign.ts'
import { isJsonSigned, signJson, type Json, type JsonSignature } from '../codec/signed-json.ts'
import type { Network } from '../net/network.ts'
import type { Core } from './create-core.ts'
import { deviceLines } from './devices.ts'
import type {
  CheckedReport,
  DeviceLine,
  PeerStatus,
  Problem,
  ReportDevice,
  SafetyReport,
  SignedReport,
} from './peer.ts'
import { askToScrub } from './serve-scrub.ts'
import { simulateLoss } from './simulate.ts'

const purpose = 'report'

export interface ReportParts {
  network: Network
  clock: Clock
  key: SigningKey
}

/** Counts every file once, and once more for each device that keeps some: in steps, between other work. */
export async function makeReport(
  core: Core,
  parts: ReportParts,
  { status, problems }: { status: PeerStatus; problems: readonly Problem[] },
  options: CallOptions = {},
): Promise<SignedReport> {
  const devices = await devicesOf(core, parts, options)
  const { checkedBytes, found, healed } = core.pool.scrubbed()
  const report: SafetyReport = {
    format: 1,
    time: timeText(parts.clock.now()),
    pool: core.catalogue.pool,
    device: { device: core.catalogue.device, peer: status.peer, name: status.name, version: status.version },
    statement: status.safety.statement,
    files: {
      count: status.files.count,
      bytes: status.files.bytes,
      safe: status.safety.safe,
      degraded: status.safety.degraded,
      lost: status.safety.lost,
    },
    zones: new Set(devices.flatMap(({ zone }) => zone ?? [])).size,
    folders: await foldersOf(core),
    devices,
    damage: { checkedBytes, found, healed, left: core.store.verifier.quarantined().length },
    problems: [...problems],
  }
  return { report, signature: signJson(parts.key, purpose, core.catalogue.pool, report as unknown as Json) }
}

async function foldersOf(core: Core): Promise<SafetyReport['folders']> {
  const counted = await core.safety.countFolders()
  return core.catalogue.folders().map(({ id, name }) => ({
    id,
    name: name ?? id,
    ...core.store.read.totals(id),
    scheme: schemeOf(core, id),
    copies: core.pool.want(id),
    asked: core.pool.asked(id),
    ...(counted.get(id) ?? { safe: 0, degraded: 0, lost: 0 }),
  }))
}

/** Of the copies that are counted: whole ones, or as many as shards make up. */
function schemeOf({ pool }: Core, folder: FolderId): string {
  const scheme = pool.scheme(folder)
  return scheme === undefined ? 'copies' : schemeText(scheme)
}

async function devicesOf(core: Core, parts: ReportParts, options: CallOptions): Promise<ReportDevice[]> {
  const lines = deviceLines(core).filter(({ state, peer }) => state !== 'revoked' && peer !== undefined)
  const devices: ReportDevice[] = []
  for (const line of lines) devices.push(await deviceOf(core, parts, line, options))
  return devices
}

async function deviceOf(
  core: Core,
  parts: ReportParts,
  line: DeviceLine,
  options: CallOptions,
): Promise<ReportDevice> {
  const peer = line.peer!
  const self = peer === core.catalogue.peer
  const state = self ? core.ownState() : core.catalogue.stateOf(line.device)
  const { survive, unknown, lost, keys } = await simulateLoss(
    core,
    { lose: [line.device], limit: 1 },
    parts.clock,
  )
  return {
    device: line.device,
    peer,
    name: line.name,
    kind: line.kind,
    state: line.state,
    online: self || parts.network.isConnected(peer),
    ...(line.lastSeen !== undefined && { lastSeen: line.lastSeen }),
    ...(state?.zone !== undefined && { zone: state.zone }),
    contributed: state?.contributed ?? 0,
    used: state?.used ?? 0,
    ...(await verifiedOf(core, parts, line, options)),
    ifLost: { survive, unknown, lost, keys },
  }
}

/** When what it keeps was read from its disk: its own word, while it is connected. */
async function verifiedOf(
  core: Core,
  { network }: ReportParts,
  { peer }: DeviceLine,
  options: CallOptions,
): Promise<Pick<ReportDevice, 'verified'>> {
  if (peer === undefined) return {}
  const self = peer === core.catalogue.peer
  if (!self && !network.isConnected(peer)) return {}
  const asked = self
    ? core.scrubJob.state()
    : await askToScrub(network, peer, 'look', options).catch(() => undefined)
  if (asked === undefined) return {}
  const { oldest, unread, left } = asked
  return {
    verified: {
      ...(oldest !== undefined && { oldest: timeText(oldest) }),
      unreadBytes: unread,
      damaged: left.length,
    },
  }
}

/** Whether a report is what its device signed, and what this pool knows of that device. */
export function checkReport({ catalogue }: Core, { report, signature }: SignedReport): CheckedReport {
  if (report.format !== 1)
    throw fail('FORMAT_UNKNOWN', { what: 'the report', found: String(report.format), known: '1' })
  const { device, time, pool } = report
  const valid =
    signature.device === device.device &&
    isJsonSigned(signature as JsonSignature, purpose, pool as PoolId, report as unknown as Json)
  const line = catalogue.devices().find((known) => known.device === (device.device as DeviceId))
  const known = pool === catalogue.pool && line !== undefined
  const state = !known ? 'unknown' : line.revoked ? 'revoked' : 'active'
  return { valid, time, device: device.device, name: line?.name ?? device.name, state }
}
