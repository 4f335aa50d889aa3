import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerId } from '../base/words.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { asked, balance, plan, wanted, type Situation } from './plan.ts'

const peers = (text: string): PeerId[] => text.split('') as PeerId[]
const situation = (change: {
  ranking?: string
  holders: string
  counted?: string
  live?: string
  closed?: string
  want?: number
}): Situation => ({
  ranking: peers(change.ranking ?? 'abcdef'),
  holders: peers(change.holders),
  counted: new Set(peers(change.counted ?? 'abcdef')),
  live: new Set(peers(change.live ?? 'abcdef')),
  closed: new Set(peers(change.closed ?? '')),
  want: change.want ?? 3,
})

test('missing copies go to the next in rank', () => {
  assert.deepEqual(plan(situation({ holders: 'd' })).targets, ['a', 'b'])
  assert.deepEqual(plan(situation({ holders: 'abc' })).targets, [])
})

test('who is offline or full is passed over', () => {
  assert.deepEqual(plan(situation({ holders: 'd', live: 'bcdef', closed: 'b' })).targets, ['c', 'e'])
})

test('holders that do not count are missing but get no second copy', () => {
  assert.deepEqual(plan(situation({ holders: 'ad', counted: 'bcdef' })).targets, ['b', 'c'])
})

test('what nobody can take is told', () => {
  const { targets, unplaced } = plan(situation({ ranking: 'ab', holders: 'a', live: 'ab' }))
  assert.deepEqual([targets, unplaced], [['b'], 1])
})

test('the highest-ranked live holder answers for a chunk, one outside the ranking last', () => {
  assert.deepEqual(plan(situation({ holders: 'dzb' })).responsible, ['b', 'd'])
  assert.deepEqual(plan(situation({ holders: 'dzb', live: 'adz' })).responsible, ['d', 'z'])
})

test('wanted copies follow the policy, at most one on each keeper', () => {
  const policy = { copies: 3, min: 2, max: 5, factor: 0.1 }
  assert.deepEqual(
    [1, 2, 3, 4, 30, 40, 100].map((keepers) => wanted(policy, keepers)),
    [1, 2, 3, 3, 3, 4, 5],
  )
})

test('priority files want the most copies; what is asked for does not end at the devices there are', () => {
  const policy = { copies: 3, min: 2, max: 5, factor: 0.1 }
  assert.deepEqual(
    [1, 4, 5, 100].map((keepers) => wanted(policy, keepers, true)),
    [1, 4, 5, 5],
  )
  assert.deepEqual(
    [1, 2, 3, 40].map((keepers) => asked(policy, keepers)),
    [3, 3, 3, 4],
  )
  assert.equal(asked({ ...policy, copies: 1 }, 1), 2)
})

const balanced = (
  change: Parameters<typeof situation>[0] & { full?: string; doubted?: string; leaving?: string },
): string => {
  const { missing, belongs, targets, awaited, surplus, relied } = balance({
    ...situation(change),
    full: new Set(peers(change.full ?? '')),
    doubted: new Set(peers(change.doubted ?? '')),
    ...(change.leaving !== undefined && { leaving: change.leaving as PeerId }),
  })
  const told = [belongs, targets, awaited, relied].map((some) => some.join(''))
  return `${told.join('/')}/${surplus ?? ''}${missing ? ' missing' : ''}`
}

test('copies belong to the first in rank; the lowest holder is one too many only when enough others are reached', () => {
  assert.equal(balanced({ holders: 'abc' }), 'abc////')
  assert.equal(balanced({ holders: 'bcd' }), 'abc/a///')
  assert.equal(balanced({ holders: 'abcd' }), 'abc///abc/d')
  assert.equal(balanced({ holders: 'abcde' }), 'abc///abc/e')
  assert.equal(balanced({ holders: 'bcde' }), 'abc/a//bcd/e')
  assert.equal(balanced({ holders: 'abcd', live: 'acdef' }), 'abc////')
  assert.equal(balanced({ holders: 'bcd', live: 'bcdef' }), 'abc//a//')
  assert.equal(balanced({ holders: 'cd' }), 'abc//// missing')
})

test('nothing is moved to who is full, and nobody relies on who is in doubt', () => {
  assert.equal(balanced({ holders: 'bcd', full: 'a' }), 'bcd////')
  assert.equal(balanced({ holders: 'abcd', full: 'a' }), 'abc///abc/d')
  assert.equal(balanced({ holders: 'bcd', closed: 'a' }), 'abc//a//')
  assert.equal(balanced({ holders: 'abcd', doubted: 'b' }), 'abc////')
  assert.equal(balanced({ holders: 'abcde', doubted: 'b' }), 'abc///acd/e')
})

test('who keeps too much gives his copy away wherever he ranks', () => {
  assert.equal(balanced({ holders: 'abc', leaving: 'a' }), 'bcd/d///')
  assert.equal(balanced({ holders: 'abcd', leaving: 'a' }), 'bcd///bcd/a')
  assert.equal(balanced({ ranking: 'abc', holders: 'abc', leaving: 'a' }), 'bca////')
})

test('moving ends: each copy that is moved ends higher in rank than it began', () => {
  const random = new SeededRandom(7)
  for (let pool = 0; pool < 300; pool++) {
    const full = random.shuffled(peers('abcdef')).slice(0, random.below(3)).join('')
    const rank = (held: ReadonlySet<PeerId>): number =>
      [...held].reduce((sum, peer) => sum + 'abcdef'.indexOf(peer), 0)
    let holders = new Set(random.shuffled(peers('abcdef')).slice(0, 3))
    for (let step = 0; ; step++) {
      assert.ok(step < 12, `${[...holders].join()} is still moved, full: ${full}`)
      const change = {
        ...situation({ holders: [...holders].join('') }),
        full: new Set(peers(full)),
        doubted: new Set<PeerId>(),
      }
      const { targets } = balance(change)
      if (targets.length === 0) break
      const before = rank(holders)
      const more = [...holders, ...targets.slice(0, 1)]
      const { surplus } = balance({ ...change, holders: more })
      holders = new Set(more.filter((peer) => peer !== surplus))
      assert.ok(holders.size === 3 && rank(holders) < before)
    }
  }
})
