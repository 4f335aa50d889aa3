/** Who may call what: a cell for every route, made from the list of routes itself. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Scope } from '../peer/peer.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'
import { startFixture } from './web-face.fixture.ts'

const closed = routes.filter((route) => route.scope !== 'open')
const pathOf = (route: Route): string => route.path.replace('*', 'files/secret.txt').replaceAll(/:\w+/g, 'x')
const nameOf = (route: Route): string => `${route.method} ${route.path}`

/** Scopes that are not enough for a scope. */
const lacking: Record<Scope, readonly Scope[]> = {
  read: ['metrics'],
  write: ['read', 'metrics'],
  admin: ['read', 'write', 'metrics'],
  metrics: ['read', 'write'],
}

test('the open routes are these and no more', () => {
  assert.deepEqual(routes.filter((route) => route.scope === 'open').map(nameOf), [
    'GET /health',
    'GET /health/ready',
    'POST /api/v1/sessions',
    'GET /api/openapi.json',
    'GET /api/v1/openapi.json',
    'GET /api/docs',
    'GET /*',
  ])
})

test('every other route refuses whoever shows nothing, or something wrong', async (t) => {
  const web = await startFixture(t)
  for (const route of closed) {
    const asked = { method: route.method, path: pathOf(route), token: null }
    const nothing = await web.ask(asked)
    assert.equal(nothing.status, 401, nameOf(route))
    assert.equal(nothing.json['code'], 'NOT_SIGNED_IN')
    const cookie = await web.ask({ ...asked, headers: { cookie: `peerstor-${web.face.port}=wrong` } })
    assert.equal(cookie.status, 401, nameOf(route))
    if (route.method !== 'GET') continue
    assert.equal((await web.ask({ ...asked, method: 'HEAD' })).status, 401, `HEAD of ${nameOf(route)}`)
  }
})

test('every route refuses a token without its scope', async (t) => {
  const web = await startFixture(t)
  const tokens = new Map<Scope, string>()
  for (const scope of ['read', 'write', 'metrics'] as const) tokens.set(scope, await web.tokenWith([scope]))
  let cells = 0
  for (const route of closed)
    for (const scope of lacking[route.scope as Scope]) {
      const token = tokens.get(scope) ?? ''
      const answer = await web.ask({ method: route.method, path: pathOf(route), token })
      assert.equal(answer.status, 403, `${nameOf(route)} with ${scope}`)
      assert.equal(answer.json['code'], 'FORBIDDEN')
      cells += 1
    }
  assert.ok(cells > 40)
})

test('a token confined to a folder reaches nothing outside', async (t) => {
  const web = await startFixture(t)
  const token = await web.tokenWith(['write'], 'files/mine')
  const admin = await web.tokenWith(['admin'], 'files/mine')
  for (const path of ['files/mine/a', 'files/mine2/a', 'files/other'])
    assert.equal((await web.ask({ method: 'PUT', path: `/files/${path}`, body: 'x' })).status, 201)
  assert.equal((await web.ask({ path: '/files/files/mine/a', token })).status, 200)
  for (const path of [
    'files/mine2/a',
    'files/other',
    'files',
    'files/mine/../other',
    'files/mine%2f..%2fother',
  ])
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await web.ask({
        method,
        path: `/files/${path}`,
        token,
        body: method === 'PUT' ? 'y' : '',
      })
      assert.ok(answer.status === 403 || answer.status === 400, `${method} ${path}: ${answer.status}`)
    }
  const out = await web.ask({
    method: 'PATCH',
    path: '/api/v1/files/files/mine/a',
    token,
    body: JSON.stringify({ path: 'files/other2' }),
  })
  assert.equal(out.status, 403)
  // Numbers name no file, so a confined token of that scope may read them.
  const wide = closed.filter((route) => route.scope !== 'metrics' && route.checksPaths !== true)
  for (const route of wide.filter(({ path }) => !path.endsWith('*')))
    assert.equal(
      (await web.ask({ method: route.method, path: pathOf(route), token: admin })).status,
      403,
      nameOf(route),
    )
  assert.equal((await web.ask({ path: '/files/files/other' })).text, 'x')
})

test('Basic takes the token as password; wrong tokens are slowed down, right ones never', async (t) => {
  const web = await startFixture(t)
  const basic = (password: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`,
  })
  const ask = (headers: Record<string, string>) => web.ask({ path: '/api/v1/status', token: null, headers })
  assert.equal((await ask(basic(web.token))).status, 200)
  const statuses: number[] = []
  for (let tries = 0; tries < 25; tries += 1) statuses.push((await ask(basic(`wrong${tries}`))).status)
  assert.equal(statuses[0], 401)
  assert.equal(statuses.at(-1), 429)
  assert.equal((await ask(basic(web.token))).status, 200)
})

test('the launch token is exchanged for a cookie that ends with signing out', async (t) => {
  const web = await startFixture(t)
  const signIn = (token: string) =>
    web.ask({ method: 'POST', path: '/api/v1/sessions', token: null, body: JSON.stringify({ token }) })
  assert.equal((await signIn('wrong')).status, 401)
  const { status, headers } = await signIn(web.token)
  assert.equal(status, 201)
  const [set = ''] = headers['set-cookie'] ?? []
  assert.match(set, /; HttpOnly; SameSite=Strict$/)
  const cookie = set.split(';')[0] ?? ''
  const ask = (method: string, path: string) => web.ask({ method, path, token: null, headers: { cookie } })
  assert.equal((await ask('GET', '/api/v1/status')).status, 200)
  assert.equal((await ask('DELETE', '/api/v1/sessions/current')).status, 204)
  assert.equal((await ask('GET', '/api/v1/status')).status, 401)
})

test('what starts programs can be set on the device alone, not by an API token', async (t) => {
  const web = await startFixture(t)
  const admin = await web.tokenWith(['admin'])
  const asked = {
    method: 'PUT',
    path: '/api/v1/settings/alert.command',
    headers: { 'content-type': 'application/json' },
    body: '{"value":"/bin/true"}',
  }
  const refused = await web.ask({ ...asked, token: admin })
  assert.deepEqual([refused.status, refused.json['code']], [403, 'SETTING_LOCAL'])
  assert.equal((await web.ask(asked)).status, 200)
  const named = '{"value":"https://me:word@hooks.example/x"}'
  const webhook = { ...asked, path: '/api/v1/settings/alert.webhook', body: named }
  assert.equal((await web.ask(webhook)).status, 400)
  const logFile = { ...asked, path: '/api/v1/settings/log-file', body: '{"value":"/tmp/x"}' }
  assert.equal((await web.ask({ ...logFile, token: admin })).json['code'], 'SETTING_LOCAL')
  const removed = { method: 'DELETE', path: asked.path }
  assert.equal((await web.ask({ ...removed, token: admin })).status, 403)
  assert.equal((await web.ask(removed)).status, 200)
  assert.deepEqual((await web.ask({ method: 'POST', path: '/api/v1/alerts/test' })).json, { outlets: [] })
  assert.deepEqual((await web.ask({ path: '/api/v1/alerts', token: admin })).json, { alerts: [] })
})
