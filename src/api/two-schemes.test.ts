/** One port for http and https, HTTP/1 and HTTP/2: the same answers, rules and limits on all of them. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import { temporaryFolder } from '../../test/peer-fixture.ts'
import { systemRandom } from '../base/random.ts'
import { startFixture, type WebFaceFixture } from './web-face.fixture.ts'

interface Answered {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

/** One request over https and HTTP/1.1. */
function askTls(web: WebFaceFixture, method: string, path: string, body?: Uint8Array): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${web.token}` }
    const options = { host: '127.0.0.1', port: web.face.port, rejectUnauthorized: false, agent: false }
    const request = httpsRequest({ ...options, method, path, headers }, (response) => {
      Array.fromAsync(response)
        .then((parts) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts as Buffer[]),
          }),
        )
        .catch(reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** A browser's connection, as far as HTTP/2 goes. */
async function http2Of(web: WebFaceFixture): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://127.0.0.1:${web.face.port}`, { rejectUnauthorized: false })
  await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject))
  return session
}

async function ask2(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body?: Uint8Array,
): Promise<Answered> {
  const stream = session.request(headers)
  stream.end(body)
  const answer = await new Promise<Record<string, string>>((resolve, reject) =>
    stream.once('response', (each) => resolve(each as Record<string, string>)).once('error', reject),
  )
  const parts = (await Array.fromAsync(stream)) as Buffer[]
  return { status: Number(answer[':status']), headers: answer, body: Buffer.concat(parts) }
}

test('the same port answers http and https, with the certificate whose fingerprint is told', async (t) => {
  const web = await startFixture(t)
  const content = systemRandom.bytes(3_000_000)
  assert.equal((await askTls(web, 'PUT', '/files/files/a', content)).status, 201)
  assert.ok((await askTls(web, 'GET', '/files/files/a')).body.equals(content))
  assert.ok((await web.ask({ path: '/files/files/a' })).body.equals(content))
  const { headers } = await askTls(web, 'GET', '/health')
  assert.equal(headers['strict-transport-security'], undefined, 'http works too')

  const { fingerprint } = await web.peer.webCertificate()
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const opened = connectTls({ host: '127.0.0.1', port: web.face.port, rejectUnauthorized: false }, () =>
      resolve(opened),
    )
    opened.on('error', reject)
  })
  assert.equal(socket.getPeerCertificate().fingerprint256, fingerprint)
  socket.destroy()
  const file = join(web.peer.home, 'keys/web.json')
  if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await web.peer.webCertificate()).fingerprint, fingerprint, 'it is kept')
  assert.ok((await readFile(file, 'utf8')).includes('BEGIN PRIVATE KEY'))
})

test('browsers are answered by HTTP/2: files both ways, ranges, many at once, rules as ever', async (t) => {
  const web = await startFixture(t)
  const session = await http2Of(web)
  t.after(() => session.destroy())
  const authorization = `Bearer ${web.token}`
  const content = systemRandom.bytes(4_000_000)
  const put = { ':method': 'PUT', ':path': '/files/files/big', authorization }
  assert.equal((await ask2(session, put, content)).status, 201)
  const get = { ':path': '/files/files/big', authorization }
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask2(session, get)))
  for (const { status, body } of answers) assert.ok(status === 200 && body.equals(content))
  const part = await ask2(session, { ...get, range: 'bytes=1000-1999' })
  assert.deepEqual([part.status, part.body.equals(content.subarray(1000, 2000))], [206, true])
  assert.equal((await ask2(session, { ':path': '/files/files/big' })).status, 401)
  assert.equal((await ask2(session, { ...get, ':authority': 'evil.test' })).status, 421)
  const foreign = {
    ':method': 'DELETE',
    ':path': '/files/files/big',
    authorization,
    origin: 'https://evil.test',
  }
  assert.equal((await ask2(session, foreign)).status, 403)
  const page = await ask2(session, { ':path': '/' })
  assert.equal(page.status, 200)
  assert.match(String(page.headers['content-type']), /text\/html/)
  const signIn = await ask2(
    session,
    { ':method': 'POST', ':path': '/api/v1/sessions', 'content-type': 'application/json' },
    Buffer.from(JSON.stringify({ token: web.token })),
  )
  assert.match(String(signIn.headers['set-cookie']), /^__Host-peerstor=.*; Secure$/)
})

test('whoever goes away in the middle of a download or an upload by HTTP/2 leaves nothing behind', async (t) => {
  const web = await startFixture(t)
  const session = await http2Of(web)
  t.after(() => session.destroy())
  const authorization = `Bearer ${web.token}`
  const content = systemRandom.bytes(8_000_000)
  await web.ask({ method: 'PUT', path: '/files/files/big', body: content })
  const reading = session.request({ ':path': '/files/files/big', authorization })
  await new Promise((resolve) => reading.once('data', resolve))
  reading.destroy()
  const writing = session.request({ ':method': 'PUT', ':path': '/files/files/half', authorization })
  writing.on('error', () => undefined)
  await new Promise((resolve) => writing.write(content.subarray(0, 1_000_000), resolve))
  writing.destroy()
  assert.equal((await ask2(session, { ':path': '/files/files/half', authorization })).status, 404)
  await web.requireAlive()
})

test('WebSockets come over https too', async (t) => {
  const web = await startFixture(t)
  const socket = new WebSocket(`wss://127.0.0.1:${web.face.port}/events`, {
    headers: { authorization: `Bearer ${web.token}` },
    rejectUnauthorized: false,
  })
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  const event = new Promise((resolve) => socket.once('message', resolve))
  await web.ask({ method: 'PUT', path: '/files/files/a', body: 'x' })
  await event
  socket.terminate()
})

test('what is neither TLS nor HTTP ends, and open connections do not hold a stop up', async (t) => {
  const web = await startFixture(t)
  for (const bytes of [
    Buffer.of(0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5),
    Buffer.of(0x16),
    Buffer.of(0),
    Buffer.of(0x13, 0x2f),
  ]) {
    const socket = connectTcp(web.face.port, '127.0.0.1')
    socket.on('error', () => undefined).resume()
    socket.end(bytes)
    await new Promise((resolve) => socket.once('close', resolve))
  }
  await web.requireAlive()
  const session = await http2Of(web)
  session.on('error', () => undefined)
  const closed = new Promise((resolve) => session.once('close', resolve))
  await web.face.close()
  await closed
})

test('an own certificate takes the place of the self-signed one; a wrong one is named', async (t) => {
  const folder = await temporaryFolder(t)
  const made = await (await startFixture(t)).peer.webCertificate()
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(cert, made.certificate)
  await writeFile(key, made.key)
  const web = await startFixture(t, {
    'tls-cert': cert,
    'tls-key': key,
    'public-url': 'https://files.example.org',
  })
  assert.equal((await web.peer.webCertificate()).selfSigned, false)
  const answer = await new Promise<number | undefined>((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: web.face.port,
      ca: made.certificate,
      path: '/health',
      agent: false,
    }
    httpsRequest(options, (response) => {
      assert.match(String(response.headers['strict-transport-security']), /max-age/)
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
  assert.equal(answer, 200)
  await writeFile(key, 'no key')
  await assert.rejects(web.peer.webCertificate(), { code: 'SETTING_INVALID' })
  const half = await startFixture(t, { 'tls-cert': cert })
  await assert.rejects(half.peer.webCertificate(), { code: 'SETTING_INVALID' })
  await half.requireAlive()
})
