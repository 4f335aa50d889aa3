import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerId } from '../base/words.ts'
import { asked, plan, wanted, type Situation } from './plan.ts'

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
