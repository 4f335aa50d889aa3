/**
 * One whole peer in virtual time: the product's own core over a simulated disk and network. It is
 * started, killed, started again on the same disk; its keys are its home and stay.
 */
import { join } from 'node:path/posix'
import type { PoolKeys } from '../../src/access/device-keys.ts'
import { Invites } from '../../src/access/invite.ts'
import type { OpenedCatalogue } from '../../src/access/opened-catalogue.ts'
import { peerIdOf } from '../../src/access/peer-id.ts'
import type { Disk } from '../../src/base/disk.ts'
import { limits } from '../../src/base/limits.ts'
import { createLog, type Log } from '../../src/base/log.ts'
import type { Random } from '../../src/base/random.ts'
import type { ChunkId, DeviceId, PeerId, RecordHash } from '../../src/base/words.ts'
import { InlineCodec } from '../../src/codec/inline-codec.ts'
import { deviceIdOf } from '../../src/codec/sign.ts'
import { createCore, type Core } from '../../src/peer/create-core.ts'
import type { Network } from '../../src/net/network.ts'
import type { LocalStore } from '../../src/store/local-store.ts'
import { Process, ProcessDisk } from './process.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimDisk } from './sim-disk.ts'
import type { SimNetwork, SimWorld } from './sim-network.ts'

export interface SimPeerOptions {
  name: string
  kind: 'device' | 'storage'
  world: SimWorld
  random: SeededRandom
  keys: PoolKeys
  /** Records that came with the invite: kept beside the keys until the store has them. */
  welcome: readonly Uint8Array[]
  contributed: number
  /** In the step in which its program drops a chunk. */
  onDrop?: ((peer: SimPeer, id: ChunkId) => void) | undefined
  /** Lines of this peer's log, for looking at a failure. */
  onLog?: ((line: string) => void) | undefined
}

/** The machine on which a core runs, and what its home holds beside the keys. */
interface MachineParts {
  process: Process
  disk: Disk
  network: Network
  random: Random
  genesis: readonly Uint8Array[]
}

export class SimPeer {
  readonly name: string
  readonly kind: 'device' | 'storage'
  readonly id: PeerId
  readonly device: DeviceId
  contributed: number
  /** What it may keep: more than it contributes while that was made smaller and it has not given enough away yet. */
  allowed: number
  disk: SimDisk
  /** Wall time of this machine minus the world's, milliseconds. */
  skewMs = 0
  /** Cut off by a revocation that somebody was told is done. */
  revoked = false
  /** Whose invite it redeemed; undefined of the pool's first device. */
  invitedBy: SimPeer | undefined
  /** When that was told, virtual milliseconds. */
  revokedAt: number | undefined
  /** Who said so. */
  revokedBy: SimPeer | undefined
  /** What it was told is written since, with when it began. */
  readonly lateVersions = new Map<RecordHash, number>()
  /** Chunks that its program dropped, by itself or because it was asked to. */
  readonly dropped = new Set<ChunkId>()
  /** What it was dropping when it was last heard of: gone once its log is read again, whatever its index says. */
  readonly dropping = new Set<ChunkId>()
  /** Asked from outside to drop chunks. */
  collecting = false
  /** When its disk was lost, virtual milliseconds. */
  lostAt: number | undefined
  /** When its disk rotted, virtual milliseconds: what it says it holds proves nothing since. */
  rottenAt: number | undefined
  /** The last run of its program on this disk, dead or alive; undefined before the first. */
  core: Core | undefined
  network: SimNetwork | undefined
  readonly #options: SimPeerOptions
  /** Records that its store does not have yet for certain. */
  #home: Pick<SimPeerOptions, 'welcome'> & Pick<PoolKeys, 'genesis'>
  #process: Process | undefined
  /** Runs whose index is still in memory: it tells what the disk holds. */
  readonly #cores: Core[] = []

  constructor(options: SimPeerOptions) {
    const { name, kind, keys, contributed, random } = options
    this.#options = options
    this.#home = { genesis: keys.genesis, welcome: options.welcome }
    this.name = name
    this.kind = kind
    this.contributed = this.allowed = contributed
    this.id = peerIdOf(keys.secrets.peer.publicKey)
    this.device = deviceIdOf(keys.secrets.record.publicKey)
    this.disk = new SimDisk(random.fork())
  }

  get keys(): PoolKeys {
    return this.#options.keys
  }

  /** Its store has given up writing until the next start. */
  get failed(): boolean {
    return (this.core?.store as LocalStore | undefined)?.failed !== undefined
  }

  get rotten(): boolean {
    return this.rottenAt !== undefined
  }

  /** Started to the end and not dead. */
  get running(): boolean {
    return this.#process?.alive === true && this.network?.running === true
  }

  /** Started, perhaps not yet to the end. */
  get alive(): boolean {
    return this.#process?.alive === true
  }

