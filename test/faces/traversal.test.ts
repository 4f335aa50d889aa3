/**
 * Paths made to lead elsewhere: every string of a few dangerous pieces, in this process and over HTTP on
 * every route that takes a path. The path that was authorised is the path that is opened, or nothing is.
 */
import assert from 'node:assert/strict'
import { posix, win32 } from 'node:path'
import test from 'node:test'
import { PeerStorError } from '../../src/base/errors.ts'
import { checkPath } from '../../src/files/paths.ts'
import { parseRequestPath } from '../../src/api/request-path.ts'
import { routes } from '../../src/api/routes.ts'
import { startFixture, type WebFaceFixture } from '../../src/api/web-face.fixture.ts'

const pieces = ['%', '25', '2e', '2f', '5c', '00', '.', '/', '\\']

/** All strings of up to `length` pieces. */
function* strings(length: number): Generator<string> {
  let longest = ['']
  for (let count = 0; count < length; count += 1) {
    longest = longest.flatMap((start) => pieces.map((piece) => start + piece))
    yield* longest
  }
}

/** What is opened for an address below `/files/files/mine/`; undefined: it is refused. */
function opened(address: string): string | undefined {
  try {
    const { segments } = parseRequestPath(address)
    return checkPath(segments.slice(1).join('/'))
  } catch (thrown) {
    assert.ok(thrown instanceof PeerStorError && thrown.code === 'BAD_PATH', String(thrown))
    return undefined
  }
}

test('no string of dangerous pieces leads out of its folder, by the rules of any system', () => {
  let taken = 0
  for (const string of strings(5)) {
    const path = opened(`/files/files/mine/${string}`)
    if (path === undefined) continue
    taken += 1
    assert.ok(path === 'files/mine' || path.startsWith('files/mine/'), string)
    assert.equal(checkPath(path), path, 'checked twice it is the same')
    for (const { resolve, sep } of [posix, win32]) {
      const root = resolve(sep, 'top', 'files', 'mine')
      const place = resolve(sep, 'top', path)
      assert.ok(place === root || place.startsWith(root + sep), `${string} leads to ${place}`)
    }
  }
  assert.ok(taken > 1000, `${taken} of them name something`)
})

/** Paths of all files, with what is in them. */
async function everything(web: WebFaceFixture): Promise<[string, string][]> {
  const { entries } = (await web.ask({ path: '/api/v1/list/files?recursive=1&limit=1000' })).json as {
    entries: { path: string; kind: string; hash?: string }[]
  }
  return entries.map(({ path, kind, hash }) => [path, hash ?? kind])
}

test(
  'on every route that takes a path a confined token stays in its folder',
  { timeout: 180_000 },
  async (t) => {
    const web = await startFixture(t)
    const token = await web.tokenWith(['write'], 'files/mine')
    for (const path of ['files/mine/a', 'files/secret', 'files/mine2/b'])
      await web.ask({ method: 'PUT', path: `/files/${path}`, body: 'secret' })
    const outside = (await everything(web)).filter(([path]) => !/^files\/mine(\/|$)/.test(path))
    const open = routes.filter(({ path, scope }) => path.endsWith('/*') && path !== '/*' && scope !== 'open')
    assert.ok(open.length > 10)
    // All of them pass the same two functions, as the first test has them; here it is the routes that count.
    const targets = [...strings(2)]
      .filter((_, at) => at % 2 === 0)
      .map((string, at) => (at % 3 === 0 ? `files/mine${string}/secret` : `files/mine/${string}secret`))
    for (const { method, path } of open)
      for (const target of targets) {
        const body = method === 'POST' || method === 'PATCH' ? '{}' : ''
        const headers = { destination: `/dav/${target}`, depth: '0' }
        const answer = await web.ask({ method, path: path.replace('*', target), token, body, headers })
        assert.ok(answer.status < 500, `${method} ${path} of ${target}: ${answer.text}`)
        assert.ok(method === 'PUT' || !answer.text.includes('secret\n') || answer.status >= 400)
        if (method === 'GET' && answer.status === 200)
          assert.notEqual(answer.text, 'secret', `${path} of ${target}`)
      }
    assert.deepEqual(
      (await everything(web)).filter(([path]) => !/^files\/mine(\/|$)/.test(path)),
      outside,
    )
  },
)

test('names that systems read in their own way are kept as they are, or refused', async (t) => {
  const web = await startFixture(t)
  const kept = [
    'CON',
    'nul.txt',
    'aux',
    'COM1',
    'end.',
    'end ',
    ' start',
    '...',
    'a:b',
    'a?b',
    '~',
    '$(x)',
    '__proto__',
    'constructor',
  ]
  for (const name of kept) {
    const path = `/files/files/odd/${encodeURIComponent(name)}`
    assert.equal((await web.ask({ method: 'PUT', path, body: name })).status, 201, name)
  }
  for (const name of kept)
    assert.equal((await web.ask({ path: `/files/files/odd/${encodeURIComponent(name)}` })).text, name)
  const refused = [
    'a%00b',
    'a%0ab',
    '%7f',
    'a%5c..%5cb',
    'C:%5cx',
    '%c0%ae',
    '%ed%a0%80',
    '%zz',
    'x'.repeat(256),
    '%2e%2e',
    '%2e',
  ]
  for (const name of refused) {
    const answer = await web.ask({ method: 'PUT', path: `/files/files/odd/${name}`, body: 'x' })
    assert.equal(answer.status, 400, `${name}: ${answer.text}`)
    assert.equal(answer.json['code'], 'BAD_PATH', name)
  }
})

test('one file for both forms of a letter, two for both cases', async (t) => {
  const web = await startFixture(t)
  const [nfc, nfd] = ['caf\u00e9', 'cafe\u0301'].map(encodeURIComponent)
  const token = await web.tokenWith(['write'], 'files/caf\u00e9')
  const put = (path: string, body: string, by = token) =>
    web.ask({ method: 'PUT', path: `/files/files/${path}`, body, token: by })
  assert.equal((await put(`${nfd}/x`, 'one')).status, 201)
  assert.equal((await put(`${nfc}/x`, 'two')).status, 200)
  assert.equal((await web.ask({ path: `/files/files/${nfd}/x`, token })).text, 'two')
  assert.equal((await put(`${encodeURIComponent('CAF\u00c9')}/x`, 'three')).status, 403)
  assert.equal((await put('K', 'latin', web.token)).status, 201)
  // The sign for kelvin is the letter K, once normalised; a small k is another name.
  assert.equal((await put(encodeURIComponent('\u212a'), 'kelvin', web.token)).status, 200)
  assert.equal((await put('k', 'small', web.token)).status, 201)
})
