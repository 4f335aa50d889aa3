import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeviceId, PoolId, RecordHash, UserId } from '../base/words.ts'
import { judge, type AuthorityFact, type RevocationFact, type Verdict } from './verdict.ts'

/** Hand-made chains: each act appends one record to its author's chain. */
class History {
  readonly facts: AuthorityFact[] = []
  readonly previous = new Map<RecordHash, RecordHash | undefined>()
  readonly heads = new Map<DeviceId, RecordHash>()
  readonly positions = new Map<RecordHash, number>()
  #count = 0
  readonly #name: (count: number) => string

  constructor(name: (count: number) => string = (count) => String(count).padStart(4, '0')) {
    this.#name = name
    const { hash, position } = this.#append('founder' as DeviceId)
    this.facts.push({ kind: 'pool', hash, position, author: 'founder' as DeviceId, terms: 'terms' })
    this.certify('founder', 'founder', { recovery: 'paper' })
  }

  get pool(): PoolId {
    return this.facts[0]!.hash as string as PoolId
  }

  get founder(): UserId {
    return this.facts[1]!.hash as string as UserId
  }

  /** Any record; `after` forks the chain there. */
  note(author: string, after?: RecordHash): RecordHash {
    return this.#append(author as DeviceId, after).hash
  }

  certify(
    author: string,
    device: string,
    more: { user?: UserId; storage?: boolean; recovery?: string; after?: RecordHash } = {},
  ): RecordHash {
    const place = this.#append(author as DeviceId, more.after)
    this.facts.push({
      kind: 'certificate',
      ...place,
      author: author as DeviceId,
      device: device as DeviceId,
      deviceKind: more.storage === true ? 'storage' : 'device',
      user: more.user,
      recovery: more.recovery as DeviceId | undefined,
      terms: device === 'founder' ? 'terms' : device,
    })
    return place.hash
  }

  own(author: string, device: string): RecordHash {
    return this.certify(author, device, { user: this.founder })
  }

  admin(author: string, user: UserId): RecordHash {
    const place = this.#append(author as DeviceId)
    this.facts.push({ kind: 'admin', ...place, author: author as DeviceId, user })
    return place.hash
  }

  /** Cuts at the target's present head, or at `heads`. */
  revoke(author: string, device: string, heads?: RecordHash[]): RecordHash {
    const target = { device: device as DeviceId, certificate: this.#certificateOf(device) }
    return this.#revocation(author, target, heads ?? this.#headsOf(device))
  }

  unname(author: string, user: UserId, heads: RecordHash[]): RecordHash {
    const grants = this.facts.filter((fact) => fact.kind === 'admin' && fact.user === user)
    return this.#revocation(author, { user, grants: grants.map((grant) => grant.hash) }, heads)
  }

  judge(facts: readonly AuthorityFact[] = this.facts): Verdict {
    return judge(this.pool, facts, (heads, { hash }) => heads.some((head) => this.#reaches(head, hash)))
  }

  counts(device: string): boolean {
    const judged = this.judge().devices.get(device as DeviceId)
    return judged !== undefined && judged.counted && !judged.revoked
  }

  keeps(author: string, hash: RecordHash): boolean {
    return this.judge().keeps({ hash, author: author as DeviceId, position: this.positions.get(hash)! })
  }

  #headsOf(device: string): RecordHash[] {
    const head = this.heads.get(device as DeviceId)
    return head === undefined ? [] : [head]
  }

  #certificateOf(device: string): RecordHash {
    const fact = this.facts.find(
      (fact) => fact.kind === 'certificate' && (fact.device === device || fact.recovery === device),
    )
    return fact?.hash ?? ('none' as RecordHash)
  }

  #revocation(author: string, target: RevocationFact['target'], heads: RecordHash[]): RecordHash {
    const place = this.#append(author as DeviceId)
    this.facts.push({ kind: 'revocation', ...place, author: author as DeviceId, target, heads })
    return place.hash
  }

  #append(device: DeviceId, after?: RecordHash): { hash: RecordHash; position: number } {
    const hash = this.#name(this.#count++) as RecordHash
    const previous = after ?? this.heads.get(device)
    const position = previous === undefined ? 0 : this.positions.get(previous)! + 1
    this.previous.set(hash, previous)
    this.positions.set(hash, position)
    this.heads.set(device, hash)
    return { hash, position }
  }

  #reaches(head: RecordHash, hash: RecordHash): boolean {
    for (let at: RecordHash | undefined = head; at !== undefined; at = this.previous.get(at))
      if (at === hash) return true
    return false
  }
}

const asUser = (hash: RecordHash): UserId => hash as string as UserId

/** The same facts in another order and with one repeated say the same. */
function described(verdict: Verdict): string {
  const devices = [...verdict.devices.values()].sort((a, b) => (a.device < b.device ? -1 : 1))
  return JSON.stringify([devices, [...verdict.admins].sort()])
}