  /** Resolves when this run of the program is dead. */
  get ended(): Promise<void> {
    return this.#process?.ended ?? Promise.resolve()
  }

  /** Bytes of chunks that lie on its disk, as its index counts them. */
  get space(): number {
    return (this.core!.store as LocalStore).read.storage().used
  }

  get catalogue(): OpenedCatalogue {
    return this.core!.catalogue as OpenedCatalogue
  }

  /** Never resolves when the process dies before. */
  async start(): Promise<void> {
    const { world, random } = this.#options
    const process = (this.#process = new Process(world.clock, () => this.skewMs))
    const network = world.open(this.id, (peer) => core?.catalogue.roleOf(peer) ?? 'stranger')
    const disk = new ProcessDisk(this.disk, process, random.fork())
    let core: Core | undefined
    const { genesis } = this.#home
    core = await process.living(this.openCore({ process, disk, network, random: random.fork(), genesis }))
    await process.living(this.#takeWelcome(core))
    this.core = core
    this.dropping.clear()
    this.#watchDrops(core)
    this.#cores.push(core)
    this.network = network
    await process.living(core.start())
    await process.living(network.start())
  }

  /** This device's core on some machine; also for looking at a disk without running a peer. */
  openCore({ process, genesis, ...parts }: MachineParts): Promise<Core> {
    const { keys, name } = this.#options
    return createCore({
      ...parts,
      keys: { ...keys, genesis },
      clock: process,
      log: this.#log(),
      codec: new InlineCodec(),
      storage: join('/', name),
      database: ':memory:',
      spare: '/peerstor-spare.log',
      threaded: false,
      self: { name: () => `offen ${name}`, zone: () => undefined, client: () => false, version: '1' },
      contributed: () => this.contributed,
      compression: () => 1,
      // An hour of a whole pool costs a second: what happens hourly happens oftener here.
      collectionTimes: () => ({ firstMs: 300_000, everyMs: 600_000, quarantineMs: limits.quarantineMs }),
    })
  }

  /** The process is gone at once. With `power`, so is what was not synced, wholly or in part. */
  crash({ power }: { power: boolean }): void {
    this.#process?.die()
    this.network?.die()
    if (power) this.disk.crash()
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    const { core, network } = this
    network?.die()
    if (this.alive && core !== undefined) {
      await core.stop()
      this.#cores.splice(this.#cores.indexOf(core), 1)
    }
    this.#process?.die()
  }

  /**
   * The disk is replaced by an empty one, the keys were elsewhere; `records` are those that another
   * device gives to one that joins, so that it knows whom to ask for the rest.
   */
  loseDisk(records: readonly Uint8Array[]): void {
    this.#home = { genesis: [], welcome: records }
    this.crash({ power: true })
    this.disk = new SimDisk(this.#options.random.fork())
    this.rottenAt = undefined
    this.lostAt = this.#options.world.clock.monotonicMs()
    this.core = undefined
  }

  /** The disk is replaced by a copy of what it was some time ago. */
  restore(backup: SimDisk): void {
    this.crash({ power: true })
    this.disk = backup
    this.allowed = Number.POSITIVE_INFINITY
    this.lostAt = this.#options.world.clock.monotonicMs()
    this.core = undefined
  }

  /** A person gives more or less space. */
  async resize(bytes: number): Promise<void> {
    const { usedBytes } = await this.core!.store.use()
    this.contributed = bytes
    this.allowed = Math.max(bytes, usedBytes)
    await this.core!.changed()
  }

  /** Gives back what runs of this peer keep in memory. */
  release(): void {
    for (const core of this.#cores.splice(0)) (core.store as LocalStore).read.close()
  }

  invites(): Invites {
    const { world, random, keys } = this.#options
    const { store } = this.core!
    const { poolSecret } = keys
    return new Invites({ catalogue: this.catalogue, store, poolSecret, clock: world.clock, random })
  }

  /** Whatever drops chunks calls this; from the step in which it is decided they are as good as gone. */
  #watchDrops({ store: { chunks } }: Core): void {
    const drop = chunks.drop.bind(chunks)
    chunks.drop = async (ids, may = () => true) => {
      const going = new Set<ChunkId>()
      const gone = await drop(ids, (id) => {
        if (!may(id)) return false
        if (!this.collecting) this.#options.onDrop?.(this, id)
        for (const set of [going, this.dropped, this.dropping]) set.add(id)
        return true
      })
      for (const id of going) this.dropping.delete(id)
      return gone
    }
  }

  async #takeWelcome(core: Core): Promise<void> {
    const { welcome } = this.#home
    if (welcome.length > 0) await core.catalogue.admit(welcome)
    this.#home = { ...this.#home, welcome: [] }
  }

  #log(): Log {
    const { onLog, name, world } = this.#options
    return createLog((level, message, fields) =>
      onLog?.(
        `${Math.round(world.clock.monotonicMs())} ${name} ${level} ${message} ${JSON.stringify(fields)}`,
      ),
    )
  }
}
