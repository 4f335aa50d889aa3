import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { idOf, type ChunkId, type PeerId } from '../base/words.ts'
import { hash } from '../codec/hash.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { Placement, type Place } from './place.ts'

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
    for (const peer of placement.rank(id).slice(0, copies)) counts.set(peer, (counts.get(peer) ?? 0) + 1)
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
        const ranking = new Placement(pool, known).rank(id)
        assert.deepEqual(new Placement(pool, shuffled).rank(id), ranking)
        assert.equal(new Set(ranking).size, devices.length)
      }
    },
  )
  fc.assert(property, { numRuns: 200 })
})

test('each of 20 equal devices gets its share within 5 %', () => {
  const chunks = ids(100_000, 1)
  for (const count of shares(new Placement(pool, places(20)), chunks, 1).values())
    assert.ok(Math.abs(count / 5_000 - 1) < 0.05, `${count} of 5000`)
})

test('100 devices get chunks in proportion to their weight', () => {
  // Four classes of 25; the last contributes more than four times the median and is capped there.
  const weights = [50, 100, 100, 1_000]
  const capped = [50, 100, 100, 400]
  const devices = Array.from({ length: 100 }, (_, index) =>
    place(String(index), { contributed: weights[index % 4]! }),
  )
  const counts = shares(new Placement(pool, devices), ids(100_000, 2), 1)
  const total = capped.reduce((sum, weight) => sum + weight, 0)
  for (const [index, weight] of capped.entries()) {
    const mine = devices.filter((_, at) => at % 4 === index).map(({ peer }) => counts.get(peer) ?? 0)
    const expected = (100_000 * weight) / total
    const got = mine.reduce((sum, count) => sum + count, 0)
    assert.ok(Math.abs(got / expected - 1) < 0.05, `class ${index}: ${got} instead of ${expected}`)
  }
})

test('a device that leaves or joins moves only its own chunks', () => {
  const devices = places(20)
  const before = new Placement(pool, devices)
  const after = new Placement(pool, devices.slice(1))
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
    const owners = new Placement(pool, devices)
      .rank(id)
      .slice(0, 3)
      .map((peer) => of.get(peer)!.owner)
    assert.equal(new Set(owners).size, 3)
    const mine = new Placement(pool, devices.slice(0, 4))
      .rank(id)
      .slice(0, 2)
      .map((peer) => of.get(peer)!.zone)
    assert.equal(new Set(mine).size, 2)
  }
})

test('another pool places otherwise', () => {
  const other = hash(Buffer.from('another pool')).toString('hex')
  const chunks = ids(200, 5)
  const here = chunks.map((id) => new Placement(pool, places(20)).rank(id)[0])
  const there = chunks.map((id) => new Placement(other, places(20)).rank(id)[0])
  assert.ok(here.filter((peer, index) => peer === there[index]).length < 40)
})

test('the ranking is frozen: peers of different versions must agree', () => {
  const ranking = new Placement('00'.repeat(32), places(6)).rank('5a'.repeat(32) as ChunkId)
  assert.deepEqual(
    ranking,
    [3, 2, 4, 1, 5, 0].map((number) => `12D3KooW${number}`),
  )
})
