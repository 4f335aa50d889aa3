/**
 * Every request one peer may send another, who may ask it, and how much it may send. The network
 * refuses what is not here before a byte of it is read; test/peer-authorisation.test.ts is generated
 * from this table and tries every cell.
 */
import { limits } from '../base/limits.ts'
import type { Role } from '../base/words.ts'

export interface RequestRule {
  roles: readonly Role[]
  /** Most bytes of the request's head. */
  headBytes: number
  /** Most bytes of the request's body; 0: none. */
  bodyBytes: number
  /** Bulk goes over the lane when there is one. */
  bulk: boolean
}

const devices: readonly Role[] = ['storage', 'member', 'admin']
const anyone: readonly Role[] = ['stranger', 'ex-member', 'storage', 'member', 'admin']

const rule = (roles: readonly Role[], headBytes: number, bodyBytes: number, bulk: boolean): RequestRule => ({
  roles,
  headBytes,
  bodyBytes,
  bulk,
})

export const registry = {
  /** Protocol number, features, database id, newest change, clock, statement. */
  hello: rule(devices, limits.requestHeadBytes, 0, false),
  /** Redeems an invite; the only thing a stranger may ask. */
  'invite.redeem': rule(anyone, limits.requestHeadBytes, 0, false),
  /** One batch from a recovery key's holder, admitted like any record; asked again by whom it made a member. */
  'recovery.push': rule(
    ['stranger', 'member', 'admin'],
    limits.requestHeadBytes,
    limits.strangerBodyBytes,
    false,
  ),
  /** Changes since (database id, number): batch hashes, chunks held and dropped. */
  'feed.changes': rule(devices, limits.requestHeadBytes, 0, false),
  /** Whole batches by the hash of their last record. */
  'feed.batches': rule(devices, limits.requestHeadBytes, 0, true),
  /** "I have changes up to N": the receiver asks when it likes. */
  'feed.notify': rule(devices, limits.requestHeadBytes, 0, false),
  /** Sealed chunks by id. */
  'chunks.get': rule(devices, limits.requestHeadBytes, 0, true),
  'chunks.has': rule(devices, limits.requestBodyBytes, 0, false),
  /** Ids held with a prefix. */
  'chunks.list': rule(devices, limits.requestHeadBytes, 0, false),
  /** "Keep these": the holder fetches what it lacks and answers when durable. */
  'chunks.offer': rule(devices, limits.requestBodyBytes, 0, false),
  /** Digests of a folder's pins at the asked holder, by the beginning of the chunks' ids; and those ids. */
  'pins.digests': rule(['member', 'admin'], limits.requestHeadBytes, 0, false),
  'pins.list': rule(['member', 'admin'], limits.requestHeadBytes, 0, false),
  /** A signed release. Storage-only devices release nothing. */
  'pins.release': rule(['member', 'admin'], limits.requestBodyBytes, 0, false),
  /** `keyed(nonce, sealed chunk)`: proof that a holder has the bytes now. */
  'chunks.challenge': rule(devices, limits.requestHeadBytes, 0, false),
  /** When chunks were last read from the disk and compared. */
  'chunks.verified': rule(devices, limits.requestBodyBytes, 0, false),
  /** To read the whole disk and mend it, for the device's owner and for admins, or how far that is. */
  'device.scrub': rule(['member', 'admin'], limits.requestHeadBytes, 0, false),
  /** "I give up my copies of these": proofs of others', with the promise to keep them for a while. */
  'chunks.hold': rule(devices, limits.requestBodyBytes, 0, false),
  /** To begin to retire, to stay after all, or how far it is; for the device's owner and for admins. */
  'device.retire': rule(['member', 'admin'], limits.requestHeadBytes, 0, false),
  /** Port, id and key of a TLS lane (crypto.md §6). */
  'lane.open': rule(devices, limits.requestHeadBytes, 0, false),
} as const satisfies Record<string, RequestRule>

export type RequestName = keyof typeof registry
export const requestNames = Object.keys(registry) as RequestName[]

/** Whether a role may ask a request. */
export function mayAsk(role: Role, name: RequestName): boolean {
  return (registry[name].roles as readonly Role[]).includes(role)
}
