/** The authority records held, read once, and the verdict over them. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { DeviceId, PeerId, PoolId, RecordHash, Role, UserId } from '../base/words.ts'
import { decode } from '../codec/cbor-schema.ts'
import { recordKinds, type SignedRecord } from '../codec/record.ts'
import { deviceIdOf } from '../codec/sign.ts'
import type { Ancestry } from './ancestry.ts'
import { readCertificate, type Certificate, type Certified } from './certificate.ts'
import { peerIdOf } from './peer-id.ts'
import { adminBody, poolBody, revocationBody } from './record-bodies.ts'
import { judge, type AuthorityFact, type Judged, type Reaches, type Verdict } from './verdict.ts'

/** A record with its place, as rules ask about it. */
export interface Placed {
  hash: RecordHash
  author: DeviceId
  position: number
}

export class Authority {
  readonly pool: PoolId
  readonly #ancestry: Ancestry
  readonly #reaches: Reaches
  readonly #facts = new Map<RecordHash, AuthorityFact>()
  readonly #certificates = new Map<RecordHash, Certificate>()
  readonly #recordKeys = new Map<DeviceId, Uint8Array>()
  readonly #peers = new Map<PeerId, Judged>()
  #verdict: Verdict

  constructor(pool: PoolId, ancestry: Ancestry) {
    this.pool = pool
    this.#ancestry = ancestry
    this.#reaches = (heads, record) => ancestry.reaches(heads, record)
    this.#verdict = judge(pool, [], this.#reaches)
  }

  /** Reads one record; what is no authority record, or holds nonsense, changes nothing. */
  learn(record: SignedRecord, position: number): void {
    try {
      const fact = this.#factOf(record, position)
      if (fact !== undefined) this.#facts.set(record.hash, fact)
    } catch {
      // Kept and forwarded, never acted upon.
    }
  }

