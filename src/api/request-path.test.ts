import assert from 'node:assert/strict'
import test from 'node:test'
import { isCode } from '../base/errors.ts'
import { parseRequestPath } from './request-path.ts'

test('segments are decoded once, the query is set apart', () => {
  const { segments, query } = parseRequestPath('/files/a%20b/%25%32%66/ü?x=1&y=%20')
  assert.deepEqual(segments, ['files', 'a b', '%2f', 'ü'])
  assert.equal(query.get('x'), '1')
  assert.equal(query.get('y'), ' ')
  assert.deepEqual(parseRequestPath('/').segments, [])
  assert.deepEqual(parseRequestPath('/files/a/').segments, ['files', 'a'])
})

const refused = [
  'files',
  '*',
  'http://evil.test/files/a',
  '//evil.test/a',
  '/files//a',
  '/files/./a',
  '/files/../a',
  '/files/%2e%2e/a',
  '/files/%2E./a',
  '/files/a%2fb',
  '/files/a%00b',
  '/files/%',
  '/files/%zz',
  '/files/%ff',
  '/files/%c0%ae',
  `/${'a'.repeat(20_000)}`,
]

for (const path of refused)
  test(`refused: ${path.slice(0, 40)}`, () => {
    assert.throws(
      () => parseRequestPath(path),
      (error) => isCode(error, 'BAD_PATH'),
    )
  })

test('no string of escapes, dots and slashes gives a segment that leaves its folder', () => {
  const pieces = ['%', '25', '2e', '2f', '5c', '.', '/', '\\']
  let accepted = 0
  for (const text of stringsOf(pieces, 5)) {
    const segments = segmentsOf(`/files/${text}`)
    if (segments === undefined) continue
    accepted += 1
    assert.equal(segments[0], 'files', text)
    for (const segment of segments) assert.ok(!isEscape(segment), `${text} gives ${segment}`)
  }
  assert.ok(accepted > 1000, `${accepted} accepted`)
})

const isEscape = (segment: string): boolean =>
  segment === '' || segment === '.' || segment === '..' || segment.includes('/')

function segmentsOf(path: string): string[] | undefined {
  try {
    return parseRequestPath(path).segments
  } catch (error) {
    assert.ok(isCode(error, 'BAD_PATH'))
    return undefined
  }
}

/** Every string of up to `length` pieces. */
function stringsOf(pieces: readonly string[], length: number): string[] {
  const all = ['']
  let last = all
  for (let done = 0; done < length; done += 1) {
    last = last.flatMap((text) => pieces.map((piece) => text + piece))
    all.push(...last)
  }
  return all
}
