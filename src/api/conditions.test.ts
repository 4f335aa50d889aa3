import assert from 'node:assert/strict'
import test from 'node:test'
import { isCode } from '../base/errors.ts'
import type { RecordHash } from '../base/words.ts'
import { namesVersion, parseRange } from './conditions.ts'

const version = 'ab'.repeat(32) as RecordHash

const ranges: [header: string | undefined, expected: [number, number] | undefined | 'refused'][] = [
  [undefined, undefined],
  ['bytes=0-0', [0, 0]],
  ['bytes=0-99', [0, 99]],
  ['bytes=10-', [10, 99]],
  ['bytes=10-1000', [10, 99]],
  ['bytes=-1', [99, 99]],
  ['bytes=-1000', [0, 99]],
  ['bytes=99-99', [99, 99]],
  ['bytes=100-', 'refused'],
  ['bytes=100-200', 'refused'],
  ['bytes=-0', 'refused'],
  ['bytes=5-4', undefined],
  ['bytes=0-1,5-6', undefined],
  ['bytes=a-b', undefined],
  ['bytes=-', undefined],
  ['items=0-1', undefined],
  [`bytes=0-${'9'.repeat(400)}`, undefined],
]

for (const [header, expected] of ranges)
  test(`Range ${header?.slice(0, 30)} of 100 bytes`, () => {
    if (expected === 'refused')
      assert.throws(
        () => parseRange(header, 100, 'files/a'),
        (error) => isCode(error, 'BAD_RANGE'),
      )
    else {
      const found = parseRange(header, 100, 'files/a')
      assert.deepEqual(found === undefined ? undefined : [found.first, found.last], expected)
    }
  })

test('entity tags', () => {
  assert.ok(namesVersion('*', version))
  assert.ok(namesVersion(`"x", "${version}"`, version))
  assert.ok(namesVersion(`W/"${version}"`, version))
  assert.ok(!namesVersion(version, version))
  assert.ok(!namesVersion('"x"', version))
})
