/** What people do with the pool and its devices. Changing pools itself is the peer's: `join` and `leave` are handed in. */
import { timeText } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { PeerId } from '../base/words.ts'
import type { Network } from '../net/network.ts'
import { adopt, heldOf } from './adopt.ts'
import type { Core } from './create-core.ts'
import { deviceLine, deviceLines, deviceNamed, nameOf, peerLines } from './devices.ts'
import { askToRetire, retire } from './serve-retirement.ts'
import { retireText } from './retirement.ts'
import type { DiscoverReport, PoolVerbs } from './peer.ts'

export function poolVerbs(
  core: () => Core,
  network: Network,
  change: Pick<PoolVerbs, 'join' | 'leave'>,
): PoolVerbs {
  return {
    ...change,
    peers: async () => ({ peers: peerLines(core(), network.connections()) }),
    addPeer: async (address, options) => {
      const peer = await network.dial(address, options)
      const lines = peerLines(core(), network.connections())
      return lines.find((line) => line.peer === peer) as (typeof lines)[number]
    },
    discover: async () => discoverReport(core(), network),
    invite: async ({ storageOnly }) => {
      const kind = storageOnly ? 'storage' : 'device'
      const { code, link, expires } = await core().invites.create(kind, network.addresses())
      return { code, link, expires: timeText(expires) }
    },
    devices: async () => ({ devices: deviceLines(core()) }),
    revoke: async (names) => {
      const { catalogue } = core()
      const devices = names.map((name) => deviceNamed(catalogue, name))
      const self = devices.find(({ device }) => device === catalogue.device)
      if (self !== undefined) throw fail('REVOKE_SELF', { name: nameOf(self) })
      const fallen = await catalogue.revoke(devices.map(({ device }) => device))
      for (const { peer } of fallen) if (peer !== undefined) await network.disconnect(peer)
      return { devices: fallen.map((device) => deviceLine(device, undefined)) }
    },
    held: async (name) => ({ held: heldOf(core(), deviceNamed(core().catalogue, name).device) }),
    adopt: async (name, paths) => {
      const device = deviceNamed(core().catalogue, name)
      const adopted = await adopt(core(), device.device, paths)
      return { devices: [deviceLine(device, undefined)], adopted }
    },
    retire: async (name, action, options) => {
      const device = deviceNamed(core().catalogue, name)
      const { peer } = device
      if (peer === undefined || device.revoked) throw fail('DEVICE_UNKNOWN', { name })
      const self = peer === core().catalogue.peer
      const state = self
        ? await retire(core().retirement, action)
        : await askToRetire(network, peer, action, options)
      return { peer, name: nameOf(device), ...state, statement: retireText(state) }
    },
    rename: async (name, newName) => {
      const { catalogue } = core()
      const { device } = deviceNamed(catalogue, name)
      await catalogue.setDeviceName(device, newName)
      return deviceLine(deviceNamed(catalogue, device), undefined)
    },
  }
}

function discoverReport(core: Core, network: Network): DiscoverReport {
  const { mdns, bootstrap } = network.discovered()
  const nameOfPeer = (peer: PeerId): string | undefined => {
    const device = core.catalogue.deviceOf(peer)
    return device && nameOf(device)
  }
  return {
    mdns: mdns.map(({ peer, addresses, lastSeen }) => ({
      peer,
      name: nameOfPeer(peer),
      addresses,
      lastSeen: timeText(lastSeen),
    })),
    bootstrap: bootstrap.map(({ address, state, attempts, nextAttempt }) => ({
      address,
      state,
      attempts,
      nextAttempt: nextAttempt === undefined ? undefined : timeText(nextAttempt),
    })),
    pex: { known: core.catalogue.devices().length, lastRound: undefined, nextRound: undefined },
    dht: { state: 'off' },
  }
}