test('the founder, his recovery key and the devices he certifies count', () => {
  const history = new History()
  history.own('founder', 'phone')
  history.own('phone', 'tablet')
  for (const device of ['founder', 'paper', 'phone', 'tablet']) assert(history.counts(device), device)
  assert.deepEqual([...history.judge().admins], [history.founder])
})

test('storage-only devices certify and revoke nothing, but retire', () => {
  const history = new History()
  history.certify('founder', 'box', { user: history.founder, storage: true })
  history.own('box', 'intruder')
  history.revoke('box', 'founder')
  assert.equal(history.counts('intruder'), false)
  assert(history.counts('founder'))
  history.revoke('box', 'box')
  assert.equal(history.counts('box'), false)
})

test('only admins begin users, certify storage and revoke strangers', () => {
  const history = new History()
  const ann = asUser(history.certify('founder', 'ann', { recovery: 'ann paper' }))
  history.certify('ann', 'mallory')
  history.certify('ann', 'ann box', { user: ann, storage: true })
  assert.equal(history.counts('mallory') || history.counts('ann box'), false)
  const kept = history.admin('founder', ann)
  assert(history.counts('mallory') && history.counts('ann box'))
  history.revoke('mallory', 'founder')
  assert(history.counts('founder'))
  history.revoke('ann', 'founder', [kept])
  assert.equal(history.counts('founder'), false)
})

test('mutual revocation: the more senior stands', () => {
  const history = new History()
  history.own('founder', 'phone')
  const before = history.heads.get('phone' as DeviceId)
  history.revoke('phone', 'founder')
  history.revoke('founder', 'phone', before === undefined ? [] : [before])
  assert(history.counts('founder'))
  assert.equal(history.counts('phone'), false)
})

test('siblings: the one certified earlier stands', () => {
  const history = new History()
  history.own('founder', 'phone')
  history.own('founder', 'tablet')
  history.revoke('tablet', 'phone', [])
  history.revoke('phone', 'tablet', [])
  assert(history.counts('phone'))
  assert.equal(history.counts('tablet'), false)
})

test('a chain falls from where it is cut; named heads keep what they reach', () => {
  const history = new History()
  history.own('founder', 'phone')
  const kept = history.own('phone', 'tablet')
  const late = history.own('phone', 'watch')
  history.own('watch', 'ring')
  history.revoke('founder', 'phone', [kept])
  assert(history.counts('tablet') && history.keeps('phone', kept))
  assert.equal(history.keeps('phone', late), false)
  assert.equal(history.counts('watch') || history.counts('ring'), false)
  assert.equal(history.counts('phone'), false)
})

test('several cuts keep the union of what each keeps', () => {
  const history = new History()
  history.own('founder', 'phone')
  const first = history.note('phone')
  const second = history.note('phone')
  const third = history.note('phone')
  history.revoke('founder', 'phone', [first])
  assert.equal(history.keeps('phone', second), false)
  history.revoke('paper', 'phone', [second])
  assert(history.keeps('phone', second))
  assert.equal(history.keeps('phone', third), false)
})

test('the founder lost: another device revokes him and goes on', () => {
  const history = new History()
  history.own('founder', 'phone')
  history.own('founder', 'tablet')
  history.revoke('phone', 'founder')
  assert.equal(history.counts('founder'), false)
  assert(history.counts('phone') && history.counts('tablet') && history.counts('paper'))
  history.own('phone', 'new laptop')
  assert(history.counts('new laptop'))
})

test('the thief of an older device wins until the recovery key speaks', () => {
  const history = new History()
  history.own('founder', 'phone')
  const honest = history.heads.get('founder' as DeviceId)!
  history.revoke('phone', 'founder', [honest])
  history.revoke('founder', 'phone', [])
  assert.equal(history.counts('phone'), false)
  history.revoke('paper', 'founder', [honest])
  assert(history.counts('phone'))
  assert.equal(history.counts('founder'), false)
})

test('a young thief who drops everything of the founder does not end the pool', () => {
  const history = new History()
  history.own('founder', 'phone')
  history.revoke('phone', 'founder', [])
  assert.equal(history.counts('phone'), false)
  assert(history.counts('paper'))
  const headsOfPhone: RecordHash[] = []
  history.revoke('paper', 'phone', headsOfPhone)
  assert(history.counts('founder'))
})

test('an admin named and then revoked: what he did before stays, later acts fall', () => {
  const history = new History()
  const ann = asUser(history.certify('founder', 'ann'))
  history.admin('founder', ann)
  const bob = asUser(history.certify('ann', 'bob'))
  const kept = history.heads.get('ann' as DeviceId)!
  history.certify('ann', 'carl')
  history.revoke('founder', 'ann', [kept])
  assert(history.counts('bob'))
  assert.equal(history.counts('carl') || history.counts('ann'), false)
  history.admin('bob', bob)
  assert.equal(history.judge().admins.has(bob), false)
})

