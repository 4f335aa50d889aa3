/** What goes wrong in the world, and how it gets better again. */
import { basename } from 'node:path/posix'
import type { LocalStore } from '../../src/store/local-store.ts'
import { segmentNumber } from '../../src/store/segment-format.ts'
import { isRetiring } from './operations.ts'
import type { FaultKind } from './profile.ts'
import { PropertyBroken, type Scene } from './scene.ts'
import type { SimPeer } from './sim-peer.ts'
import { batchesOf, isHeldElsewhere, lossBetween, surveyOf } from './survey.ts'

const sectorBytes = 512
/** Room left on a full disk beyond the reserve, bytes. */
const fullRoom = 140 * 1024

export class Faults {
  readonly #scene: Scene
  /** From then on nothing goes wrong any more. */
  #isHealed = false

  constructor(scene: Scene) {
    this.#scene = scene
  }

  begin(kind: FaultKind): void {
    const { random } = this.#scene
    const happened = this.#happen(kind, random.between(1_000, 120_000))
    this.#scene.disturbances += 1
    this.#scene.count('faults')
    this.#scene.count(`fault: ${happened}`)
    this.#scene.note(`fault ${happened}`)
  }

  /** Everything is well again; peers that are down come back. */
  async heal(): Promise<void> {
    const { world, peers, profile } = this.#scene
    this.#isHealed = true
    this.#scene.disturbances += 1
    world.heal()
    world.loss = 0
    world.repeat = 0
    world.delayMs = profile.delayMs
    for (const peer of peers) {
      peer.skewMs = 0
      peer.disk.failRead = 0
      peer.disk.capacity = Number.POSITIVE_INFINITY
      peer.disk.failSync = false
    }
    // Who was about to go stays.
    for (const peer of peers)
      if (peer.running && isRetiring(peer))
        await this.#scene.clock.until(peer.core!.retirement.cancel(), 60_000)
    for (const peer of peers) if (!peer.alive) this.#restart(peer)
    // A sync that failed for good ends all writing until the next start, as a person would see and do.
    for (const peer of peers) if (peer.running && peer.failed) this.#bounce(peer)
  }

