import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { idOf, type ChunkId, type PeerId } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { levelOf, Placement, sharesOf, type Place } from './place.ts'

const pool = hash(Buffer.from('a pool')).toString('hex')
const place = (name: string, change: Partial<Place> = {}): Place => ({
  peer: `12D3KooW${name}` as PeerId,
  owner: 'one',
  zone: undefined,
  contributed: 100,
  ...change,
})
const places = (count: number): Place[] => Array.from({ length: count }, (_, index) => place(String(index)))

function ids(count: number, seed: number): ChunkId[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: count }, () => idOf<ChunkId>(random.bytes(32)))
}

function shares(placement: Placement, chunks: readonly ChunkId[], copies: number): Map<PeerId, number> {
  const counts = new Map<PeerId, number>()
  for (const id of chunks)
    for (const peer of placement.rank(id, copies)) counts.set(peer, (counts.get(peer) ?? 0) + 1)
  return counts
}

test('every peer computes the same list, in whatever order it learnt of the devices', () => {
  const device = fc.record({
    owner: fc.constantFrom('one', 'two', 'three'),
    zone: fc.constantFrom(undefined, 'home', 'office'),
    contributed: fc.integer({ min: 0, max: 1e12 }),
  })
  const property = fc.property(
    fc.array(device, { minLength: 1, maxLength: 12 }),
    fc.integer(),
    fc.integer(),
    (devices, order, seed) => {
      const known = devices.map((change, index) => place(String(index), change))
      const shuffled = new SeededRandom(order).shuffled(known)
      for (const id of ids(5, seed)) {
        const ranking = new Placement(pool, known, 3).rank(id)
        assert.deepEqual(new Placement(pool, shuffled, 3).rank(id), ranking)
        assert.equal(new Set(ranking).size, devices.length)
        assert.deepEqual(new Placement(pool, known, 3).rank(id, 3), ranking.slice(0, 3))
      }
    },
  )
  fc.assert(property, { numRuns: 200 })
})

test('each of 20 equal devices gets its share within 5 %', () => {
  const chunks = ids(100_000, 1)
  for (const count of shares(new Placement(pool, places(20), 1), chunks, 1).values())
    assert.ok(Math.abs(count / 5_000 - 1) < 0.05, `${count} of 5000`)
})

test('each of 100 unequal devices gets chunks in proportion to its weight, within 5 %', () => {
  // Four classes of 25; the last contributes more than four times the median and is capped there.
  const weights = [50, 100, 100, 1_000]
  const capped = [50, 100, 100, 400]
  const devices = Array.from({ length: 100 }, (_, index) =>
    place(String(index), { contributed: weights[index % 4]! }),
  )
  const chunks = 300_000
  const counts = shares(new Placement(pool, devices, 3), ids(chunks, 2), 3)
  const total = 25 * capped.reduce((sum, weight) => sum + weight, 0)
  for (const [index, { peer }] of devices.entries()) {
    const expected = (3 * chunks * capped[index % 4]!) / total
    const got = counts.get(peer) ?? 0
    assert.ok(Math.abs(got / expected - 1) < 0.05, `device ${index}: ${got} instead of ${expected}`)
  }
})

/** Chunks that 3 to 10 devices take in, three copies each, before one finds no third device with room. */
function chunksTaken(sizes: readonly number[], seed: number): number {
  const devices = sizes.map((contributed, index) => place(String(index), { contributed }))
  const left = new Map(devices.map(({ peer, contributed }) => [peer, contributed]))
  const placement = new Placement(pool, devices, 3)
  const random = new SeededRandom(seed)
  for (let taken = 0; ; taken++) {
    const open = placement.rank(idOf<ChunkId>(random.bytes(32))).filter((peer) => left.get(peer)! > 0)
    if (open.length < 3) return taken
    for (const peer of open.slice(0, 3)) left.set(peer, left.get(peer)! - 1)
  }
}

test('95 % of the space that three copies can use is used before a chunk finds no third device', () => {
  const random = new SeededRandom(6)
  const chosen = [
    [3_000, 3_000, 3_000, 500, 500],
    [500, 500, 500, 500, 500, 2_375, 5_000],
    [1_000, 2_000, 3_000, 4_000],
    [4_000, 400, 400, 400, 4_000, 3_600],
  ]
  const drawn = Array.from({ length: 60 }, (_, round) => {
    const unequal = [1, 2, 4][round % 3]!
    return Array.from({ length: random.between(3, 10) }, () =>
      Math.ceil(400 * Math.exp(random.number() * unequal)),
    )
  })
  for (const [index, sizes] of [...chosen, ...drawn].entries()) {
    const usable = levelOf(sizes, 3)
    const taken = chunksTaken(sizes, index)
    assert.ok(taken >= 0.95 * usable, `${taken} of ${usable} chunks on ${sizes.join(', ')}`)
  }
})

