/** Pools of several peers in one process and in virtual time: for tests of this room. */
import { limits } from '../../src/base/limits.ts'
import { silentLog } from '../../src/base/log.ts'
import {
  idOf,
  type ChunkId,
  type DeviceId,
  type FolderId,
  type PeerId,
  type PoolId,
  type RecordHash,
} from '../../src/base/words.ts'
import { WorkerRunner } from '../../src/base/worker.ts'
import { Budget } from '../../src/codec/budget.ts'
import type { SealedBytes } from '../../src/codec/codec.ts'
import { hash } from '../../src/codec/hash.ts'
import { InlineCodec } from '../../src/codec/inline-codec.ts'
import { decodeBatch, encodeBatch, makeRecord } from '../../src/codec/record-bytes.ts'
import { encodeCodings, type Coding } from '../../src/codec/coding.ts'
import { recordKinds, type Batch, type RecordKind } from '../../src/codec/record.ts'
import type { Pin } from '../../src/store/chunk-store.ts'
import { ManualClock } from '../manual-clock.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimWorld, type SimNetwork } from './sim-network.ts'
import type { LocalStore } from '../../src/store/local-store.ts'
import { openStore } from '../../src/store/open-store.ts'
import { MemoryStore } from './memory-store.ts'
import { SimDisk } from './sim-disk.ts'
import { openPool } from '../../src/pool/open-pool.ts'
import type { CopiesPolicy } from '../../src/pool/plan.ts'
import type { Member, Membership, Pool, PoolStore } from '../../src/pool/pool.ts'

export const folder = idOf<FolderId>(hash(Buffer.from('folder')))
const poolId = hash(Buffer.from('pool')).toString('hex')
const gigabyte = 1024 ** 3

export interface PeersOptions {
  loss?: number
  delayMs?: [number, number]
  /** Each peer's store lies on a simulated disk, which loses what is not synced when the peer crashes. */
  disks?: boolean
}

export class Peers {
  /** Settings of the peers started after they were set. */
  repairGraceMs: number | undefined
  sourcesAtOnce: (() => number) | undefined
  readonly disks: boolean
  readonly poolId = poolId
  readonly clock = new ManualClock()
  readonly random: SeededRandom
  readonly world: SimWorld
  readonly members = new Map<PeerId, Member>()
  readonly peers = new Map<string, TestPeer>()
  policy: { id: FolderId } & CopiesPolicy = { id: folder, copies: 3, min: 2, max: 5, factor: 0.1 }
  readonly #listeners = new Set<() => void>()

  constructor(seed: number, options: PeersOptions = {}) {
    this.random = new SeededRandom(seed)
    this.disks = options.disks ?? false
    this.world = new SimWorld({ clock: this.clock, random: this.random.fork(), ...options })
  }

  /** A new device, running. */
  async add(name: string, member: Partial<Member> = {}): Promise<TestPeer> {
    const peer = new TestPeer(this, name)
    this.peers.set(name, peer)
    this.members.set(peer.id, {
      peer: peer.id,
      device: peer.device,
      owner: 'someone',
      role: 'member',
      contributed: gigabyte,
      zone: undefined,
      full: false,
      keeps: true,
      addresses: [],
      ...member,
    })
    await peer.start()
    this.changed()
    return peer
  }

  async addAll(names: readonly string[]): Promise<TestPeer[]> {
    const peers = []
    for (const name of names) peers.push(await this.add(name))
    return peers
  }

  revoke(peer: TestPeer): void {
    this.members.delete(peer.id)
    this.changed()
  }

