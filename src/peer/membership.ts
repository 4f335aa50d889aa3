/** What the pool must know about people and folders, out of the catalogue: ids, sizes and addresses, never names. */
import type { Catalogue, Device, DeviceState } from '../access/catalogue.ts'
import type { PeerId } from '../base/words.ts'
import type { Member, Membership } from '../pool/pool.ts'

export interface OwnMembership extends Membership {
  /** What this device says of itself decides otherwise now. */
  changed(): void
}

/** `ownState` is signed again when it changed; asked often. */
export function membershipOf(
  catalogue: Catalogue,
  ownState: () => DeviceState,
  isLocked = false,
): OwnMembership {
  let signed: { state: string; bytes: Uint8Array } | undefined
  // Asked for with every chunk; judging devices and reading statements takes a while.
  let others: Member[] | undefined
  catalogue.on(() => (others = undefined))
  const listeners = new Set<() => void>()
  const tell = (): void => listeners.forEach((listener) => listener())
  catalogue.on(({ type }) => {
    if (type === 'authority' || type === 'folders') tell()
  })
  return {
    self: catalogue.peer,
    pool: catalogue.pool,
    members: () => {
      others ??= membersBut(catalogue.peer, catalogue)
      return [...ownMember(catalogue, ownState()), ...others]
    },
    folders: () => catalogue.folders().map(({ id, policy }) => ({ id, ...policy })),
    admit: (batches, from) => catalogue.admit(batches, from),
    mend: (last) => catalogue.mend(last),
    code: (folder, codings) => catalogue.code(folder, codings),
    statement: () => {
      // Nothing can be signed: what was said last stays.
      if (isLocked) return new Uint8Array(0)
      const state = JSON.stringify(ownState())
      if (signed?.state !== state) signed = { state, bytes: catalogue.makeStatement(ownState()) }
      return signed.bytes
    },
    admitStatement: async (bytes) => {
      if ((await catalogue.admitStatement(bytes)) === undefined) return false
      const before = JSON.stringify(others)
      others = membersBut(catalogue.peer, catalogue)
      // Most statements tell of more bytes used, which decides nothing.
      if (JSON.stringify(others) !== before) tell()
      return true
    },
    changed: tell,
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

function membersBut(self: PeerId, catalogue: Catalogue): Member[] {
  return catalogue
    .devices()
    .filter(({ peer }) => peer !== self)
    .flatMap((device) => memberOf(device, catalogue.stateOf(device.device)))
}

function ownMember(catalogue: Catalogue, state: DeviceState): Member[] {
  const own = catalogue.deviceOf(catalogue.peer)
  return own === undefined ? [] : memberOf(own, state)
}

function isKept(role: Device['role']): role is Member['role'] {
  return role === 'storage' || role === 'member' || role === 'admin'
}

/** None for recovery keys and for devices that were cut. */
function memberOf({ device, user, peer, role, revoked }: Device, state: DeviceState | undefined): Member[] {
  if (peer === undefined || revoked || !isKept(role)) return []
  return [
    {
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
    },
  ]
}
