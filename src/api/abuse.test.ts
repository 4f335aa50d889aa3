/** Requests that are no requests: the peer answers or hangs up, and goes on. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { once } from 'node:events'
import test from 'node:test'
import { startFixture } from './web-face.fixture.ts'

test('malformed bytes get an error and the peer lives', async (t) => {
  const web = await startFixture(t)
  const auth = `authorization: Bearer ${web.token}\r\n`
  const cases: [string, string, RegExp][] = [
    ['noise', '\u0000\u0001\u0002\r\n\r\n', /^HTTP\/1\.1 400/],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400/],
    ['no host in 1.0', 'GET /health HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 421/],
    [
      'two hosts',
      'GET /health HTTP/1.1\r\nhost: localhost\r\nhost: evil.test\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 (400|200)/,
    ],
    [
      'a whole address',
      'GET http://evil.test/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 400/,
    ],
    ['a star', 'GET * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 400/],
    ['CONNECT', 'CONNECT evil.test:443 HTTP/1.1\r\nhost: localhost\r\n\r\n', /^$|^HTTP\/1\.1 4/],
    ['TRACE', 'TRACE /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 405/],
    [
      'two lengths',
      'PUT /files/files/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx',
      /^HTTP\/1\.1 400/,
    ],
    [
      'length and chunks',
      'PUT /files/files/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400/,
    ],
    [
      'bad chunks',
      `PUT /files/files/a HTTP/1.1\r\nhost: localhost\r\n${auth}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      /^(HTTP\/1\.1 4.*)?$/s,
    ],
    [
      'expect something else',
      `PUT /files/files/a HTTP/1.1\r\nhost: localhost\r\n${auth}expect: tea\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      /^HTTP\/1\.1 417/,
    ],
    [
      'huge headers',
      `GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(1_000_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431|^$/,
    ],
    [
      '__proto__ headers',
      'GET /health HTTP/1.1\r\nhost: localhost\r\n__proto__: x\r\nconstructor: y\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 200/,
    ],
    [
      '__proto__ as parameter',
      `GET /api/v1/list?__proto__=1&constructor=2 HTTP/1.1\r\nhost: localhost\r\n${auth}connection: close\r\n\r\n`,
      /^HTTP\/1\.1 400/,
    ],
    [
      '__proto__ as asset',
      'GET /__proto__ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 404/,
    ],
    [
      'an upgrade to nothing',
      'GET /events HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n',
      /^HTTP\/1\.1 4/,
    ],
  ]
  for (const [name, bytes, expected] of cases) {
    assert.match(await web.raw(Buffer.from(bytes, 'latin1')), expected, name)
    await web.requireAlive()
  }
})

test('JSON that is too large, too deep or of the wrong form is refused', async (t) => {
  const web = await startFixture(t)
  const post = (body: string) => web.ask({ method: 'POST', path: '/api/v1/folders', body })
  const cases: [string, string, number][] = [
    ['too large', `{"name":"${'a'.repeat(2 * 2 ** 20)}"}`, 413],
    ['too deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400],
    ['no JSON', '{', 400],
    ['a list', '[]', 400],
    ['null', 'null', 400],
    ['another key', '{"name":"x","admin":true}', 400],
    ['__proto__', '{"__proto__":{"name":"x"}}', 400],
    ['a long name', `{"name":"${'a'.repeat(300)}"}`, 400],
    ['a line break', '{"name":"a\\nb"}', 400],
  ]
  for (const [name, body, status] of cases) {
    const answer = await post(body)
    assert.equal(answer.status, status, `${name}: ${answer.text.slice(0, 200)}`)
  }
  await web.requireAlive()
})

test('slow and silent sockets do not keep others out', async (t) => {
  const web = await startFixture(t)
  const sockets = Array.from({ length: 300 }, () => connect(web.face.port, '127.0.0.1'))
  for (const socket of sockets) socket.on('error', () => undefined)
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (const socket of sockets) socket.write('GET /health HTTP/1.1\r\nx')
  await web.requireAlive()
  for (const socket of sockets) socket.destroy()
})

test('a client that goes away in the middle of anything harms nobody', async (t) => {
  const web = await startFixture(t)
  await web.ask({ method: 'PUT', path: '/files/files/big', body: Buffer.alloc(8_000_000) })
  const auth = `host: localhost\r\nauthorization: Bearer ${web.token}\r\n`
  const begun = [
    `GET /files/files/big HTTP/1.1\r\n${auth}\r\n`,
    `PUT /files/files/x HTTP/1.1\r\n${auth}content-length: 100000\r\n\r\nabc`,
    `POST /api/v1/batch HTTP/1.1\r\n${auth}transfer-encoding: chunked\r\n\r\n4\r\n\u0000\u0000\u0001\u0000\r\n`,
    `POST /api/v1/join HTTP/1.1\r\n${auth}content-length: 100\r\n\r\n{`,
    `GET /events HTTP/1.1\r\n${auth}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  ]
  for (const bytes of begun)
    for (const end of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const socket = connect(web.face.port, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      await new Promise((resolve) => socket.write(bytes, resolve))
      await web.requireAlive()
      socket[end]()
      socket.resume()
      if (end !== 'end') await once(socket, 'close')
      else socket.destroy()
    }
  await web.requireAlive()
})

test('no secret stands in a log line or an error', async (t) => {
  const web = await startFixture(t, { log: 'debug' })
  const token = await web.tokenWith(['read'])
  const secrets = [web.token, token]
  const answers = [
    await web.ask({ path: `/files/files/${token}x`, token }),
    await web.ask({ method: 'PUT', path: '/files/files/a', token }),
    await web.ask({
      method: 'POST',
      path: '/api/v1/sessions',
      token: null,
      body: JSON.stringify({ token }),
    }),
    await web.ask({
      method: 'POST',
      path: '/api/v1/sessions',
      token: null,
      body: JSON.stringify({ token: [web.token] }),
    }),
    await web.ask({ path: '/api/v1/tokens' }),
    await web.ask({ path: '/api/v1/status' }),
    await web.ask({ path: '/metrics' }),
    await web.ask({ path: '/api/v1/settings' }),
  ]
  const [named, ...others] = answers
  // Who puts a token into a path gets that path back, and nothing else of it is kept.
  assert.equal(named?.status, 404)
  for (const secret of secrets) {
    for (const { text, headers } of others) assert.ok(!`${text}${JSON.stringify(headers)}`.includes(secret))
    for (const line of web.logged) assert.ok(!line.includes(secret), line)
  }
})
