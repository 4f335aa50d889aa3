/** What an address takes: told by `OPTIONS`, and by the refusal of everything else. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { matchRoute, methodsAt } from './router.ts'
import { routes } from './routes.ts'
import { startFixture } from './web-face.fixture.ts'

const allMethods = [...new Set(routes.map(({ method }) => method)), 'HEAD', 'OPTIONS', 'TRACE']
const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '')
const addresses = [
  ...new Set(routes.map(({ path }) => path.replace('*', 'files/a').replaceAll(/:\w+/g, 'x'))),
].filter((path) => methodsAt(routes, partsOf(path)).length > 0)

test('an address that lacks a method answers 405, and in Allow what OPTIONS says', async (t) => {
  const web = await startFixture(t)
  for (const path of addresses) {
    const { status, headers } = await web.ask({ method: 'OPTIONS', path, token: null })
    assert.ok(status === 200 || status === 204, path)
    const allowed = String(headers['allow']).split(', ')
    assert.ok(allowed.includes('OPTIONS'), path)
    const lacking = allMethods.filter((method) => !allowed.includes(method))
    assert.ok(lacking.length > 0, path)
    for (const method of lacking.slice(0, 3)) {
      const refused = await web.ask({ method, path })
      assert.equal(refused.status, 405, `${method} ${path}`)
      assert.deepEqual(String(refused.headers['allow']).split(', '), allowed, path)
      if (refused.text !== '') assert.equal(refused.json['code'], 'METHOD_NOT_ALLOWED')
    }
    // What is allowed leads to a route.
    for (const method of allowed.filter((one) => one !== 'OPTIONS'))
      assert.ok(matchRoute(routes, method, partsOf(path)), `${method} ${path}`)
  }
  assert.ok(addresses.length > 40, `${addresses.length} addresses`)
})

test('an address that nothing knows is 404 by any method, and OPTIONS says nothing of it', async (t) => {
  const web = await startFixture(t)
  for (const method of ['GET', 'POST', 'PUT', 'PROPFIND', 'TRACE'])
    assert.equal((await web.ask({ method, path: '/api/v1/nothing' })).status, 404, method)
  const { status, headers } = await web.ask({ method: 'OPTIONS', path: '/some-bucket/key', token: null })
  assert.deepEqual([status, headers['allow']], [204, undefined])
})

test('a WebDAV refusal says what the member does take', async (t) => {
  const web = await startFixture(t)
  const { status, headers } = await web.ask({ method: 'MKCOL', path: '/dav/files' })
  assert.equal(status, 405)
  assert.match(String(headers['allow']), /^OPTIONS, GET, HEAD, PUT, .*UNLOCK$/)
  assert.doesNotMatch(String(headers['allow']), /MKCOL/)
})
