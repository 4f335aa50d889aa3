/** Whose token is revoked gets no further byte, and none of his is taken: what was under way ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connect2 } from 'node:http2'
import test, { type TestContext } from 'node:test'
import { eventually as within } from '../../test/peer-fixture.ts'
import { type WebFaceFixture, startFixture } from './web-face.fixture.ts'

const size = 32 * 2 ** 20

/** A loaded machine takes its time. */
const eventually = (what: string, holds: () => boolean): Promise<void> => within(what, holds, 60_000)

async function withBig(t: TestContext): Promise<WebFaceFixture> {
  const web = await startFixture(t)
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < size; at += 2 ** 20) yield new Uint8Array(2 ** 20).fill(at >>> 20)
  }
  await web.peer.files.put('files/big', source())
  return web
}

interface Caller {
  token: string
  id: string
}

async function caller({ peer }: WebFaceFixture, scope: 'read' | 'write'): Promise<Caller> {
  return peer.tokens.create({ name: 'test', scopes: [scope] })
}

async function send(t: TestContext, { face }: WebFaceFixture, head: string, by: Caller): Promise<Socket> {
  const socket = connect(face.port, '127.0.0.1').on('error', () => undefined)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  socket.write(`${head}\r\nhost: localhost\r\nauthorization: Bearer ${by.token}\r\n\r\n`)
  return socket
}

test('a download ends, of HTTP/1 and HTTP/2, and another caller’s goes on', async (t) => {
  const web = await withBig(t)
  const [gone, stays] = [await caller(web, 'read'), await caller(web, 'read')]
  const head = 'GET /files/files/big HTTP/1.1'
  const [cut, whole] = [await send(t, web, head, gone), await send(t, web, head, stays)]
  const session = connect2(`https://127.0.0.1:${web.face.port}`, { rejectUnauthorized: false })
  t.after(() => session.destroy())
  session.on('error', () => undefined)
  const stream = session.request({ ':path': '/files/files/big', authorization: `Bearer ${gone.token}` })
  let failed = false
  stream.on('error', () => (failed = true))
  await Promise.all([once(cut, 'readable'), once(whole, 'readable'), once(stream, 'response')])
  // Nobody reads on: both are in the middle.
  const read = new Map<Socket | typeof stream, number>()
  await web.peer.tokens.revoke(gone.id)
  const closed = new Set<Socket>()
  for (const socket of [cut, whole]) {
    socket.on('close', () => closed.add(socket))
    socket.on('data', (part: Buffer) => read.set(socket, (read.get(socket) ?? 0) + part.length))
  }
  stream.on('data', (part: Buffer) => read.set(stream, (read.get(stream) ?? 0) + part.length))
  await eventually('the download is cut', () => closed.has(cut))
  await eventually('the stream is reset', () => stream.destroyed)
  assert.ok((read.get(cut) ?? 0) < size, `${read.get(cut)} bytes came`)
  assert.ok((read.get(stream) ?? 0) < size, `${read.get(stream)} bytes came`)
  assert.ok(failed || stream.aborted || stream.rstCode !== 0, `as if whole: ${stream.rstCode}`)
  await eventually('the other one is whole', () => (read.get(whole) ?? 0) > size)
  assert.equal((await web.ask({ path: '/files/files/big', token: gone.token })).status, 401)
})

for (const head of [
  'PUT /files/files/new HTTP/1.1\r\ncontent-length: 20',
  'PUT /dav/files/new HTTP/1.1\r\ncontent-length: 20',
])
  test(`an upload ends and is refused: ${head.split(' HTTP')[0]}`, async (t) => {
    const web = await startFixture(t)
    const by = await caller(web, 'write')
    const socket = await send(t, web, head, by)
    let closed = false
    let answer = ''
    socket.on('close', () => (closed = true)).on('data', (part: Buffer) => (answer += part.toString()))
    socket.write('0123456789')
    const lastUsed = () => web.peer.tokens.list().find(({ id }) => id === by.id)?.lastUsed
    await eventually('it is let in', () => lastUsed() !== undefined)
    await web.peer.tokens.revoke(by.id)
    await eventually('it is cut', () => closed)
    assert.match(answer, /^(HTTP\/1\.1 401 .*"code":"NOT_SIGNED_IN")?/s)
    assert.equal(web.peer.files.has('files/new'), false)
    await web.requireAlive()
  })

test('who ends his own session still hears that it has ended', async (t) => {
  const web = await startFixture(t)
  const { id, token } = await web.peer.tokens.create({ name: 'own', scopes: ['admin'] })
  const { status } = await web.ask({ method: 'DELETE', path: `/api/v1/tokens/${id}`, token })
  assert.equal(status, 204)
  assert.equal((await web.ask({ path: '/api/v1/status', token })).status, 401)
})