  changed(): void {
    for (const listener of this.#listeners) listener()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /** Ends all work, so that no timer or promise outlives the test. */
  async close(): Promise<void> {
    const ended = Promise.all([...this.peers.values()].map((peer) => peer.stop()))
    await this.clock.until(ended)
  }

  /** Peers that truly have a chunk, whatever anybody believes. */
  holders(id: ChunkId): string[] {
    const running = [...this.peers.values()].filter(({ crashed }) => !this.disks || !crashed)
    return running.filter(({ backing }) => backing.read.hasChunk(id)).map(({ name }) => name)
  }
}

export class TestPeer {
  readonly name: string
  readonly id: PeerId
  readonly device: DeviceId
  readonly all: Peers
  /** Its store in memory; with `disks` the one on its disk is used instead. */
  store: MemoryStore
  readonly disk: SimDisk
  #local: LocalStore | undefined
  /** Chunks that an upload under way relies on. */
  readonly inUse = new Set<ChunkId>()
  /** Bytes kept beyond its contribution. */
  overBytes: () => number = () => 0
  /** What it makes of others' statements: nothing, unless a test says otherwise. */
  admitStatement: Membership['admitStatement'] = () => Promise.resolve(false)
  network!: SimNetwork
  pool!: Pool
  budget!: Budget
  /** Its process died; a store on a disk cannot be asked then. */
  crashed = false
  #runner!: WorkerRunner
  #last: RecordHash | undefined
  #seq = 0

  constructor(all: Peers, name: string) {
    this.all = all
    this.name = name
    this.id = `peer-${name}` as PeerId
    this.device = idOf<DeviceId>(hash(Buffer.from(name)))
    this.store = this.#newStore()
    this.disk = new SimDisk(all.random.fork())
  }

  /** Its store on a disk, with `disks`. */
  get local(): LocalStore | undefined {
    return this.#local
  }

  get backing(): PoolStore {
    return this.#local ?? this.store
  }

  get pin(): Pin {
    return { folder, device: this.device }
  }

  async start(): Promise<void> {
    const { all } = this
    this.crashed = false
    this.network = all.world.open(this.id, (peer) => all.members.get(peer)?.role ?? 'stranger')
    if (all.disks) this.#local = await this.#openDisk()
    this.#runner = new WorkerRunner(all.clock, silentLog)
    this.budget = new Budget(limits.bulkBytes)
    this.pool = openPool({
      network: this.network,
      store: this.backing,
      codec: new InlineCodec(),
      budget: this.budget,
      membership: this.#membership(),
      clock: all.clock,
      random: all.random.fork(),
      log: silentLog,
      unwanted: () => new Set(),
      inUse: (id) => this.inUse.has(id),
      overBytes: () => Promise.resolve(this.overBytes()),
      repairGraceMs: all.repairGraceMs,
      sourcesAtOnce: all.sourcesAtOnce,
      wake: (name) => this.#runner.wake(name),
    })
    await this.network.start()
    await this.pool.start()
    for (const worker of this.pool.workers()) this.#runner.add(worker)
  }

  async stop(): Promise<void> {
    this.network.die()
    await Promise.all([this.pool.stop(), this.#runner.stop()])
    await this.#local?.close()
  }

  /** The process dies; its disk stays. */
  async crash(): Promise<void> {
    this.disk.crash()
    this.crashed = true
    await this.all.clock.until(this.stop().catch(() => undefined))
  }

  /** The index is lost and made anew from the disk. */
  async forgetIndex(): Promise<void> {
    const old = this.store
    this.store = this.#newStore()
    await this.store.put([...old.bytes].map(([id, bytes]) => ({ id, bytes, pins: old.read.pins(id) })))
    await this.store.commit({ batches: [...old.batches.values()] })
  }

  /** As a person asks for it: a round of a worker at once. */
  run(worker: string): void {
    this.#runner.run(worker)
  }

  /** Chunks of random bytes written here; not yet handed on. */
  async write(count: number, bytes = 600): Promise<ChunkId[]> {
    const chunks = Array.from({ length: count }, () => {
      const sealed = this.all.random.bytes(bytes) as Uint8Array as SealedBytes
      return { id: idOf<ChunkId>(hash(sealed)), bytes: sealed, pins: [this.pin] }
    })
    await this.backing.chunks.put(chunks)
    return chunks.map(({ id }) => id)
  }

  /** The same, handed on. */
  async upload(count: number, bytes = 600): Promise<ChunkId[]> {
    const ids = await this.write(count, bytes)
    this.pool.replicate(folder, ids)
    this.pool.announce()
    return ids
  }

  /** Writes one record in a batch of its own. */
  record(): Promise<RecordHash> {
    return this.#record('version', this.all.random.bytes(40))
  }

  /** Says of which shards chunks are made. */
  async say(codings: readonly Coding[]): Promise<void> {
    await this.#record('shards', encodeCodings(codings[0]!.scheme, codings))
  }

  async #record(kind: RecordKind, body: Uint8Array): Promise<RecordHash> {
    const record = makeRecord(
      {
        kind: recordKinds[kind],
        folder,
        device: this.device,
        incarnation: this.device.slice(0, 32) as never,
        seq: this.#seq,
        time: { ms: this.all.clock.now(), counter: 0 },
        ...(this.#last === undefined ? {} : { previous: this.#last }),
      },
      body,
    )
    const batch = encodeBatch([record], new Uint8Array(64))
    this.#seq += 1
    this.#last = record.hash
    await this.backing.commit({ batches: [batch] })
    this.pool.announce()
    return record.hash
  }

  /** Records of tests are batches of one. */
  hasRecord(hash: RecordHash): boolean {
    return this.backing.read.hasBatch(hash)
  }

  #openDisk(): Promise<LocalStore> {
    const { clock, random } = this.all
    return openStore({
      disk: this.disk,
      folder: '/segments',
      database: ':memory:',
      pool: poolId as PoolId,
      peer: this.id,
      contributed: gigabyte,
      clock,
      random,
      log: silentLog,
      threaded: false,
    })
  }

  #newStore(): MemoryStore {
    const store = new MemoryStore(this.all.random)
    store.self = this.id
    return store
  }

  #membership(): Membership {
    const { all } = this
    return {
      self: this.id,
      pool: poolId,
      members: () => [...all.members.values()],
      folders: () => [all.policy],
      admit: (batches) => this.#admit(batches),
      code: (_, codings) => this.say(codings),
      mend: () => Promise.resolve(false),
      statement: () => new Uint8Array(0),
      admitStatement: (bytes) => this.admitStatement(bytes),
      onChange: (listener) => all.onChange(listener),
    }
  }

  /** As the catalogue does it: what links to nothing known waits. */
  async #admit(batches: readonly Uint8Array[]): Promise<{ waiting: number; refused: { reason: string }[] }> {
    const known: Batch[] = []
    let waiting = 0
    for (const batch of batches.map(decodeBatch)) {
      const { previous } = batch.records[0]!.head
      const linked = known.some(({ records }) => records.at(-1)!.hash === previous)
      if (previous === undefined || linked || this.hasRecord(previous)) known.push(batch)
      else waiting += 1
    }
    await this.backing.commit({ batches: known })
    return { waiting, refused: [] }
  }
}
