/** What a web page of another origin, or a name that was pointed here, may make a browser do: nothing. */
import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import test from 'node:test'
import { WebSocket } from 'ws'
import { type WebFaceFixture, startFixture } from './web-face.fixture.ts'

test('only names of this peer are answered', async (t) => {
  const web = await startFixture(t, { name: 'Laptop' })
  const { port } = web.face
  const own = [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    'localhost',
    'LOCALHOST:1',
    'localhost.',
    '192.168.1.20:8080',
    '[::1]:80',
    `${hostname()}:8080`,
    'laptop.local',
  ]
  const foreign = [
    'evil.test',
    `evil.test:${port}`,
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    '127.0.0.1@evil.test',
    'evil.test#localhost',
    '[::1',
    ' ',
    'a'.repeat(300),
  ]
  for (const host of own) assert.equal((await askFor(web, host)).status, 200, host)
  for (const host of foreign)
    for (const path of ['/health', '/', '/api/v1/status', '/files/files/a']) {
      const answer = await askFor(web, host, path)
      assert.equal(answer.status, 421, `${host} ${path}`)
      assert.equal(answer.json['code'], 'HOST_REFUSED')
    }
})

const askFor = (web: WebFaceFixture, host: string, path = '/health') => web.ask({ path, headers: { host } })

test('a public name is one of this peer when it is set', async (t) => {
  const web = await startFixture(t, { 'public-url': 'https://files.example.org' })
  assert.equal((await askFor(web, 'files.example.org')).status, 200)
  assert.equal((await askFor(web, 'example.org')).status, 421)
})

test('changes from other sites are refused, whatever else they show', async (t) => {
  const web = await startFixture(t)
  const host = `127.0.0.1:${web.face.port}`
  const good: Record<string, string>[] = [
    {},
    { origin: `http://${host}` },
    { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
  ]
  const bad: Record<string, string>[] = [
    { origin: 'http://evil.test' },
    { origin: 'null' },
    { origin: `https://${host}` },
    { origin: `http://${host}.evil.test` },
    { origin: 'http://127.0.0.1:1' },
    { origin: 'http://localhost' },
    { origin: '' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'http://evil.test', 'sec-fetch-site': 'same-origin' },
  ]
  const put = (headers: Record<string, string>) =>
    web.ask({ method: 'PUT', path: '/files/files/a', body: 'x', headers: { host, ...headers } })
  for (const headers of good)
    assert.ok([200, 201].includes((await put(headers)).status), JSON.stringify(headers))
  for (const headers of bad) {
    for (const [method, path] of [
      ['PUT', '/files/files/evil'],
      ['DELETE', '/files/files/a'],
      ['POST', '/api/v1/invites'],
      ['POST', '/api/v1/sessions'],
      ['PATCH', '/api/v1/files/files/a'],
    ] as const) {
      const answer = await web.ask({ method, path, headers: { host, ...headers } })
      assert.equal(answer.status, 403, `${method} ${path} ${JSON.stringify(headers)}`)
      assert.equal(answer.json['code'], 'ORIGIN_REFUSED')
    }
  }
  assert.equal((await web.ask({ path: '/files/files/a' })).text, 'x')
  assert.equal((await web.ask({ path: '/files/files/evil' })).status, 404)
})

test('no answer can be read or framed by another site', async (t) => {
  const web = await startFixture(t)
  for (const path of ['/', '/health', '/api/v1/status', '/files/files/none', '/nothing']) {
    const { headers } = await web.ask({ path, headers: { origin: 'http://evil.test' } })
    assert.equal(headers['access-control-allow-origin'], undefined, path)
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin', path)
    assert.equal(headers['referrer-policy'], 'no-referrer', path)
    assert.equal(headers['x-content-type-options'], 'nosniff', path)
    assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/, path)
    assert.doesNotMatch(String(headers['content-security-policy']), /unsafe/, path)
    assert.equal(headers['strict-transport-security'], undefined, path)
  }
})

