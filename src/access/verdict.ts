/**
 * Who counts: one pure function of the set of authority records held, never of their order of
 * arrival (docs/SECURITY.md).
 *
 * 1. From the pool's first record on, every certificate and admin record counts whose author counts,
 *    is entitled and is not cut, until none is added. These steps only add: order cannot matter.
 * 2. Of the counted revocations not yet taken, the most senior author's is taken: its cut stands.
 *    Then 1 again from the start, until none is left.
 *
 * The founder's own certificate is beyond every cut, so that the recovery key it names, the most
 * senior key of the pool, can always speak.
 */
import type { DeviceId, PoolId, RecordHash, UserId } from '../base/words.ts'

export type DeviceKind = 'device' | 'storage' | 'recovery'

interface Fact {
  hash: RecordHash
  /** Device whose chain holds the record. */
  author: DeviceId
  /** Place in that chain. */
  position: number
}

export interface PoolFact extends Fact {
  kind: 'pool'
  /** Fingerprint of the keys that the founder's certificate must name. */
  terms: string
}

export interface CertificateFact extends Fact {
  kind: 'certificate'
  device: DeviceId
  deviceKind: DeviceKind
  /** Absent: the record begins a user, whose id is its hash. */
  user?: UserId | undefined
  /** Recovery key named by a user's first certificate. */
  recovery?: DeviceId | undefined
  terms: string
}

export interface AdminFact extends Fact {
  kind: 'admin'
  user: UserId
}

/** Cuts a device, or what a user did as admin. `heads`: the target's last records that stay valid. */
export interface RevocationFact extends Fact {
  kind: 'revocation'
  target:
    | { device: DeviceId; certificate: RecordHash }
    /** The admin records (or the pool's id, for the founder) that no longer count. */
    | { user: UserId; grants: readonly RecordHash[] }
  heads: readonly RecordHash[]
}

export type AuthorityFact = PoolFact | CertificateFact | AdminFact | RevocationFact

/** Whether `record` is one of `heads` or linked back to by one of them. */
export type Reaches = (
  heads: readonly RecordHash[],
  record: { hash: RecordHash; author: DeviceId; position: number },
) => boolean

/** A device with its certificate, as the verdict judges it. */
export interface Judged {
  device: DeviceId
  user: UserId
  kind: DeviceKind
  certificate: RecordHash
  issuer: DeviceId
  /** Its certificate counts: not when it fell with its issuer. */
  counted: boolean
  /** Some cut stands against it. */
  revoked: boolean
  /** What the cuts that stand keep: lists of last heads. */
  cuts: readonly (readonly RecordHash[])[]
}

export interface Verdict {
  devices: ReadonlyMap<DeviceId, Judged>
  /** Users who are admins now. */
  admins: ReadonlySet<UserId>
  /** Whether a record counts: its device does, and no cut drops it. */
  keeps(record: { hash: RecordHash; author: DeviceId; position: number }): boolean
  /** Whether a record counts as an act of an admin. */
  keepsAsAdmin(record: { hash: RecordHash; author: DeviceId; position: number }): boolean
  /** Every user that a record may name, under the one id it is shown by. */
  userNamed(user: UserId): UserId
  rounds: number
}

/** Judges the records of pool `pool`. `reaches` answers from the chains held. */
export function judge(pool: PoolId, facts: readonly AuthorityFact[], reaches: Reaches): Verdict {
  const court = new Court(pool, facts, reaches)
  court.rank()
  let rounds = 1
  for (court.count(); court.takeMostSenior(); court.count()) rounds += 1
  return court.verdict(rounds)
}

/** The order of devices: smaller speaks first. */
interface Rank {
  userDepth: number
  userFirst: RecordHash
  recovery: 0 | 1
  depth: number
  position: number
  certificate: RecordHash
}

interface Standing {
  device: DeviceId
  user: UserId
  kind: DeviceKind
  fact: CertificateFact
  rank: Rank
}