  /** A hole in a device's chain was filled: its records stand at other places than when they were learned. */
  moved(device: DeviceId): void {
    this.#ancestry.moved(device)
    for (const fact of this.#facts.values())
      if (fact.author === device)
        this.#facts.set(fact.hash, { ...fact, position: this.#ancestry.positionOf(fact) })
  }

  /** Judges again; call after records were learned and stored. */
  rejudge(): void {
    this.#verdict = judge(this.pool, [...this.#facts.values()], this.#reaches)
    this.#peers.clear()
    for (const judged of this.devices()) {
      const peer = this.certified(judged).peer
      if (peer !== undefined && isBetter(judged, this.#peers.get(peer))) this.#peers.set(peer, judged)
    }
  }

  /** The verdict if `more` were known too. */
  supposing(more: readonly AuthorityFact[]): Verdict {
    return judge(this.pool, [...this.#facts.values(), ...more], this.#reaches)
  }

  /** The key that signs a device's batches, once any certificate names it. */
  recordKeyOf(device: DeviceId): Uint8Array | undefined {
    return this.#recordKeys.get(device)
  }

  devices(): Judged[] {
    return [...this.#verdict.devices.values()]
  }

  device(device: DeviceId): Judged | undefined {
    return this.#verdict.devices.get(device)
  }

  deviceOfPeer(peer: PeerId): Judged | undefined {
    return this.#peers.get(peer)
  }

  /** Keys and PeerId that a judged device's certificate names. */
  certified(judged: Judged): Certified {
    const certificate = this.#certificates.get(judged.certificate)!
    return judged.device === certificate.device ? certificate : certificate.recovery!
  }

  roleOf(judged: Judged): Role {
    if (!judged.counted || judged.revoked) return 'ex-member'
    if (judged.kind === 'storage') return 'storage'
    return this.isAdmin(judged.user) ? 'admin' : 'member'
  }

  isAdmin(user: UserId): boolean {
    return this.#verdict.admins.has(user)
  }

  userNamed(user: UserId): UserId {
    return this.#verdict.userNamed(user)
  }

  /** A record counts: its device does and no cut drops it. */
  keeps(record: Placed): boolean {
    return this.#verdict.keeps(record)
  }

  /** A record counts as an act of a member (never of a storage-only device); gives the author's user. */
  memberActing(record: Placed): UserId | undefined {
    const judged = this.device(record.author)
    return judged !== undefined && judged.kind !== 'storage' && this.keeps(record) ? judged.user : undefined
  }

  keepsAsAdmin(record: Placed): boolean {
    return this.#verdict.keepsAsAdmin(record)
  }

  /** Admin records that make a user an admin; the pool's first one for the founder. */
  grantsOf(user: UserId): RecordHash[] {
    const named = [...this.#facts.values()].filter(
      (fact) => fact.kind === 'admin' && this.userNamed(fact.user) === user,
    )
    const genesis = this.#facts.get(this.pool as string as RecordHash)
    return [...named, ...(genesis === undefined ? [] : [genesis])].map((fact) => fact.hash)
  }

  /** The last heads that any revocation keeps. */
  keptHeads(): RecordHash[] {
    return [...this.#facts.values()].flatMap((fact) => (fact.kind === 'revocation' ? fact.heads : []))
  }

  /** Revocations a device wrote, by place. */
  revocationsBy(device: DeviceId): Extract<AuthorityFact, { kind: 'revocation' }>[] {
    return [...this.#facts.values()]
      .filter((fact) => fact.kind === 'revocation')
      .filter((fact) => fact.author === device)
      .sort((a, b) => a.position - b.position)
  }

  #factOf(record: SignedRecord, position: number): AuthorityFact | undefined {
    const { head, hash, body } = record
    const place = { hash, position, author: head.device }
    if (body === undefined) return undefined
    if (head.kind === recordKinds.pool) return this.#poolFact(place, body)
    if (head.kind === recordKinds.certificate) return this.#certificateFact(place, body)
    if (head.kind === recordKinds.admin) {
      const { user } = decode(adminBody, body, 'an admin record', limits.recordHead)
      return { kind: 'admin', ...place, user }
    }
    if (head.kind === recordKinds.revocation) return revocationFact(place, body)
    return undefined
  }

  #poolFact(place: Placed, body: Uint8Array): AuthorityFact {
    const read = decode(poolBody, body, 'the first record of a pool', limits.recordHead)
    const device = deviceIdOf(read.recordKey)
    if (device !== place.author) throw fail('RECORD_INVALID', { device: place.author, reason: 'wrong key' })
    this.#recordKeys.set(device, Buffer.from(read.recordKey))
    const { recordKey, encryptionKey, recovery } = read
    const terms = termsOf([recordKey, encryptionKey], peerIdOf(read.peer), recovery)
    return { kind: 'pool', ...place, terms }
  }

  #certificateFact(place: Placed, body: Uint8Array): AuthorityFact {
    const certificate = readCertificate(this.pool, place.author, body)
    this.#certificates.set(place.hash, certificate)
    const { device, recordKey, encryptionKey, user, recovery } = certificate
    this.#recordKeys.set(device, recordKey)
    if (recovery !== undefined) this.#recordKeys.set(recovery.device, recovery.recordKey)
    return {
      kind: 'certificate',
      ...place,
      device,
      deviceKind: certificate.kind,
      user,
      recovery: recovery?.device,
      terms: termsOf([recordKey, encryptionKey], certificate.peer, recovery),
    }
  }
}

/** What the pool's first record fixes of its founder's certificate. */
function termsOf(
  keys: readonly Uint8Array[],
  peer: PeerId | undefined,
  recovery: { recordKey: Uint8Array; encryptionKey: Uint8Array } | undefined,
): string {
  const all = recovery === undefined ? keys : [...keys, recovery.recordKey, recovery.encryptionKey]
  return [peer ?? '', ...all.map((key) => Buffer.from(key).toString('hex'))].join(' ')
}

function revocationFact(place: Placed, body: Uint8Array): AuthorityFact | undefined {
  const read = decode(revocationBody, body, 'a revocation', limits.recordBody)
  const { device, certificate, user, heads } = read
  if (device !== undefined && certificate !== undefined)
    return { kind: 'revocation', ...place, heads, target: { device, certificate } }
  if (user !== undefined)
    return { kind: 'revocation', ...place, heads, target: { user, grants: read.grants ?? [] } }
  return undefined
}

/** Of several certificates of one PeerId the one that counts, then the later one. */
function isBetter(a: Judged, b: Judged | undefined): boolean {
  if (b === undefined) return true
  const live = (judged: Judged): boolean => judged.counted && !judged.revoked
  return live(a) === live(b) ? a.certificate > b.certificate : live(a)
}