test('behind a trusted proxy, https counts; without trust its headers do not', async (t) => {
  const trusting = await startFixture(t, { 'trust-proxy': true, 'public-url': 'https://files.example.org' })
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'files.example.org' }
  const { headers } = await trusting.ask({ path: '/health', headers: forwarded })
  assert.match(String(headers['strict-transport-security']), /max-age/)
  const plain = await startFixture(t)
  const answer = await plain.ask({ path: '/health', headers: { ...forwarded, host: 'files.example.org' } })
  assert.equal(answer.status, 421)
})

test('the setting cors lets one origin in, by token', async (t) => {
  const web = await startFixture(t, { cors: ['https://app.example.org'] })
  const headers = { origin: 'https://app.example.org' }
  const answer = await web.ask({ method: 'PUT', path: '/files/files/a', body: 'x', headers })
  assert.equal(answer.status, 201)
  assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example.org')
  assert.equal(answer.headers['access-control-allow-credentials'], undefined)
  const preflight = await web.ask({ method: 'OPTIONS', path: '/files/files/a', headers, token: null })
  assert.equal(preflight.status, 204)
  const other = await web.ask({ path: '/health', headers: { origin: 'https://other.example.org' } })
  assert.equal(other.headers['access-control-allow-origin'], undefined)
})

test('WebSockets are opened for the own page and for whoever signs in, for nobody else', async (t) => {
  const web = await startFixture(t)
  const host = `127.0.0.1:${web.face.port}`
  const authorization = `Bearer ${web.token}`
  const ticket = async (): Promise<string> =>
    String((await web.ask({ method: 'POST', path: '/api/v1/events/tickets' })).json['ticket'])
  const once = await ticket()
  const cells: [string, string, Record<string, string>, number][] = [
    ['signed in', '/events', { authorization }, 101],
    ['from the own page', '/events', { authorization, origin: `http://${host}` }, 101],
    ['by ticket', `/events?ticket=${once}`, {}, 101],
    ['by a used ticket', `/events?ticket=${once}`, {}, 401],
    ['by a wrong ticket', '/events?ticket=x', {}, 401],
    ['not signed in', '/events', {}, 401],
    ['from another site', '/events', { authorization, origin: 'http://evil.test' }, 403],
    ['from a sandbox', `/events?ticket=${await ticket()}`, { origin: 'null' }, 403],
    ['by another name', '/events', { authorization, host: 'evil.test' }, 421],
    ['elsewhere', '/files/files/a', { authorization }, 404],
    ['with a bad number', '/events?since=x', { authorization }, 400],
    ['with a metrics token', '/events', { authorization: `Bearer ${await web.tokenWith(['metrics'])}` }, 403],
  ]
  for (const [name, path, headers, status] of cells)
    assert.equal(await open(web, path, headers), status, name)
  await web.requireAlive()
})

/** The status that an upgrade is answered with. */
function open(web: WebFaceFixture, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${web.face.port}${path}`, { headers })
    socket.on('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.on('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode ?? 0)
    })
    socket.on('error', (error) => reject(error))
  })
}

test('events arrive with numbers, and are repeated after a number', async (t) => {
  const web = await startFixture(t)
  const first = await eventsOf(web, '/events', async () => {
    await web.ask({ method: 'PUT', path: '/files/files/a', body: 'x' })
  })
  assert.equal(first.type, 'files')
  assert.equal(typeof first.seq, 'number')
  assert.ok(first.data !== undefined)
})

function eventsOf(
  web: WebFaceFixture,
  path: string,
  then: () => Promise<void>,
): Promise<{ seq: number; type: string; data: unknown }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${web.face.port}${path}`, {
      headers: { authorization: `Bearer ${web.token}` },
    })
    socket.on('error', reject)
    socket.on('open', () => void then().catch(reject))
    socket.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString()) as { seq: number; type: string; data: unknown }
      if (event.type !== 'files') return
      socket.terminate()
      resolve(event)
    })
  })
}