test('an un-named admin keeps his devices and loses later admin acts', () => {
  const history = new History()
  const ann = asUser(history.certify('founder', 'ann'))
  history.admin('founder', ann)
  history.certify('ann', 'bob')
  const kept = history.heads.get('ann' as DeviceId)!
  history.certify('ann', 'carl')
  history.certify('ann', 'ann phone', { user: ann })
  history.unname('founder', ann, [kept])
  assert(history.counts('ann') && history.counts('bob') && history.counts('ann phone'))
  assert.equal(history.counts('carl'), false)
  assert.equal(history.judge().admins.has(ann), false)
  history.admin('founder', ann)
  assert(history.judge().admins.has(ann))
  history.unname('ann', ann, [])
  assert(history.judge().admins.has(ann), 'nobody un-names himself')
})

test('a second self-certificate of the founder, whatever its hash, changes no one else', () => {
  const history = new History((count) => String(9999 - count))
  const { pool } = history
  const genesis = pool as string as RecordHash
  history.own('founder', 'phone')
  history.certify('founder', 'founder', { recovery: 'paper', after: genesis })
  assert(history.counts('founder') && history.counts('phone') && history.counts('paper'))
})

test('a device certified twice keeps its earlier certificate', () => {
  const history = new History((count) => String(9999 - count))
  const ann = asUser(history.certify('founder', 'ann'))
  history.certify('ann', 'ann phone', { user: ann })
  history.certify('founder', 'ann')
  assert.equal(history.judge().devices.get('ann' as DeviceId)!.user, ann)
  assert(history.counts('ann phone'))
})

test('2,000 random sets: one verdict whatever the order of arrival, in bounded rounds', () => {
  const seed = Number(process.env['PEERSTOR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`verdict seed ${seed}`)
  const next = mulberry(seed)
  let most = 0
  let cut = 0
  for (let round = 0; round < 2000; round++) {
    const history = randomHistory(next)
    const expected = history.judge()
    for (let order = 0; order < 3; order++) {
      const facts = shuffled([...history.facts, history.facts[below(next, history.facts.length)]!], next)
      assert.equal(described(history.judge(facts)), described(expected), `seed ${seed} set ${round}`)
    }
    const revocations = history.facts.filter((fact) => fact.kind === 'revocation').length
    assert(expected.rounds <= revocations + 1)
    assert(expected.devices.get('paper' as DeviceId)!.counted, 'the recovery key can always speak')
    most = Math.max(most, expected.rounds)
    cut += [...expected.devices.values()].filter((judged) => judged.revoked || !judged.counted).length
  }
  console.log(`verdict: at most ${most} rounds, ${cut} devices cut or fallen`)
  assert(cut > 1000, 'the sets are worth judging')
})

function randomHistory(next: () => number): History {
  const names = new Map<number, string>()
  const history = new History((count) => {
    names.set(
      count,
      names.get(count) ??
        Math.floor(next() * 2 ** 48)
          .toString(16)
          .padStart(12, '0'),
    )
    return names.get(count)!
  })
  const devices = ['founder', 'paper']
  const users = [history.founder]
  const anyRecord = (): RecordHash => [...history.previous.keys()][below(next, history.previous.size)]!
  const pick = <T>(items: readonly T[]): T => items[below(next, items.length)]!
  for (let act = 0; act < 24; act++) {
    const author = pick(devices)
    const after = next() < 0.1 ? history.heads.get(author as DeviceId) : undefined
    const kind = next()
    if (kind < 0.3) devices.push(`device ${act}`)
    if (kind < 0.2) history.certify(author, `device ${act}`, { user: pick(users), ...(after && { after }) })
    else if (kind < 0.26) users.push(asUser(history.certify(author, `device ${act}`)))
    else if (kind < 0.3) history.certify(author, `device ${act}`, { user: pick(users), storage: true })
    else if (kind < 0.36)
      history.certify(author, pick(devices.slice(2).concat('founder')), { user: pick(users) })
    else if (kind < 0.46) history.admin(author, pick(users))
    else if (kind < 0.72) history.revoke(author, pick(devices), next() < 0.5 ? [anyRecord()] : undefined)
    else if (kind < 0.78) history.unname(author, pick(users), [anyRecord(), anyRecord()])
    else history.note(author, next() < 0.2 ? history.previous.keys().next().value : undefined)
  }
  return history
}

function below(next: () => number, count: number): number {
  return Math.floor(next() * count)
}

function shuffled<T>(items: readonly T[], next: () => number): T[] {
  const copy = [...items]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = below(next, i + 1)
    ;[copy[i], copy[j]] = [copy[j]!, copy[i]!]
  }
  return copy
}

function mulberry(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
