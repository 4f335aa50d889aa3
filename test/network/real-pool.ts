/** Pools of real peers: sockets on 127.0.0.1, disks in a temporary folder, codec threads; without people and folders. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { realClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { createLog, silentLog, type LogFields } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import {
  idOf,
  type ChunkId,
  type DeviceId,
  type FolderId,
  type PeerId,
  type PoolId,
} from '../../src/base/words.ts'
import { WorkerRunner } from '../../src/base/worker.ts'
import { Budget } from '../../src/codec/budget.ts'
import { hash, hashHex } from '../../src/codec/hash.ts'
import { InlineCodec } from '../../src/codec/inline-codec.ts'
import { Libp2pNetwork } from '../../src/net/libp2p-network.ts'
import { openPool } from '../../src/pool/open-pool.ts'
import type { Member, Membership, Pool } from '../../src/pool/pool.ts'
import type { LocalStore } from '../../src/store/local-store.ts'
import { openStore } from '../../src/store/open-store.ts'
import { realDisk } from '../../src/store/real-disk.ts'

export const folder = idOf<FolderId>(hash(Buffer.from('folder')))
const poolId = hashHex(Buffer.from('pool')) as PoolId
const copiesPolicy = { id: folder, copies: 3, min: 2, max: 5, factor: 0.1 }

export interface RealPeer {
  id: PeerId
  device: DeviceId
  network: Libp2pNetwork
  store: LocalStore
  pool: Pool
  /** Lines of the pool's log. */
  lines: { level: string; message: string; fields: LogFields }[]
  stop(): Promise<void>
}

/**
 * `count` peers that know each other; all is closed and removed when the test ends. `prepare` makes one
 * more member, which is nothing but a network that answers as it was prepared to.
 */
export async function realPool(
  test: Pick<TestContext, 'after'>,
  count: number,
  prepare?: (network: Libp2pNetwork) => void,
): Promise<RealPeer[]> {
  const home = await mkdtemp(join(tmpdir(), 'peerstor-pool-'))
  const members: Member[] = []
  const peers: RealPeer[] = []
  test.after(async () => {
    await Promise.all(peers.map((peer) => peer.stop()))
    await rm(home, { recursive: true, force: true })
  })
  for (let index = 0; index < count; index++) peers.push(await realPeer(join(home, String(index)), members))
  if (prepare !== undefined) await otherMember(test, members, prepare)
  for (const peer of peers) await peer.pool.start()
  while (peers.some(({ network }) => network.connections().length < members.length - 1))
    await realClock.sleep(20)
  return peers
}

async function otherMember(
  test: Pick<TestContext, 'after'>,
  members: Member[],
  prepare: (network: Libp2pNetwork) => void,
): Promise<void> {
  const network = networkOf(members)
  prepare(network)
  await network.start()
  test.after(() => network.stop())
  members.push(memberOf(network))
}

function networkOf(members: readonly Member[]): Libp2pNetwork {
  return new Libp2pNetwork({
    privateKey: systemRandom.bytes(32),
    host: '127.0.0.1',
    port: 0,
    clock: realClock,
    random: systemRandom,
    log: silentLog,
    roleOf: (peer) => members.find((member) => member.peer === peer)?.role ?? 'stranger',
    mdns: false,
    bootstrap: [],
    advertise: [],
  })
}

function memberOf(network: Libp2pNetwork): Member {
  return {
    peer: network.peer,
    device: deviceOf(network.peer),
    owner: 'someone',
    role: 'member',
    contributed: 1024 ** 3,
    zone: undefined,
    full: false,
    keeps: true,
    addresses: network.addresses(),
  }
}

const deviceOf = (peer: PeerId): DeviceId => idOf<DeviceId>(hash(Buffer.from(peer)))

async function realPeer(home: string, members: Member[]): Promise<RealPeer> {
  await mkdir(home)
  const network = networkOf(members)
  const lines: RealPeer['lines'] = []
  const store = await openStore({
    disk: realDisk,
    folder: join(home, 'segments'),
    database: join(home, 'peerstor.db'),
    pool: poolId,
    peer: network.peer,
    contributed: 16 * 1024 ** 3,
    clock: realClock,
    random: systemRandom,
    log: silentLog,
    threaded: false,
  })
  const runner = new WorkerRunner(realClock, silentLog)
  const pool = openPool({
    network,
    store,
    codec: new InlineCodec(),
    budget: new Budget(limits.bulkBytes),
    membership: membershipOf(network.peer, members),
    clock: realClock,
    random: systemRandom,
    log: createLog((level, message, fields) => lines.push({ level, message, fields })),
    unwanted: () => new Set(),
    inUse: () => false,
    overBytes: () => Promise.resolve(0),
    wake: (name) => runner.wake(name),
  })
  await network.start()
  members.push(memberOf(network))
  for (const worker of pool.workers()) runner.add(worker)
  const stop = once(async () => {
    await network.stop()
    await Promise.all([pool.stop(), runner.stop()])
    await store.close()
  })
  return { id: network.peer, device: deviceOf(network.peer), network, store, pool, lines, stop }
}

function membershipOf(self: PeerId, members: readonly Member[]): Membership {
  return {
    self,
    pool: poolId,
    members: () => [...members],
    folders: () => [copiesPolicy],
    admit: () => Promise.resolve({ waiting: 0, refused: [] }),
    code: () => Promise.resolve(),
    mend: () => Promise.resolve(false),
    statement: () => new Uint8Array(0),
    admitStatement: () => Promise.resolve(false),
    onChange: () => () => undefined,
  }
}

/** Random chunks, durable on `peer`; not yet handed on. */
export async function write({ store, device }: RealPeer, count: number, bytes: number): Promise<ChunkId[]> {
  const ids: ChunkId[] = []
  for (let at = 0; at < count; at += 64) {
    const chunks = Array.from({ length: Math.min(64, count - at) }, () => {
      const sealed = systemRandom.bytes(bytes)
      return { id: hashHex(sealed) as ChunkId, bytes: sealed, pins: [{ folder, device }] }
    })
    ids.push(...chunks.map(({ id }) => id))
    await store.chunks.put(chunks)
  }
  return ids
}

function once(run: () => Promise<void>): () => Promise<void> {
  let ran: Promise<void> | undefined
  return () => (ran ??= run())
}
