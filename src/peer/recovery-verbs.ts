/** The paper recovery key: printed, confirmed to be in safe hands, renewed. Its seed leaves this device when confirmed. */
import type { PoolKeys } from '../access/device-keys.ts'
import { addRecoveryKey, paperText, parsePaper, recoveryDeviceOf, type Paper } from '../access/recovery.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { PeerId } from '../base/words.ts'
import type { Core } from './create-core.ts'
import { deviceLine } from './devices.ts'
import { exportOf, type ExportParts } from './export.ts'
import type { DeviceLine, RecoveryVerbs } from './peer.ts'

export interface RecoveryParts extends ExportParts {
  /** Durable when it resolves. */
  saveKeys: (keys: PoolKeys) => Promise<void>
  /** Where this device may be dialled. */
  addresses: () => readonly string[]
}

/** `changes` runs one change of the keys at a time. */
export function recoveryVerbs(
  parts: RecoveryParts,
  changes: <T>(run: () => Promise<T>) => Promise<T>,
): RecoveryVerbs {
  return {
    print: ({ renew }) => changes(() => print(parts, renew)),
    confirm: (code) => changes(() => confirm(parts, code)),
    export: (secret) => changes(() => exportOf(parts, secret)),
  }
}

async function print(parts: RecoveryParts, renew: boolean): ReturnType<RecoveryVerbs['print']> {
  const { core, keys, saveKeys, random } = parts
  if (keys().locked === true) throw fail('PEER_LOCKED')
  const { catalogue } = core()
  const { pool, user, peer } = catalogue
  const role = catalogue.roleOf(peer)
  if (role !== 'member' && role !== 'admin') throw fail('FORBIDDEN', { role, action: 'print a recovery key' })
  const seed = keys().recoverySeed ?? (renew ? random.bytes(32) : undefined)
  if (seed === undefined) throw fail('RECOVERY_GONE', { reason: whereItIs(core()) })
  // Saved before it counts: a key that nobody can print must not make files safe.
  if (keys().recoverySeed === undefined) await saveKeys({ ...keys(), recoverySeed: seed })
  const known = catalogue.devices().some(({ device }) => device === recoveryDeviceOf(seed))
  if (!known) await addRecoveryKey(catalogue, seed)
  return { code: paperText({ pool, user, seed, peers: peersOf(parts) }), devices: recoveryLines(core()) }
}

async function confirm(
  { core, keys, saveKeys }: RecoveryParts,
  code: string | undefined,
): ReturnType<RecoveryVerbs['confirm']> {
  const { recoverySeed: seed, ...rest } = keys()
  if (rest.locked === true) throw fail('PEER_LOCKED')
  if (seed === undefined) throw fail('RECOVERY_GONE', { reason: whereItIs(core()) })
  if (code !== undefined && !Buffer.from(parsePaper(code).seed).equals(seed))
    throw fail('RECOVERY_INVALID', { reason: 'it is the code of another paper' })
  await core().catalogue.confirmRecovery(recoveryDeviceOf(seed))
  await saveKeys(rest)
  return { devices: recoveryLines(core()) }
}

function whereItIs({ catalogue }: Core): string {
  const known = catalogue.devices().filter(({ kind, revoked }) => kind === 'recovery' && !revoked)
  return known.some(({ printed }) => printed)
    ? 'its paper was confirmed, and the key removed'
    : 'it lies on the device that made the pool'
}

/** Those likely to be there when this device is gone come first. */
function peersOf({ core, addresses }: RecoveryParts): Paper['peers'] {
  const { catalogue, membership } = core()
  const storageFirst = (role: string): number => (role === 'storage' ? 0 : 1)
  const others = membership
    .members()
    .filter(({ peer }) => peer !== catalogue.peer)
    .toSorted((a, b) => storageFirst(a.role) - storageFirst(b.role))
    .map(({ peer, addresses }) => ({ peer, addresses: dialable(peer, addresses) }))
  const own = { peer: catalogue.peer, addresses: dialable(catalogue.peer, addresses()) }
  return [...others, own].slice(0, limits.paperPeers)
}

/** One address each: a paper is typed by hand. */
function dialable(peer: PeerId, addresses: readonly string[]): string[] {
  const beyond = addresses.filter((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address))
  return [...beyond, ...addresses].slice(0, 1).map((address) => address.replace(`/p2p/${peer}`, ''))
}

function recoveryLines({ catalogue }: Core): DeviceLine[] {
  return catalogue
    .devices()
    .filter(({ kind }) => kind === 'recovery')
    .map((device) => deviceLine(device, undefined))
}
