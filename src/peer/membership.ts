/** What the pool must know about people and folders, out of the catalogue: ids, sizes and addresses, never names. */
import type { Catalogue, Device, DeviceState } from '../access/catalogue.ts'
import type { PeerId } from '../base/words.ts'
import type { Member, Membership } from '../pool/pool.ts'

/** `ownState` is signed again when it changed; asked often. */
export function membershipOf(catalogue: Catalogue, ownState: () => DeviceState): Membership {
  let signed: { state: string; bytes: Uint8Array } | undefined
  return {
    self: catalogue.peer,
    pool: catalogue.pool,
    members: () => members(catalogue, ownState),
    folders: () => catalogue.folders().map(({ id, policy }) => ({ id, ...policy })),
    admit: (batches, from) => catalogue.admit(batches, from),
    statement: () => {
      const state = JSON.stringify(ownState())
      if (signed?.state !== state) signed = { state, bytes: catalogue.makeStatement(ownState()) }
      return signed.bytes
    },
    admitStatement: async (bytes) => void (await catalogue.admitStatement(bytes)),
    onChange: (listener) =>
      catalogue.on(({ type }) => {
        if (type === 'authority' || type === 'folders') listener()
      }),
  }
}

function members(catalogue: Catalogue, ownState: () => DeviceState): Member[] {
  return catalogue.devices().flatMap((device) => {
    const { peer, role } = device
    if (peer === undefined || device.revoked || !isKept(role)) return []
    return [
      memberOf(device, peer, role, peer === catalogue.peer ? ownState() : catalogue.stateOf(device.device)),
    ]
  })
}

function isKept(role: Device['role']): role is Member['role'] {
  return role === 'storage' || role === 'member' || role === 'admin'
}

function memberOf(
  { device, user }: Device,
  peer: PeerId,
  role: Member['role'],
  state: DeviceState | undefined,
): Member {
  return {
    peer,
    device,
    owner: user,
    role,
    contributed: state?.contributed ?? 0,
    zone: state?.zone,
    full: state?.full ?? false,
    // A device that said nothing yet has just joined: it is about to.
    keeps: state === undefined || (!state.client && !state.retiring),
    addresses: state?.addresses ?? [],
  }
}
