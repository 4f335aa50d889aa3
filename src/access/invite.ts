/**
 * Becoming a member. The joiner proves that it has the code's secret without sending it; the inviter,
 * who alone may redeem his code, records the redemption durably before he answers; the joiner checks
 * the whole answer before it replaces anything. Carried by `peer/` over `invite.redeem`.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { idBytes, type PoolId, type RecordHash } from '../base/words.ts'
import { newAgreementKey } from '../codec/agree.ts'
import { bytes, decode, encode, field, fields, id, text } from '../codec/cbor-schema.ts'
import { derive, hash, keyed } from '../codec/hash.ts'
import { deviceIdOf, newSigningKey, type SigningKey } from '../codec/sign.ts'
import type { Store } from '../store/store.ts'
import { makeRequest, readRequest, type Certified, type DeviceSecrets } from './certificate.ts'
import type { PoolKeys } from './device-keys.ts'
import { inviteText, type Invite, type InviteKind } from './invite-code.ts'
import type { OpenedCatalogue } from './opened-catalogue.ts'
import { signedRequest, type SignedRequest } from './record-bodies.ts'
import {
  checkHistory,
  historyFor,
  type ExpectedDevice,
  type WelcomeAnswer,
  type WelcomePlace,
} from './welcome.ts'

const requestPart = fields({
  invite: field(0, bytes(16)),
  request: field(1, signedRequest),
  name: field(2, text(limits.deviceNameBytes)),
})

const macced = fields({ message: field(0, bytes(1, limits.requestHeadBytes)), mac: field(1, bytes(32)) })

const welcomePart = fields({
  certificate: field(0, id<RecordHash>()),
  poolSecret: field(1, bytes(32)),
  /** Hash of the hashes of the batches that follow. */
  batches: field(2, bytes(32)),
})

/** An answer as given: its head, and the batches that follow as frames of the body. */
export interface Welcome {
  head: Uint8Array
  batches: AsyncIterable<Uint8Array>
}

/** What a joiner keeps between its request and the answer; the same request may be sent again. */
export interface Joining {
  invite: Invite
  secrets: DeviceSecrets & { peer: SigningKey }
  /** The request's head to send. */
  request: Uint8Array
}

/** An invite as its inviter keeps it. */
interface InviteRow {
  kind: InviteKind
  expires: number
  created: number
  joinKey: string
  welcomeKey: string
  /** Hash of the request that redeemed it. */
  redeemedBy?: string | undefined
  certificate?: RecordHash | undefined
}

export interface InviteLine {
  id: string
  kind: InviteKind
  expires: number
  used: boolean
}

export interface InvitesParts {
  catalogue: OpenedCatalogue
  store: Pick<Store, 'own' | 'read' | 'batch'>
  poolSecret: Uint8Array
  clock: Clock
  random: Random
}

/** The inviter's side. */
export class Invites {
  readonly #parts: InvitesParts
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: InvitesParts) {
    this.#parts = parts
  }

  /** Makes a code for one more device; `addresses`: where this peer may be dialled. */
  async create(
    kind: InviteKind,
    addresses: readonly string[],
  ): Promise<{ id: string; code: string; link: string; expires: number }> {
    this.#checkMayInvite(kind)
    await this.#dropExpired()
    if (this.list().length >= limits.invitesOpen)
      throw fail('RATE_LIMITED', { who: 'this device', seconds: 3600 })
    const { catalogue, clock, random, store } = this.#parts
    const secret = random.bytes(16)
    const expires = clock.now() + limits.inviteLifeMs
    const keys = keysOf(secret)
    const row: InviteRow = {
      kind,
      expires,
      created: clock.now(),
      joinKey: keys.join.toString('base64'),
      welcomeKey: keys.welcome.toString('base64'),
    }
    await store.own.put('invite', keys.id.toString('hex'), row)
    const { pool, device: inviter, peer } = catalogue
    const invite = { kind, pool, inviter, peer, addresses: [...addresses], expires, secret }
    return { id: keys.id.toString('hex'), expires, ...inviteText(invite) }
  }

  list(): InviteLine[] {
    return this.#parts.store.own
      .list<InviteRow>('invite')
      .filter(({ value }) => value.expires > this.#parts.clock.now())
      .map(({ id, value }) => ({
        id,
        kind: value.kind,
        expires: value.expires,
        used: value.redeemedBy !== undefined,
      }))
  }

  async withdraw(id: string): Promise<void> {
    await this.#parts.store.own.remove('invite', id)
  }

  /**
   * Answers a joiner's request. One request per code; the same one again gets the same answer until
   * the code expires. Fails with `INVITE_REFUSED`, `INVITE_USED`, `INVITE_EXPIRED`.
   */
  async redeem(request: Uint8Array): Promise<Welcome> {
    const turn = this.#turn.then(() => this.#redeem(request))
    this.#turn = turn.catch(() => undefined)
    return await turn
  }

  async #redeem(bytes: Uint8Array): Promise<Welcome> {
    const { message, mac } = decode(macced, bytes, 'a join request', limits.requestHeadBytes)
    const part = decode(requestPart, message, 'a join request', limits.requestHeadBytes)
    const id = Buffer.from(part.invite).toString('hex')
    const row = this.#parts.store.own.get<InviteRow>('invite', id)
    if (row === undefined) throw fail('INVITE_REFUSED', { reason: 'it is unknown or was withdrawn' })
    if (!isMac(mac, Buffer.from(row.joinKey, 'base64'), this.#parts.catalogue.pool, hash(message)))
      throw fail('INVITE_REFUSED', { reason: 'the request was not made with this code' })
    if (row.expires <= this.#parts.clock.now())
      throw fail('INVITE_EXPIRED', { expires: new Date(row.expires).toISOString() })
    const redeemed = hash(message).toString('hex')
    if (row.redeemedBy !== undefined && row.redeemedBy !== redeemed) throw fail('INVITE_USED')
    const subject = this.#checkRequest(row, part.request)
    await this.#parts.store.own.put('invite', id, { ...row, redeemedBy: redeemed })
    const certificate = row.certificate ?? (await this.#certify(subject, part.request, part.name))
    await this.#parts.store.own.put('invite', id, { ...row, redeemedBy: redeemed, certificate })
    return await this.#answer(row, certificate, hash(message))
  }

  #checkRequest(row: InviteRow, signed: SignedRequest): Certified {
    const { catalogue } = this.#parts
    const subject = readRequest(catalogue.pool, signed)
    if (subject.issuer !== catalogue.device)
      throw fail('INVITE_REFUSED', { reason: 'it is for another inviter' })
    if (subject.kind !== row.kind) throw fail('INVITE_REFUSED', { reason: `it is for a ${row.kind}` })
    this.#checkMayInvite(row.kind)
    return subject
  }

  /** Writes the certificate, unless a crash came after it was written. */
  async #certify(subject: Certified, request: SignedRequest, name: string): Promise<RecordHash> {
    const { catalogue } = this.#parts
    const known = catalogue.state.authority.device(subject.device)
    if (known !== undefined && known.issuer === catalogue.device) return known.certificate
    return await catalogue.certify(subject, request, name)
  }

  async #answer(row: InviteRow, certificate: RecordHash, request: Buffer): Promise<Welcome> {
    const { catalogue, store, poolSecret } = this.#parts
    const { digest, batches } = await historyFor(catalogue, store.read, certificate)
    const message = encode(welcomePart, { certificate, poolSecret, batches: digest })
    const key = Buffer.from(row.welcomeKey, 'base64')
    const mac = macOf(key, catalogue.pool, request, hash(message))
    return { head: encode(macced, { message, mac }), batches }
  }

  #checkMayInvite(kind: InviteKind): void {
    if (kind === 'person')
      throw fail('NOT_HERE', { what: 'inviting another person', reason: 'it comes with users' })
    const role = this.#parts.catalogue.roleOf(this.#parts.catalogue.peer)
    if (role !== 'admin' && (role !== 'member' || kind === 'storage'))
      throw fail('FORBIDDEN', { role, action: `invite a ${kind}` })
  }

  async #dropExpired(): Promise<void> {
    const { own } = this.#parts.store
    for (const { id, value } of own.list<InviteRow>('invite'))
      if (value.expires <= this.#parts.clock.now()) await own.remove('invite', id)
  }
}

