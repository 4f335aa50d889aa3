/** Everything one simulation consists of, and the properties that hold at any moment. */
import { WelcomeInMemory } from '../welcome-in-memory.ts'
import { createHash } from 'node:crypto'
import { newPool } from '../../src/access/new-pool.ts'
import { checkWelcome, joinRequest } from '../../src/access/invite.ts'
import { parseInvite } from '../../src/access/invite-code.ts'
import { limits } from '../../src/base/limits.ts'
import type { ChunkId } from '../../src/base/words.ts'
import { newSigningKey } from '../../src/codec/sign.ts'
import { ManualClock } from '../manual-clock.ts'
import { markIn } from './content.ts'
import { holds, Ledger } from './ledger.ts'
import type { Profile } from './profile.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimPeer } from './sim-peer.ts'
import { SimWorld } from './sim-network.ts'

/** A promise of the product that did not hold. */
export class PropertyBroken extends Error {
  readonly property: string

  constructor(property: string, what: string) {
    super(`${property}: ${what}`)
    this.property = property
  }
}

export const plentySpace = 64 * 1024 * 1024
/** Little more than what makes a device say that it is full. */
export const littleSpace = 600 * 1024

/** Of every chunk, where there are as many devices. */
export const copiesWanted = 3

export class Scene {
  readonly clock = new ManualClock()
  readonly world: SimWorld
  readonly random: SeededRandom
  readonly profile: Profile
  readonly peers: SimPeer[] = []
  readonly ledger = new Ledger()
  readonly counts = new Map<string, number>()
  /** The first thing that went wrong; the simulation ends with it. */
  broken: Error | undefined
  /** Versions end with their time by now. */
  isOld = false
  /** Grows with everything that disturbs: what began before and ended after it may have failed by it. */
  disturbances = 0
  readonly #trace = createHash('sha256')
  readonly #onLine: ((line: string) => void) | undefined

  constructor(profile: Profile, random: SeededRandom, onLine?: (line: string) => void) {
    this.profile = profile
    this.random = random
    this.#onLine = onLine
    this.world = new SimWorld({ clock: this.clock, random: random.fork(), delayMs: profile.delayMs })
    this.world.tap = (from, to, name, bytes) => {
      this.#trace.update(`${this.clock.monotonicMs()} ${from} ${to} ${name} ${bytes.byteLength}\n`)
      const found = markIn(bytes)
      if (found !== undefined) this.break('nothing leaves a peer unsealed', `${found} stands in ${name}`)
    }
  }

  /** Hash of every message and every outcome so far. */
  get trace(): string {
    return this.#trace.copy().digest('hex').slice(0, 32)
  }

  note(line: string): void {
    const at = Math.round(this.clock.monotonicMs())
    this.#trace.update(`${at} ${line}\n`)
    this.#onLine?.(`${at} ${line}`)
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  break(property: string, what: string): void {
    this.fail(new PropertyBroken(property, what))
  }

  fail(error: Error): void {
    this.note(`BROKEN ${error.message}`)
    this.broken ??= error
  }

  /** The pool's first device, then others by invite. */
  async begin(): Promise<void> {
    const { random, clock, profile } = this
    const keys = newPool(newSigningKey(random), clock, random)
    const founder = this.#add({ kind: 'device', keys, welcome: [] })
    await clock.until(founder.start(), 600_000)
    while (this.peers.length < profile.early) await clock.until(this.invite(founder), 600_000)
    await clock.advance(5_000)
  }

  /** A new device becomes a member and runs. */
  async invite(inviter: SimPeer): Promise<SimPeer> {
    const { random, profile } = this
    const kind = random.chance(profile.storageShare) ? 'storage' : 'device'
    const invites = inviter.invites()
    const { code } = await invites.create(kind, inviter.network!.addresses())
    const name = `offen p${this.peers.length}`
    const joining = joinRequest(parseInvite(code), newSigningKey(random), name, random)
    const place = new WelcomeInMemory()
    const keys = await checkWelcome(joining, await invites.redeem(joining.request), place)
    const peer = this.#add({ kind, keys, welcome: place.batches })
    peer.invitedBy = inviter
    await peer.start()
    return peer
  }

  /** Unrevoked devices that can read files. */
  members(): SimPeer[] {
    return this.unrevoked().filter(({ kind }) => kind === 'device')
  }

  unrevoked(): SimPeer[] {
    return this.peers.filter(({ revoked }) => !revoked)
  }

  running(peers: readonly SimPeer[]): SimPeer[] {
    return peers.filter(({ running }) => running)
  }

  /** Peers whose word on what they hold can be taken. */
  dependable(except?: SimPeer): SimPeer[] {
    return this.unrevoked().filter((peer) => peer !== except && !peer.rotten && peer.core !== undefined)
  }

  /** No peer keeps more than it gives. */
  checkQuotas(): void {
    for (const peer of this.running(this.peers)) {
      const { space } = peer
      if (space > peer.allowed)
        this.break('the quota is never exceeded', `${peer.name} keeps ${space} of ${peer.allowed} bytes`)
      peer.allowed = Math.max(peer.contributed, Math.min(peer.allowed, space))
    }
  }

  /** A copy of what people rely on is given up only when so many others lie on disks as are wanted. */
  #checkDrop(peer: SimPeer, id: ChunkId): void {
    if (!this.ledger.readable().some(({ chunks }) => chunks.includes(id))) return
    if (this.isOld && !this.running(this.members()).some(({ core }) => core!.store.read.isNeeded(id))) return
    this.count('copies given up')
    const now = this.clock.monotonicMs()
    // A disk that was lost a moment ago had been read before.
    const lost = ({ lostAt }: SimPeer): boolean => lostAt !== undefined && now - lostAt < limits.promiseMs
    const others = this.peers.filter((other) => other !== peer && (holds(other, id) || lost(other)))
    if (others.length >= copiesWanted) return
    const names = others.map(({ name }) => name).join(' ')
    this.break('no copy is given up that is needed', `${peer.name} drops ${id}, others: ${names}`)
  }

  #add(made: Pick<ConstructorParameters<typeof SimPeer>[0], 'kind' | 'keys' | 'welcome'>): SimPeer {
    const { world, random, profile, peers } = this
    const number = peers.length
    const small = profile.smallEvery > 0 && number % profile.smallEvery === profile.smallEvery - 1
    const peer = new SimPeer({
      ...made,
      name: `p${number}`,
      world,
      random: random.fork(),
      contributed: small ? littleSpace : plentySpace,
      onDrop: (peer, id) => this.#checkDrop(peer, id),
      onLog: this.#onLine,
    })
    peers.push(peer)
    return peer
  }
}
