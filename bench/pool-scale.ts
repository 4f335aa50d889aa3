/**
 * What one device of a pool of 1,000 does about all of the pool's chunks: it places its own, keeps the inventory of
 * who holds what, and plans the repair after the loss of another device. Time and memory for ten times as many
 * chunks show whether that grows faster than the pool.
 */
import { randomBytes } from 'node:crypto'
import { idOf, type ChunkId, type PeerId } from '../src/base/words.ts'
import { hashHex } from '../src/codec/hash.ts'
import { plan } from '../src/pool/plan.ts'
import { Placement } from '../src/pool/place.ts'
import type { LocalStore } from '../src/store/local-store.ts'
import { pinOf } from '../test/conformance/chunk-store.ts'
import { peer as self, StoreHome } from '../test/store-fixture.ts'
import type { Contender, Workload } from './harness.ts'

const devices = 1_000
const copies = 3
const sizes = (process.env['PEERSTOR_BENCH_CHUNKS'] ?? '1000000,10000000').split(',').map(Number)
const pageChunks = 1024
/** A feed's answer: what one device tells at once. */
const feedChunks = 10_000

const others = Array.from({ length: devices - 1 }, (_, index) => `12D3KooW${index}` as PeerId)
const peers = [self, ...others]
const places = peers.map((peer, index) => ({
  peer,
  owner: `owner ${index % 50}`,
  zone: undefined,
  contributed: [50, 100, 100, 400][index % 4]!,
}))

interface Scale {
  store: LocalStore
  placement: Placement
  /** Chunks of the whole pool. */
  chunks: number
}

/** This device's share of the pool's copies, each chunk ranked over all devices. */
async function placeOwn({ store, placement, chunks }: Scale): Promise<ChunkId[]> {
  const pin = pinOf('a')
  const own: ChunkId[] = []
  const share = Math.ceil((chunks * copies) / devices)
  while (own.length < share) {
    const made = Array.from({ length: Math.min(256, share - own.length) }, () => {
      const bytes = randomBytes(256)
      return { id: hashHex(bytes) as ChunkId, bytes, pins: [pin] }
    })
    for (const { id } of made) placement.rank(id, copies)
    await store.stage(made)
    await store.commit({})
    own.push(...made.map(({ id }) => id))
  }
  return own
}

/** Every other device tells what it holds: its own chunks, and this device's with two of the others. */
async function takeInventory({ store, chunks }: Scale, own: readonly ChunkId[]): Promise<number> {
  let rows = 0
  const id = Buffer.alloc(32)
  const beside = others.map((): ChunkId[] => [])
  for (const [number, chunk] of own.entries())
    for (const place of [number, number * 7 + 1]) beside[place % others.length]!.push(chunk)
  for (const [index, peer] of others.entries()) {
    const held = beside[index]!
    for (let number = index; number < chunks * copies; number += others.length) {
      // The same chunk comes from `copies` devices; ids are spread as hashes are.
      const chunk = number % chunks
      id.writeUInt32LE(Math.imul(chunk, 2_654_435_761) >>> 0, 0)
      id.writeUInt32LE(chunk, 4)
      held.push(idOf<ChunkId>(id))
    }
    rows += held.length
    for (let at = 0; at < held.length; at += feedChunks)
      await store.index([{ op: 'held', peer, ids: held.slice(at, at + feedChunks) }])
  }
  return rows
}

/** One round over everything, as repair asks for it, after the loss of one device: how many copies it would bring. */
function planRepair({ store, placement }: Scale): number {
  const left = new Set(peers.filter((peer) => peer !== others[0]))
  const pin = pinOf('a')
  let planned = 0
  let after: ChunkId | undefined
  while (true) {
    const rows = store.read.lacking(pin.folder, copies, [...left], after, pageChunks)
    for (const { id, holders } of rows) {
      const ranking = placement.rank(id)
      const { targets } = plan({
        ranking,
        holders,
        counted: left,
        live: left,
        closed: new Set(),
        want: copies,
      })
      planned += targets.length
    }
    if (rows.length < pageChunks) return planned
    after = rows.at(-1)!.id
  }
}

async function timed<T>(work: () => Promise<T> | T): Promise<{ result: T; seconds: number }> {
  const since = performance.now()
  const result = await work()
  return { result, seconds: (performance.now() - since) / 1000 }
}

async function measureScale(chunks: number): Promise<Record<string, number>> {
  const home = await StoreHome.make()
  const store = await home.open()
  const scale = { store, placement: new Placement('5a'.repeat(32), places, copies), chunks }
  try {
    const own = await timed(() => placeOwn(scale))
    const inventory = await timed(() => takeInventory(scale, own.result))
    const repair = await timed(() => planRepair(scale))
    return {
      placeS: own.seconds,
      inventoryS: inventory.seconds,
      usPerHolding: (inventory.seconds * 1e6) / inventory.result,
      planS: repair.seconds,
      planned: repair.result,
    }
  } finally {
    await store.close()
    await home.remove()
  }
}

/** How the sum of all three grows from one size to the next: 1 is in proportion. */
function exponent(before: Record<string, number>, now: Record<string, number>, times: number): number {
  const sum = ({ placeS, inventoryS, planS }: Record<string, number>): number =>
    placeS! + inventoryS! + planS!
  return Math.log(sum(now) / sum(before)) / Math.log(times)
}

function contender(chunks: number, at: number, measured: Record<string, number>[]): Contender {
  let isWarm = false
  return {
    name: `${chunks.toLocaleString('en')} chunks`,
    pids: () => [process.pid],
    async run() {
      // The round that only warms up is a hundredth.
      const result = await measureScale(isWarm ? chunks : chunks / 100)
      isWarm = true
      measured[at] = result
      const before = measured[at - 1]
      return before === undefined
        ? result
        : { ...result, exponent: exponent(before, result, chunks / sizes[at - 1]!) }
    },
  }
}

export const workload: Workload = {
  name: 'pool-scale',
  about: `one of ${devices} devices: places its own chunks, notes who holds what, plans a repair, with ${sizes.join(' and ')} chunks in the pool`,
  rounds: 1,
  reach: { exponent: { atMost: 1.15 } },
  prepare() {
    const measured: Record<string, number>[] = []
    return Promise.resolve({ contenders: sizes.map((chunks, at) => contender(chunks, at, measured)) })
  },
}