/** The joiner's request under an invite, with new keys for this pool. */
export function joinRequest(invite: Invite, peer: SigningKey, name: string, random: Random): Joining {
  if (invite.kind === 'person')
    throw fail('INVITE_INVALID', { reason: 'it invites another person, which this version cannot' })
  const secrets = { record: newSigningKey(random), encryption: newAgreementKey(random), peer }
  const keys = keysOf(invite.secret)
  const message = encode(requestPart, {
    invite: keys.id,
    request: makeRequest(invite.pool, invite.inviter, invite.kind, secrets),
    name,
  })
  const mac = macOf(keys.join, invite.pool, hash(message))
  return { invite, secrets, request: encode(macced, { message, mac }) }
}

/**
 * Checks an answer whole: MAC, first record, chain of certificates, and that this device now counts
 * with the kind invited. Its records then lie in `place`. Gives the keys to save; `INVITE_REFUSED` otherwise.
 */
export async function checkWelcome(
  joining: Joining,
  answer: WelcomeAnswer,
  place: WelcomePlace,
): Promise<PoolKeys> {
  const { invite, secrets, request } = joining
  const { message, mac } = decode(macced, answer.head, 'a welcome', limits.requestHeadBytes)
  const asked = decode(macced, request, 'a join request', limits.requestHeadBytes).message
  if (!isMac(mac, keysOf(invite.secret).welcome, invite.pool, hash(asked), hash(message)))
    throw fail('INVITE_REFUSED', { reason: 'its answer was not made with this code' })
  const welcome = decode(welcomePart, message, 'a welcome', limits.requestHeadBytes)
  const poolSecret = Buffer.from(welcome.poolSecret)
  await checkHistory(expectedOf(joining, welcome.certificate), answer.batches, welcome.batches, place)
  return { pool: invite.pool, secrets, poolSecret, genesis: [] }
}

function expectedOf({ invite, secrets }: Joining, certificate: RecordHash): ExpectedDevice {
  const { pool, kind, inviter: issuer, peer: issuerPeer } = invite
  if (kind === 'person') throw fail('INVITE_REFUSED', { reason: 'it invites another person' })
  return { pool, kind, issuer, issuerPeer, certificate, device: deviceIdOf(secrets.record.publicKey) }
}

/** Names a code: known to its inviter, and no secret. */
export function inviteIdOf({ secret }: Invite): string {
  return keysOf(secret).id.toString('hex')
}

/** The secret itself is never sent; these are, or prove that it is known. */
function keysOf(secret: Uint8Array): { id: Buffer; join: Buffer; welcome: Buffer } {
  return {
    id: derive('peerstor/1 invite id', secret).subarray(0, 16),
    join: derive('peerstor/1 invite join', secret),
    welcome: derive('peerstor/1 invite welcome', secret),
  }
}

function macOf(key: Uint8Array, pool: PoolId, ...hashes: readonly Uint8Array[]): Buffer {
  return keyed(key, idBytes(pool), ...hashes)
}

function isMac(mac: Uint8Array, key: Uint8Array, pool: PoolId, ...hashes: readonly Uint8Array[]): boolean {
  return timingSafeEqual(mac, macOf(key, pool, ...hashes))
}