class Court {
  readonly #poolFact: PoolFact | undefined
  readonly #certificates: CertificateFact[]
  readonly #admins: AdminFact[]
  readonly #revocations: RevocationFact[]
  readonly #reaches: Reaches
  /** Founder's certificates: alike but for signature bytes and time; all name one user. */
  readonly #founders: ReadonlySet<RecordHash>
  readonly #founder: UserId | undefined
  /** One certificate for each device, the most senior; fixed by certificates alone. */
  #standing = new Map<DeviceId, Standing>()
  readonly #taken = new Set<RecordHash>()
  readonly #cuts = new Map<DeviceId, (readonly RecordHash[])[]>()
  readonly #unnamings = new Map<UserId, { heads: readonly RecordHash[]; grants: readonly RecordHash[] }[]>()
  #counted = new Set<DeviceId>()
  /** Counted grants by user; the pool's id grants the founder. */
  #grants = new Map<UserId, Set<RecordHash>>()

  constructor(pool: PoolId, facts: readonly AuthorityFact[], reaches: Reaches) {
    const of = <Kind extends AuthorityFact['kind']>(kind: Kind) =>
      facts.filter((fact): fact is Extract<AuthorityFact, { kind: Kind }> => fact.kind === kind)
    this.#poolFact = of('pool').find((fact) => fact.hash === (pool as string))
    this.#certificates = of('certificate')
    this.#admins = of('admin')
    this.#revocations = of('revocation')
    this.#reaches = reaches
    this.#founders = new Set(this.#certificates.filter((fact) => this.#isFounding(fact)).map((f) => f.hash))
    this.#founder = [...this.#founders].sort()[0] as UserId | undefined
  }

