/** Devices as people see them, and the one that a name means. */
import type { Catalogue, Device } from '../access/catalogue.ts'
import { timeText } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { PeerId } from '../base/words.ts'
import type { Connection } from '../net/network.ts'
import type { PeerHealth } from '../pool/pool.ts'
import type { Core } from './create-core.ts'
import type { DeviceLine, PeerLine } from './peer.ts'

export function deviceLine(device: Device, seen: PeerHealth | undefined, retiring = false): DeviceLine {
  return {
    device: device.device,
    peer: device.peer,
    name: device.kind === 'recovery' ? 'recovery key' : nameOf(device),
    role: device.role,
    kind: device.kind,
    state: device.revoked ? 'revoked' : retiring ? 'retiring' : 'active',
    ...(device.kind === 'recovery' && { printed: device.printed }),
    ...(device.fork !== undefined && { fork: device.fork }),
    lastSeen: seen?.lastSeen === undefined ? undefined : timeText(seen.lastSeen),
  }
}

export function deviceLines(core: Core): DeviceLine[] {
  const health = new Map(core.pool.health().map((seen) => [seen.peer, seen]))
  return core.catalogue.devices().map((device) => {
    const state =
      device.peer === core.catalogue.peer ? core.ownState() : core.catalogue.stateOf(device.device)
    const seen = device.peer === undefined ? undefined : health.get(device.peer)
    return deviceLine(device, seen, state?.retiring)
  })
}

/** By device id, peer id, or a name that only one device has. */
export function deviceNamed(catalogue: Catalogue, name: string): Device {
  const found = catalogue
    .devices()
    .filter(({ device, peer, name: given }) => [device, peer, given].includes(name as never))
  if (found.length > 1) throw fail('DEVICE_AMBIGUOUS', { name, matches: found.map(({ device }) => device) })
  if (found[0] === undefined) throw fail('DEVICE_UNKNOWN', { name })
  return found[0]
}

export function nameOf({ name, peer, device }: Device): string {
  return name ?? peer ?? device
}

/** contract.md `peers`: members, connected or not, then other connected peers. */
export function peerLines(core: Core, connections: readonly Connection[]): PeerLine[] {
  const connected = new Map(connections.map((connection) => [connection.peer, connection]))
  const health = new Map(core.pool.health().map((seen) => [seen.peer, seen]))
  const members = core.catalogue.devices().filter((device) => device.peer !== undefined && !device.revoked)
  const lines = members.map((device) =>
    memberLine(core, device, connected.get(device.peer as PeerId), health.get(device.peer as PeerId)),
  )
  const known = new Set(lines.map(({ peer }) => peer))
  const others = connections.filter(({ peer }) => !known.has(peer))
  return [
    ...lines,
    ...others.map((connection) => otherLine(connection, core.catalogue.deviceOf(connection.peer))),
  ]
}

function memberLine(
  core: Core,
  device: Device,
  connection: Connection | undefined,
  seen: PeerHealth | undefined,
): PeerLine {
  const peer = device.peer as PeerId
  const self = peer === core.catalogue.peer
  const state = self ? core.ownState() : core.catalogue.stateOf(device.device)
  return {
    peer,
    name: nameOf(device),
    role: device.role,
    addresses: connection === undefined ? (state?.addresses ?? []) : [connection.address],
    path: connection?.path,
    state: self
      ? 'self'
      : connection === undefined
        ? 'offline'
        : seen?.shutsOut === true
          ? 'refuses'
          : 'online',
    latencyMs: connection?.latencyMs ?? seen?.latencyMs,
    rate: seen?.rate ?? 0,
    reputation: seen?.reputation ?? 1,
    lastSeen: seen?.lastSeen === undefined ? undefined : timeText(seen.lastSeen),
    version: state?.version,
    storage: state && { used: state.used, contributed: state.contributed },
  }
}

/** Of a device that was revoked, or of a stranger. */
function otherLine({ peer, address, path, latencyMs }: Connection, device: Device | undefined): PeerLine {
  return {
    peer,
    name: device === undefined ? peer : nameOf(device),
    role: device?.role ?? 'stranger',
    addresses: [address],
    path,
    state: 'online',
    latencyMs,
    rate: 0,
    reputation: 1,
    lastSeen: undefined,
    version: undefined,
    storage: undefined,
  }
}
