/** The text that makes a device a member: what to dial, which pool, and a secret that is never sent. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { DeviceId, PeerId, PoolId } from '../base/words.ts'
import { bytes, choice, decode, encode, field, fields, id, list, text, uint } from '../codec/cbor-schema.ts'
import { derive } from '../codec/hash.ts'
import { fromBase58, toBase58 } from './base58.ts'
import { peerIdOf, peerKeyOf } from './peer-id.ts'

/** `device`: another one of the inviter's own; `person`: another user's first, not made yet. */
export type InviteKind = 'device' | 'storage' | 'person'

export interface Invite {
  kind: InviteKind
  pool: PoolId
  /** The inviting device, which alone redeems it. */
  inviter: DeviceId
  peer: PeerId
  /** Multiaddrs ending in `/p2p/ID`. */
  addresses: string[]
  /** Wall milliseconds. */
  expires: number
  /** 16 bytes. */
  secret: Uint8Array
}

const version = 1
const linkStart = 'peerstor:invite/'
const checksumBytes = 4

const form = fields({
  version: field(0, uint(255)),
  kind: field(1, choice({ device: 1, storage: 2, person: 3 })),
  pool: field(2, id<PoolId>()),
  inviter: field(3, id<DeviceId>()),
  peer: field(4, bytes(32)),
  addresses: field(5, list(text(limits.addressBytes), limits.inviteAddresses)),
  /** Seconds. */
  expires: field(6, uint(2 ** 40)),
  secret: field(7, bytes(16)),
})

/** The code to paste, and the same as a link for a QR code. */
export function inviteText(invite: Invite): { code: string; link: string } {
  const tail = `/p2p/${invite.peer}`
  const addresses = invite.addresses.map((address) =>
    address.endsWith(tail) ? address.slice(0, -tail.length) : address,
  )
  const bytes = encode(form, {
    ...invite,
    version,
    peer: peerKeyOf(invite.peer),
    addresses: addresses.slice(0, limits.inviteAddresses),
    expires: Math.floor(invite.expires / 1000),
  })
  const code = toBase58(Buffer.concat([bytes, checksum(bytes)]))
  return { code, link: `${linkStart}${code}` }
}

/** Reads a code or link as pasted; `INVITE_INVALID` when a letter is wrong. Expiry is the inviter's to judge. */
export function parseInvite(pasted: string): Invite {
  const refuse = (reason: string): Error => fail('INVITE_INVALID', { reason })
  if (pasted.length > limits.inviteText) throw refuse('it is too long')
  const text = pasted.replaceAll(/\s/g, '')
  const whole = fromBase58(text.startsWith(linkStart) ? text.slice(linkStart.length) : text)
  if (whole === undefined || whole.length <= checksumBytes) throw refuse('it holds letters that no code has')
  const bytes = whole.subarray(0, -checksumBytes)
  if (!checksum(bytes).equals(whole.subarray(-checksumBytes))) throw refuse('a letter is wrong or missing')
  const read = readForm(bytes, refuse)
  const peer = peerIdOf(read.peer)
  const addresses = read.addresses.map((address) => `${address}/p2p/${peer}`)
  return { ...read, peer, addresses, expires: read.expires * 1000 }
}

function readForm(bytes: Uint8Array, refuse: (reason: string) => Error): ReturnType<typeof form.read> {
  try {
    return decode(form, bytes, 'an invite', limits.inviteText)
  } catch (thrown) {
    throw Object.assign(refuse('this version of PeerStor cannot read it'), { cause: thrown })
  }
}

function checksum(bytes: Uint8Array): Buffer {
  return derive('peerstor/1 invite checksum', bytes).subarray(0, checksumBytes)
}