  /**
   * Settles each device's certificate and seniority: nearest to the founder first, so a device's
   * rank never depends on what lies below it.
   */
  rank(): void {
    const entitled = this.#entitledWithoutCuts()
    for (;;) {
      const next = entitled
        .map((fact) => this.#standingFor(fact))
        .filter((standing) => standing !== undefined)
        .sort((a, b) => compareNearness(a.rank, b.rank))[0]
      if (next === undefined) return
      this.#settle(next)
    }
  }

  /** Step 1 with the cuts that stand. */
  count(): void {
    this.#counted = new Set()
    this.#grants = new Map()
    if (this.#founder !== undefined) this.#grant(this.#founder, this.#poolFact!.hash)
    while (this.#addDevices() || this.#addAdmins());
  }

  /** Step 2: one revocation; false when none is left. */
  takeMostSenior(): boolean {
    const next = this.#revocations
      .filter((fact) => !this.#taken.has(fact.hash) && this.#isEntitledRevocation(fact))
      .sort((a, b) => this.#compareRevocations(a, b))[0]
    if (next === undefined) return false
    this.#taken.add(next.hash)
    this.#cut(next)
    return true
  }

  verdict(rounds: number): Verdict {
    const devices = new Map(
      [...this.#standing.values()].map((standing) => [standing.device, this.#judged(standing)]),
    )
    const admins = new Set([...this.#grants.keys()].filter((user) => this.#isAdminNow(user)))
    return {
      devices,
      admins,
      rounds,
      keeps: (record) => this.#counted.has(record.author) && this.#isKept(record),
      keepsAsAdmin: (record) => this.#isAdminAct(record),
      userNamed: (user) => this.#userNamed(user),
    }
  }

  #judged(standing: Standing): Judged {
    const { device, user, kind, fact } = standing
    return {
      device,
      user,
      kind,
      certificate: fact.hash,
      issuer: fact.author,
      counted: this.#counted.has(device),
      revoked: this.#cuts.has(device),
      cuts: this.#cuts.get(device) ?? [],
    }
  }

  // Seniority

  /** Counting without cuts and with every certificate of a device: the most that can ever count. */
  #entitledWithoutCuts(): CertificateFact[] {
    const users = new Map<DeviceId, Set<UserId>>()
    const admins = new Set<UserId>(this.#founder === undefined ? [] : [this.#founder])
    const entitled = new Set<CertificateFact>()
    const usersOf = (device: DeviceId): UserId[] => [...(users.get(device) ?? [])]
    const may = (fact: CertificateFact): boolean =>
      this.#founders.has(fact.hash) ||
      (fact.user !== undefined && fact.deviceKind !== 'storage'
        ? usersOf(fact.author).includes(this.#userNamed(fact.user))
        : usersOf(fact.author).some((user) => admins.has(user)))
    for (let more = true; more;) {
      const size = entitled.size + admins.size
      for (const fact of this.#certificates) {
        if (!may(fact)) continue
        entitled.add(fact)
        if (fact.deviceKind !== 'storage') add(users, fact.device, this.#userOf(fact))
        if (fact.recovery !== undefined) add(users, fact.recovery, this.#userOf(fact))
      }
      for (const fact of this.#admins)
        if (usersOf(fact.author).some((user) => admins.has(user))) admins.add(this.#userNamed(fact.user))
      more = entitled.size + admins.size > size
    }
    return [...entitled]
  }

  /** What a certificate would make, when its issuer is settled and its device is not yet. */
  #standingFor(fact: CertificateFact): Standing | undefined {
    if (this.#standing.has(fact.device)) return undefined
    const user = this.#userOf(fact)
    const place = { recovery: 1, position: fact.position, certificate: fact.hash } as const
    const standing = { device: fact.device, user, kind: fact.deviceKind, fact }
    if (this.#founders.has(fact.hash))
      return fact.hash === (user as string)
        ? { ...standing, rank: { ...place, userDepth: 0, userFirst: fact.hash, depth: 0 } }
        : undefined
    const issuer = this.#standing.get(fact.author)
    if (issuer === undefined || issuer.kind === 'storage') return undefined
    const { userDepth, userFirst, depth } = issuer.rank
    if (fact.user === undefined)
      return { ...standing, rank: { ...place, userDepth: userDepth + 1, userFirst: fact.hash, depth: 0 } }
    if (issuer.user !== user) return undefined
    return { ...standing, rank: { ...place, userDepth, userFirst, depth: depth + 1 } }
  }

  #settle(standing: Standing): void {
    this.#standing.set(standing.device, standing)
    const recovery = standing.fact.recovery
    if (recovery === undefined || standing.fact.user !== undefined || this.#standing.has(recovery)) return
    const rank: Rank = { ...standing.rank, recovery: 0 }
    this.#standing.set(recovery, { ...standing, device: recovery, kind: 'recovery', rank })
  }

  #isFounding(fact: CertificateFact): boolean {
    const pool = this.#poolFact
    return (
      pool !== undefined &&
      fact.author === pool.author &&
      fact.device === pool.author &&
      fact.user === undefined &&
      fact.deviceKind === 'device' &&
      fact.terms === pool.terms
    )
  }

  #userOf(fact: CertificateFact): UserId {
    return this.#userNamed(fact.user ?? (fact.hash as string as UserId))
  }

  #userNamed(user: UserId): UserId {
    return this.#founders.has(user as string as RecordHash) ? this.#founder! : user
  }

  // Step 1

  #addDevices(): boolean {
    const size = this.#counted.size
    for (const standing of this.#standing.values())
      if (!this.#counted.has(standing.device) && this.#isEntitledDevice(standing))
        this.#counted.add(standing.device)
    return this.#counted.size > size
  }

  #isEntitledDevice({ fact, user }: Standing): boolean {
    if (this.#founders.has(fact.hash)) return true
    if (fact.user === undefined || fact.deviceKind === 'storage') return this.#isAdminAct(fact)
    return this.#isAct(fact) && this.#standing.get(fact.author)!.user === user
  }

  #addAdmins(): boolean {
    let added = false
    for (const fact of this.#admins)
      if (this.#isAdminAct(fact)) added = this.#grant(this.#userNamed(fact.user), fact.hash) || added
    return added
  }

  #grant(user: UserId, grant: RecordHash): boolean {
    if (this.#grants.get(user)?.has(grant) === true) return false
    add(this.#grants, user, grant)
    return true
  }

  /** A record of a device that may decide anything: counted, kept, and not storage-only. */
  #isAct(fact: { hash: RecordHash; author: DeviceId; position: number }): boolean {
    const author = this.#standing.get(fact.author)
    return (
      author !== undefined &&
      author.kind !== 'storage' &&
      this.#counted.has(fact.author) &&
      this.#isKept(fact)
    )
  }

  #isAdminAct(fact: { hash: RecordHash; author: DeviceId; position: number }): boolean {
    if (!this.#isAct(fact)) return false
    const { user } = this.#standing.get(fact.author)!
    if (!this.#grants.has(user)) return false
    const unnamings = this.#unnamings.get(user) ?? []
    return this.#isAdminNow(user) || unnamings.some(({ heads }) => this.#reaches(heads, fact))
  }

  #isAdminNow(user: UserId): boolean {
    const dropped = (this.#unnamings.get(user) ?? []).flatMap(({ grants }) => grants)
    return [...(this.#grants.get(user) ?? [])].some((grant) => !dropped.includes(grant))
  }

  /** Several cuts keep the union of what each keeps. */
  #isKept(record: { hash: RecordHash; author: DeviceId; position: number }): boolean {
    const cuts = this.#cuts.get(record.author)
    return cuts === undefined || cuts.some((heads) => this.#reaches(heads, record))
  }

  // Step 2

  #isEntitledRevocation(fact: RevocationFact): boolean {
    const { target } = fact
    const author = this.#standing.get(fact.author)
    if (author === undefined || !this.#counted.has(author.device) || !this.#isKept(fact)) return false
    if ('user' in target) return this.#isAdminAct(fact) && this.#userNamed(target.user) !== author.user
    const aimed = this.#standing.get(target.device)
    if (aimed === undefined || !this.#isCertificateOf(aimed, target.certificate)) return false
    if (aimed.device === author.device) return true
    return (this.#isAct(fact) && aimed.user === author.user) || this.#isAdminAct(fact)
  }

  #isCertificateOf(standing: Standing, certificate: RecordHash): boolean {
    const founding = this.#founders.has(standing.fact.hash) && this.#founders.has(certificate)
    return founding || standing.fact.hash === certificate
  }

  #cut(fact: RevocationFact): void {
    const { target, heads } = fact
    if ('user' in target)
      push(this.#unnamings, this.#userNamed(target.user), { heads, grants: target.grants })
    // A device that retires keeps all it wrote before.
    else push(this.#cuts, target.device, target.device === fact.author ? [fact.hash] : heads)
  }

  #compareRevocations(a: RevocationFact, b: RevocationFact): number {
    const rankA = this.#standing.get(a.author)!.rank
    const rankB = this.#standing.get(b.author)!.rank
    return compareSeniority(rankA, rankB) || a.position - b.position || compareText(a.hash, b.hash)
  }
}

function compareSeniority(a: Rank, b: Rank): number {
  return (
    a.userDepth - b.userDepth ||
    compareText(a.userFirst, b.userFirst) ||
    a.recovery - b.recovery ||
    a.depth - b.depth ||
    a.position - b.position ||
    compareText(a.certificate, b.certificate)
  )
}

/** Which of several certificates of one device is its own: chain places before hashes, which can be chosen. */
function compareNearness(a: Rank, b: Rank): number {
  return (
    a.userDepth - b.userDepth ||
    a.depth - b.depth ||
    a.position - b.position ||
    compareText(a.certificate, b.certificate)
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function add<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value))
}

function push<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  lists.set(key, [...(lists.get(key) ?? []), value])
}