  /** What happened: a disk is only lost when others hold all that it held. */
  #happen(kind: FaultKind, forMs: number): string {
    const { random, world, profile } = this.#scene
    const victim = this.#victim()
    switch (kind) {
      case 'partition':
        return this.#partition(forMs)
      case 'one-way partition':
        return this.#oneWay(forMs)
      case 'message loss':
        world.loss = random.pick([0.02, 0.1, 0.3])
        return this.#later(kind, forMs, () => (world.loss = 0))
      case 'delay':
        world.delayMs = [1, random.pick([1_000, 4_000])]
        return this.#later(kind, forMs, () => (world.delayMs = profile.delayMs))
      case 'clock jump':
        victim.skewMs = random.pick([-1, 1]) * random.between(1_000, 20 * 60_000)
        return kind
      case 'full disk':
        victim.disk.capacity = victim.disk.usedBytes + fullRoom
        return this.#later(kind, forMs, () => (victim.disk.capacity = Number.POSITIVE_INFINITY))
      case 'failed sync':
        victim.disk.failSync = true
        return kind
      case 'repeated messages':
        world.repeat = random.pick([0.05, 0.3])
        return this.#later(kind, forMs, () => (world.repeat = 0))
      case 'unreadable disk':
        victim.disk.failRead = random.pick([0.02, 0.2])
        return this.#later(kind, forMs, () => (victim.disk.failRead = 0))
      case 'bit flips':
      case 'misdirected writes':
        return this.#rot(kind) ? kind : this.#kill('crash', victim, forMs)
      case 'backup restored':
        return this.#restoreBackup(victim, forMs)
      case 'disk lost':
        return this.#loseDisk(forMs) ? kind : this.#kill('power cut', victim, forMs)
      default:
        return this.#kill(kind, victim, forMs)
    }
  }

  #later(kind: FaultKind, ms: number, end: () => void): FaultKind {
    this.#scene.clock.after(ms, () => {
      end()
      this.#scene.disturbances += 1
    })
    return kind
  }

  #victim(): SimPeer {
    const { random, peers } = this.#scene
    const running = this.#scene.running(peers)
    return random.pick(running.length > 0 ? running : peers)
  }

  // The network

  #partition(forMs: number): string {
    const { random, world, peers } = this.#scene
    const order = random.shuffled(peers)
    const cut = random.between(1, order.length - 1)
    const ids = order.map(({ id }) => id)
    world.partition([ids.slice(0, cut), ids.slice(cut)])
    return this.#later('partition', forMs, () => world.heal())
  }

  #oneWay(forMs: number): string {
    const { random, world, peers } = this.#scene
    for (let cuts = random.between(1, 3); cuts > 0; cuts--) {
      const [from, to] = random.shuffled(peers)
      world.cut(from!.id, to!.id, false)
    }
    return this.#later('one-way partition', forMs, () => world.heal())
  }

  // Machines

  #kill(kind: FaultKind, victim: SimPeer, forMs: number): FaultKind {
    victim.crash({ power: kind === 'power cut' })
    this.#backAfter(victim, forMs)
    return kind
  }

  /**
   * Up to eight bits or sectors of a disk's segments, in what its index covers: what is being written at this moment is
   * known to nobody else yet, and so would be all that links to it. Records that say who is a member have
   * spare copies apart from the segments, so that who starts knows whom to ask for the rest.
   */
  #rot(kind: 'bit flips' | 'misdirected writes'): boolean {
    const { random } = this.#scene
    const victim = this.#expendable()
    if (victim === undefined) return false
    victim.rottenAt = this.#scene.clock.monotonicMs()
    for (let hits = random.between(1, 8); hits > 0; hits--) {
      const path = random.pick(victim.disk.paths())
      const length = coveredBytes(victim, path)
      if (kind === 'bit flips' && length > 0) victim.disk.flip(path, random.below(length))
      const sectors = Math.floor(length / sectorBytes)
      if (kind === 'misdirected writes' && sectors > 1)
        victim.disk.misdirect(path, random.below(sectors) * sectorBytes, random.below(sectors) * sectorBytes)
    }
    return true
  }

  /** A copy of the disk is made now; some time later it takes the disk's place, if others hold what came since. */
  #restoreBackup(victim: SimPeer, forMs: number): string {
    const { clock, random } = this.#scene
    if (!victim.running || victim.rotten) return this.#kill('crash', victim, forMs)
    const backup = victim.disk.backup(random.fork())
    clock.after(forMs, () => {
      if (this.#isHealed || !victim.running || victim.rotten) return
      if (!isHeldElsewhere(victim, this.#scene.dependable(victim))) return
      this.#scene.note(`backup of ${victim.name} restored`)
      this.#scene.count('restored backups')
      victim.restore(backup)
      this.#restart(victim)
    })
    return 'backup restored'
  }

  #loseDisk(forMs: number): boolean {
    const victim = this.#expendable()
    if (victim === undefined) return false
    this.#rejoin(victim, forMs).catch((error: Error) => this.#scene.fail(error))
    return true
  }

  /** What other devices would tell it when it comes back with an empty disk: they hold all that it does. */
  async #rejoin(victim: SimPeer, forMs: number): Promise<void> {
    victim.loseDisk(await batchesOf(victim))
    this.#backAfter(victim, forMs)
  }

  /** A peer whose disk may be lost. */
  #expendable(): SimPeer | undefined {
    const { random, peers } = this.#scene
    const order = random.shuffled(this.#scene.running(peers)).filter(({ rotten }) => !rotten)
    return order.find((peer) => isHeldElsewhere(peer, this.#scene.dependable(peer)))
  }

  #backAfter(peer: SimPeer, ms: number): void {
    this.#scene.clock.after(ms, () => {
      if (!peer.alive) this.#restart(peer)
    })
  }

  #bounce(peer: SimPeer): void {
    peer.crash({ power: false })
    this.#restart(peer)
  }

  #restart(peer: SimPeer): void {
    this.#scene.note(`start ${peer.name}`)
    this.#startAgain(peer).catch((error: Error) => {
      if (peer.alive)
        this.#scene.fail(new PropertyBroken('a peer starts again', `${peer.name}: ${error.stack}`))
    })
  }

  /** Its index is made anew from its disk, and must show all that it showed before. */
  async #startAgain(peer: SimPeer): Promise<void> {
    const before = peer.core !== undefined && !peer.rotten ? surveyOf(peer) : undefined
    // A sync that fails while a peer starts ends the start; it is for a running one.
    peer.disk.failSync = false
    peer.disk.failRead = 0
    await peer.start()
    this.#scene.disturbances += 1
    this.#scene.count('restarts')
    const lost = before && lossBetween(before, peer)
    if (lost !== undefined)
      this.#scene.break('what was durable survives a crash', `${lost} is gone from ${peer.name}`)
  }
}

/** Bytes of a segment that are in the index, or lie before such. */
function coveredBytes(peer: SimPeer, path: string): number {
  const { read } = peer.core!.store as LocalStore
  const number = segmentNumber(basename(path))
  return read.segments().find((segment) => segment.number === number)?.bytes ?? 0
}
