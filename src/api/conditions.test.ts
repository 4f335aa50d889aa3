import assert from 'node:assert/strict'
import test from 'node:test'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { entityTag, namesStrongly, namesWeakly, parseRanges } from './conditions.ts'

const hash = 'ab'.repeat(32)

const ranges: [header: string | undefined, expected: [number, number][] | undefined | 'refused'][] = [
  [undefined, undefined],
  ['bytes=0-0', [[0, 0]]],
  ['bytes=0-99', [[0, 99]]],
  ['bytes=10-', [[10, 99]]],
  ['bytes=10-1000', [[10, 99]]],
  ['bytes=-1', [[99, 99]]],
  ['bytes=-1000', [[0, 99]]],
  ['bytes=99-99', [[99, 99]]],
  ['bytes=100-', 'refused'],
  ['bytes=100-200', 'refused'],
  ['bytes=100-200,300-', 'refused'],
  ['bytes=-0', 'refused'],
  ['bytes=5-4', undefined],
  ['bytes=a-b', undefined],
  ['bytes=-', undefined],
  ['bytes=', undefined],
  ['bytes=0-1,x', undefined],
  ['items=0-1', undefined],
  [`bytes=0-${'9'.repeat(400)}`, undefined],
  [
    'bytes=0-1,5-6',
    [
      [0, 1],
      [5, 6],
    ],
  ],
  [
    'bytes=90-, 5-6',
    [
      [90, 99],
      [5, 6],
    ],
  ],
  ['bytes=0-1,200-300', [[0, 1]]],
  // What overlaps or touches is sent once.
  ['bytes=50-,0-60,20-30', [[0, 99]]],
  [
    'bytes=5-9,0-4,20-30',
    [
      [0, 9],
      [20, 30],
    ],
  ],
  [`bytes=${'0-,'.repeat(limits.httpRanges - 1)}0-`, [[0, 99]]],
  [`bytes=${'0-0,'.repeat(limits.httpRanges)}0-0`, undefined],
]

for (const [header, expected] of ranges)
  test(`Range ${header?.slice(0, 30)} of 100 bytes`, () => {
    if (expected === 'refused')
      assert.throws(
        () => parseRanges(header, 100, 'files/a'),
        (error) => isCode(error, 'BAD_RANGE'),
      )
    else
      assert.deepEqual(
        parseRanges(header, 100, 'files/a')?.map(({ first, last }) => [first, last]),
        expected,
      )
  })

test('entity tags', () => {
  for (const names of [namesStrongly, namesWeakly]) {
    assert.ok(names('*', hash))
    assert.ok(names(`"x", ${entityTag(hash)}`, hash))
    assert.ok(names(entityTag(hash, 'gzip'), hash))
    assert.ok(!names(entityTag(hash, 'x'), hash))
    assert.ok(!names(hash, hash))
    assert.ok(!names('"x"', hash))
  }
  assert.ok(namesWeakly(`W/${entityTag(hash)}`, hash))
  assert.ok(!namesStrongly(`W/${entityTag(hash)}`, hash))
})