test('shares fill all devices at once, none beyond one copy of each chunk', () => {
  assert.deepEqual(sharesOf([1, 2, 3, 4], 3), [1 / 3, 2 / 3, 1, 1])
  assert.deepEqual(sharesOf([5, 5], 3), [1, 1])
  assert.deepEqual(sharesOf([0, 0, 0, 0], 2), [0.5, 0.5, 0.5, 0.5])
  const many = sharesOf([...Array.from({ length: 29 }, () => 100), 1_000_000], 3)
  assert.ok(Math.abs(many[29]! - 4 * many[0]!) < 1e-9, 'capped at four times the median')
})

/** Copies that change their place, and the fewest that could, for each chunk. */
function moved(before: readonly Place[], after: readonly Place[], chunks: readonly ChunkId[]): number[] {
  const share = (devices: readonly Place[]): Map<PeerId, number> => {
    const all = sharesOf(
      devices.map(({ contributed }) => contributed),
      3,
    )
    return new Map(devices.map(({ peer }, index) => [peer, all[index]!]))
  }
  const old = share(before)
  const ideal = [...share(after)].reduce(
    (sum, [peer, now]) => sum + Math.max(0, now - (old.get(peer) ?? 0)),
    0,
  )
  const from = new Placement(pool, before, 3)
  const to = new Placement(pool, after, 3)
  let copies = 0
  for (const id of chunks) {
    const had = from.rank(id, 3)
    copies += to.rank(id, 3).filter((peer) => !had.includes(peer)).length
  }
  return [copies / chunks.length, ideal]
}

/** Sum of what moved over the sum of what had to, over joins, leaves and doublings in pools of `size`. */
function movement(size: number, rounds: number, chunks: readonly ChunkId[], random: SeededRandom): number {
  let copies = 0
  let ideal = 0
  for (let round = 0; round < rounds; round++) {
    const before = places(size).map((device) => ({ ...device, contributed: random.between(100, 1_000) }))
    const one = random.below(size)
    const changes = [
      [...before, place('new', { contributed: random.between(100, 1_000) })],
      before.toSpliced(one, 1),
      before.with(one, { ...before[one]!, contributed: before[one]!.contributed * 2 }),
    ]
    for (const after of changes) {
      const [had, needed] = moved(before, after, chunks)
      copies += had!
      ideal += needed!
    }
  }
  return copies / ideal
}

test('a device that joins, leaves or doubles moves little more than it must', () => {
  const random = new SeededRandom(8)
  for (const [size, rounds, chunks] of [
    [100, 3, 4_000],
    [20, 10, 3_000],
    [6, 20, 2_000],
  ] as const) {
    const factor = movement(size, rounds, ids(chunks, size), random)
    assert.ok(factor < 1.1, `${size} devices: ${factor} times the least`)
  }
})

test('among equal devices one that leaves or joins moves only its own chunks', () => {
  const devices = places(20)
  const before = new Placement(pool, devices, 1)
  const after = new Placement(pool, devices.slice(1), 1)
  const gone = devices[0]!.peer
  let moved = 0
  const chunks = ids(5_000, 3)
  for (const id of chunks) {
    const old = before.rank(id)
    assert.deepEqual(
      after.rank(id),
      old.filter((peer) => peer !== gone),
    )
    if (old[0] === gone) moved += 1
  }
  assert.ok(moved > 100 && moved < 400, `${moved} of ${chunks.length} moved`)
})

test('copies lie with distinct owners first, then in distinct zones', () => {
  const devices = [
    ...['a', 'b', 'c', 'd'].map((name) =>
      place(name, { owner: 'one', zone: name < 'c' ? 'home' : 'office' }),
    ),
    place('e', { owner: 'two', zone: 'home' }),
    place('f', { owner: 'three', zone: 'home' }),
  ]
  const of = new Map(devices.map((device) => [device.peer, device]))
  for (const id of ids(500, 4)) {
    const owners = new Placement(pool, devices, 3)
      .rank(id)
      .slice(0, 3)
      .map((peer) => of.get(peer)!.owner)
    assert.equal(new Set(owners).size, 3)
    const mine = new Placement(pool, devices.slice(0, 4), 2)
      .rank(id)
      .slice(0, 2)
      .map((peer) => of.get(peer)!.zone)
    assert.equal(new Set(mine).size, 2)
  }
})

test('another pool places otherwise', () => {
  const other = hash(Buffer.from('another pool')).toString('hex')
  const chunks = ids(200, 5)
  const here = chunks.map((id) => new Placement(pool, places(20), 3).rank(id)[0])
  const there = chunks.map((id) => new Placement(other, places(20), 3).rank(id)[0])
  assert.ok(here.filter((peer, index) => peer === there[index]).length < 40)
})

test('the ranking is frozen: peers of different versions must agree', () => {
  const ranking = new Placement('00'.repeat(32), places(6), 3).rank('5a'.repeat(32) as ChunkId)
  assert.deepEqual(
    ranking,
    [3, 2, 4, 1, 5, 0].map((number) => `12D3KooW${number}`),
  )
})
