import assert from 'node:assert/strict'
import { posix, win32 } from 'node:path'
import test from 'node:test'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { checkPath, foldersAbove, parsePath, pathText } from './paths.ts'

const refused = (run: () => unknown): boolean => {
  try {
    run()
    return false
  } catch (thrown) {
    assert.ok(isCode(thrown, 'BAD_PATH'), String(thrown))
    return true
  }
}

/** Every string over the alphabet up to a number of letters. */
function* strings(alphabet: readonly string[], letters: number): Iterable<string> {
  if (letters === 0) return
  for (const letter of alphabet) {
    yield letter
    for (const rest of strings(alphabet, letters - 1)) yield letter + rest
  }
}

test('no string over the letters of traversal escapes, on either platform', () => {
  const alphabet = ['%', '25', '2e', '2f', '5c', '.', '/', '\\']
  let tried = 0
  let accepted = 0
  for (const text of strings(alphabet, 6)) {
    tried += 1
    let path: string
    try {
      path = pathText(parsePath(`files/${text}`))
    } catch {
      continue
    }
    accepted += 1
    for (const resolver of [posix, win32]) {
      const inside = resolver.resolve(resolver.sep, 'root', 'files')
      const opened = resolver.resolve(resolver.sep, 'root', path)
      assert.ok(opened === inside || opened.startsWith(inside + resolver.sep), `${text} opened ${opened}`)
    }
    // Authorised is what is opened: parsing what came out again changes nothing.
    assert.equal(pathText(parsePath(path)), path)
  }
  assert.equal(tried, 299_592)
  assert.ok(accepted > 10_000, `only ${accepted} accepted`)
})

test('paths that name no place are refused', () => {
  const bad = [
    '',
    '/',
    '//',
    '/etc/passwd',
    'files//a',
    'files/../x',
    'files/./x',
    'files/..',
    '..',
    '.',
    'files/a\0b',
    'files/a\nb',
    'files/\u007f',
    'files/\u0085',
    'files/\ud800',
    'files/..\\x',
    '\\\\host\\share',
    'files/a\\..\\..\\b',
    'files/C:\\x',
    'C:/x',
    'files/\\x',
    `files/${'x'.repeat(256)}`,
    `files/${'x/'.repeat(2100)}y`,
    `files/${'é'.repeat(128)}`,
    'files/a//',
  ]
  for (const path of bad)
    assert.ok(
      refused(() => parsePath(path)),
      JSON.stringify(path),
    )
})

test('ordinary and odd names are kept', () => {
  const good = [
    'files/a',
    'files/.hidden',
    'files/...',
    'files/a..b',
    'files/CON',
    'files/end.',
    'files/dev\\x2ddisk.mount',
    'files/ñandú/日本語.txt',
    'files/100%',
    'files/%2e%2e',
    'files/ a ',
    `files/${'x'.repeat(255)}`,
    'files/a:b',
  ]
  for (const path of good) assert.equal(pathText(parsePath(path)), path)
})

test('mixed Unicode forms become one', () => {
  assert.equal(checkPath('cafe\u0301'), 'caf\u00e9')
  assert.equal(parsePath('files/e\u0301').path, parsePath('files/\u00e9').path)
  assert.equal(Buffer.byteLength(checkPath('e\u0301'.repeat(127))), 254)
})

test('one trailing slash means the same folder', () => {
  assert.deepEqual(parsePath('files/docs/'), { folder: 'files', path: 'docs' })
  assert.deepEqual(parsePath('files'), { folder: 'files', path: '' })
})

test('folders above a path, nearest last', () => {
  assert.deepEqual(foldersAbove('a/b/c'), ['a', 'a/b'])
  assert.deepEqual(foldersAbove('a'), [])
})

test('the longest path is kept', () => {
  const path = `${'x'.repeat(240)}/`.repeat(16) + 'y'.repeat(limits.pathBytes - 16 * 241)
  assert.equal(Buffer.byteLength(path), limits.pathBytes)
  assert.equal(checkPath(path), path)
  assert.ok(refused(() => checkPath(`${path}y`)))
})
