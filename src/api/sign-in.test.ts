/** Signing in by link and by password, sessions, and that whoever is signed out stops listening. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { WebSocket } from 'ws'
import { type Answer, startFixture, type WebFaceFixture } from './web-face.fixture.ts'

const password = 'correct horse battery'

function signIn(
  web: WebFaceFixture,
  shown: object,
  headers: Record<string, string> = {},
): Promise<Answer & { cookie: string }> {
  const body = JSON.stringify(shown)
  return web
    .ask({ method: 'POST', path: '/api/v1/sessions', token: null, body, headers })
    .then((answer) => ({ ...answer, cookie: answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '' }))
}

const setPassword = (web: WebFaceFixture, text: string): Promise<Answer> =>
  web.ask({ method: 'PUT', path: '/api/v1/password', body: JSON.stringify({ password: text }) })

const statusWith = async (web: WebFaceFixture, cookie: string): Promise<number> =>
  (await web.ask({ path: '/api/v1/status', token: null, headers: { cookie } })).status

/** An open socket, and what it is closed with. */
async function listen(
  web: WebFaceFixture,
  headers: Record<string, string>,
): Promise<{ closed: Promise<number>; socket: WebSocket }> {
  const socket = new WebSocket(`ws://127.0.0.1:${web.face.port}/events`, { headers })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  return { closed, socket }
}

test('a socket ends with the token or session that opened it, and no other does', async (t) => {
  const web = await startFixture(t)
  const made = await web.peer.tokens.create({ name: 'a', scopes: ['read'] })
  const kept = await web.tokenWith(['read'])
  const { cookie } = await signIn(web, { token: web.token })
  const byToken = await listen(web, { authorization: `Bearer ${made.token}` })
  const other = await listen(web, { authorization: `Bearer ${kept}` })
  const bySession = await listen(web, { cookie })
  assert.equal((await web.ask({ method: 'DELETE', path: `/api/v1/tokens/${made.id}` })).status, 204)
  assert.equal(await byToken.closed, 1008)
  const out = { method: 'DELETE', path: '/api/v1/sessions/current', token: null, headers: { cookie } }
  assert.equal((await web.ask(out)).status, 204)
  assert.equal(await bySession.closed, 1008)
  assert.equal(other.socket.readyState, WebSocket.OPEN)
  other.socket.terminate()
})

test('a ticket of a token that was revoked opens nothing', async (t) => {
  const web = await startFixture(t)
  const { id, token } = await web.peer.tokens.create({ name: 'a', scopes: ['read'] })
  const { json } = await web.ask({ method: 'POST', path: '/api/v1/events/tickets', token })
  await web.peer.tokens.revoke(id)
  const socket = new WebSocket(`ws://127.0.0.1:${web.face.port}/events?ticket=${String(json['ticket'])}`)
  const status = await new Promise((resolve) =>
    socket.on('error', () => undefined).on('unexpected-response', (_, { statusCode }) => resolve(statusCode)),
  )
  assert.equal(status, 401)
})

test('sessions are listed and end one by one', async (t) => {
  const web = await startFixture(t)
  const first = await signIn(web, { token: web.token }, { 'user-agent': 'first' })
  const second = await signIn(web, { token: web.token }, { 'user-agent': 'second' })
  const list = await web.ask({ path: '/api/v1/sessions', token: null, headers: { cookie: first.cookie } })
  const sessions = list.json['sessions'] as { id: string; agent: string; by: string; current: boolean }[]
  assert.deepEqual(sessions.map(({ agent, by, current }) => `${agent} by ${by} ${current}`).toSorted(), [
    'first by link true',
    'second by link false',
  ])
  const { id = '' } = sessions.find(({ agent }) => agent === 'second') ?? {}
  await web.ask({ method: 'DELETE', path: `/api/v1/sessions/${id}` })
  assert.equal(await statusWith(web, second.cookie), 401)
  assert.equal(await statusWith(web, first.cookie), 200)
})

test('a password signs in once it is set, and its sessions end when it changes', async (t) => {
  const web = await startFixture(t)
  assert.equal((await signIn(web, { password })).status, 401)
  assert.equal((await setPassword(web, 'short')).status, 400)
  assert.equal((await setPassword(web, password)).status, 204)
  assert.deepEqual((await web.ask({ path: '/api/v1/password' })).json, { set: true })
  const { status, cookie } = await signIn(web, { password })
  assert.equal(status, 201)
  const link = await signIn(web, { token: web.token })
  assert.equal(await statusWith(web, cookie), 200)
  assert.equal((await signIn(web, { password: `${password}!` })).status, 401)
  await setPassword(web, 'another password')
  assert.equal(await statusWith(web, cookie), 401)
  assert.equal(await statusWith(web, link.cookie), 200, 'the link opened it')
  assert.equal((await signIn(web, { password })).status, 401)
  assert.equal((await web.ask({ method: 'DELETE', path: '/api/v1/password' })).status, 204)
  assert.equal((await signIn(web, { password: 'another password' })).status, 401)

  assert.equal(web.logged.join().includes(password), false)
  for (const line of await readdir(web.peer.home, { recursive: true, withFileTypes: true }))
    if (line.isFile()) {
      const content = await readFile(join(line.parentPath, line.name))
      assert.equal(content.includes(password), false, line.name)
    }
})

test('guessing passwords is slowed for each address, where even the right one then waits', async (t) => {
  const web = await startFixture(t, { 'trust-proxy': true })
  await setPassword(web, password)
  const from = (address: string) => ({ 'x-forwarded-for': `10.0.0.1, ${address}` })
  const tried: number[] = []
  for (let tries = 0; tries < 12; tries += 1)
    tried.push((await signIn(web, { password: `wrong ${tries}` }, from('192.0.2.1'))).status)
  assert.deepEqual(tried, [...Array.from({ length: 10 }, () => 401), 429, 429])
  assert.equal((await signIn(web, { password }, from('192.0.2.1'))).status, 429)
  assert.equal((await signIn(web, { password }, from('192.0.2.2'))).status, 201)
  assert.equal((await signIn(web, { token: web.token }, from('192.0.2.1'))).status, 201, 'the link works')
})
