/** `/files/…` through a real server: the scenarios of docs/API.md. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { entityTag } from './conditions.ts'
import { type Asked, startFixture } from './web-face.fixture.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64')

test('a file comes back as it went in', async (t) => {
  const web = await startFixture(t)
  const content = randomBytes(3_000_000)
  const put = await web.ask({
    method: 'PUT',
    path: '/files/files/photos/k%C3%A4tzchen%20%23%3F.jpg',
    body: content,
    headers: {
      'content-type': 'image/jpeg',
      'content-digest': `md5=:AAAA:, sha-256=:${sha256(content)}:`,
      'peerstor-mode': '0640',
      'peerstor-modified': '1700000000123',
    },
  })
  assert.equal(put.status, 201)
  assert.equal(put.json['path'], 'files/photos/kätzchen #?.jpg')
  assert.equal(put.json['size'], content.length)
  assert.equal(put.json['copies'], 1)
  for (const key of ['hash', 'version']) assert.match(String(put.json[key]), /^[0-9a-f]{64}$/)

  const path = '/files/files/photos/k%C3%A4tzchen%20%23%3F.jpg'
  const got = await web.ask({ path })
  assert.equal(got.status, 200)
  assert.ok(got.body.equals(content))
  assert.equal(got.headers['content-length'], String(content.length))
  assert.equal(got.headers['etag'], entityTag(String(put.json['hash'])))
  assert.equal(got.headers['peerstor-version'], put.json['version'])
  assert.equal(got.headers['content-digest'], `sha-256=:${sha256(content)}:`)
  assert.equal(got.headers['content-type'], 'image/jpeg')
  assert.equal(got.headers['x-content-type-options'], 'nosniff')
  assert.match(String(got.headers['content-security-policy']), /^sandbox;/)
  assert.equal(
    got.headers['content-disposition'],
    `attachment; filename="k_tzchen #?.jpg"; filename*=UTF-8''k%C3%A4tzchen%20%23%3F.jpg`,
  )
  assert.equal(got.headers['peerstor-mode'], '0640')
  assert.equal(got.headers['peerstor-modified'], '1700000000123')
  assert.equal(got.headers['peerstor-hash'], put.json['hash'])

  const head = await web.ask({ method: 'HEAD', path })
  assert.equal(head.status, 200)
  assert.equal(head.body.length, 0)
  assert.equal(head.headers['content-length'], String(content.length))

  const range = await web.ask({ path, headers: { range: 'bytes=1000000-1999999' } })
  assert.equal(range.status, 206)
  assert.equal(range.headers['content-range'], `bytes 1000000-1999999/${content.length}`)
  assert.ok(range.body.equals(content.subarray(1_000_000, 2_000_000)))
  const tail = await web.ask({ path, headers: { range: 'bytes=-5' } })
  assert.ok(tail.body.equals(content.subarray(-5)))
})

test('an empty file', async (t) => {
  const web = await startFixture(t)
  const put = await web.ask({ method: 'PUT', path: '/files/files/empty', body: '' })
  assert.equal(put.status, 201)
  const got = await web.ask({ path: '/files/files/empty' })
  assert.equal(got.status, 200)
  assert.equal(got.headers['content-length'], '0')
  assert.equal((await web.ask({ path: '/files/files/empty', headers: { range: 'bytes=0-' } })).status, 416)
})

interface Scenario extends Asked {
  name: string
  status: number
  content?: RegExp
}

test('scenarios', async (t) => {
  const web = await startFixture(t)
  const body = 'hello world'
  const put = await web.ask({ method: 'PUT', path: '/files/files/a.txt', body })
  const version = String(put.json['version'])
  const tag = entityTag(String(put.json['hash']))
  const scenarios: Scenario[] = [
    { name: 'not there', path: '/files/files/none', status: 404, content: /"code":"NOT_FOUND"/ },
    { name: 'no such folder', path: '/files/nowhere/a', status: 404 },
    { name: 'unchanged', path: '/files/files/a.txt', headers: { 'if-none-match': tag }, status: 304 },
    { name: 'changed', path: '/files/files/a.txt', headers: { 'if-none-match': '"x"' }, status: 200 },
    { name: 'an old version by name', path: `/files/files/a.txt?version=${version}`, status: 200 },
    { name: 'a version that is none', path: '/files/files/a.txt?version=zz', status: 400 },
    { name: 'an unknown parameter', path: '/files/files/a.txt?verison=1', status: 400 },
    { name: 'range past the end', path: '/files/files/a.txt', headers: { range: 'bytes=11-' }, status: 416 },
    {
      name: 'range if unchanged',
      path: '/files/files/a.txt',
      headers: { range: 'bytes=0-4', 'if-range': tag },
      status: 206,
      content: /^hello$/,
    },
    {
      name: 'range if changed',
      path: '/files/files/a.txt',
      headers: { range: 'bytes=0-4', 'if-range': '"x"' },
      status: 200,
      content: /^hello world$/,
    },
    {
      name: 'several ranges',
      path: '/files/files/a.txt',
      headers: { range: 'bytes=0-1,3-4' },
      status: 206,
      content:
        /^\r\n--(\w+)\r\n[^]*range: bytes 0-1\/11\r\n\r\nhe\r\n--\1\r\n[^]*3-4\/11\r\n\r\nlo\r\n--\1--\r\n$/,
    },
    { name: 'if it is this', path: '/files/files/a.txt', headers: { 'if-match': tag }, status: 200 },
    { name: 'if it is another', path: '/files/files/a.txt', headers: { 'if-match': '"x"' }, status: 412 },
    {
      name: 'create where something is',
      method: 'PUT',
      path: '/files/files/a.txt',
      body,
      headers: { 'if-none-match': '*' },
      status: 412,
    },
    {
      name: 'replace what is not there',
      method: 'PUT',
      path: '/files/files/b.txt',
      body,
      headers: { 'if-match': tag },
      status: 412,
    },
    {
      name: 'replace another version',
      method: 'PUT',
      path: '/files/files/a.txt',
      body,
      headers: { 'if-match': '"x"' },
      status: 412,
    },
    {
      name: 'a wrong digest',
      method: 'PUT',
      path: '/files/files/bad',
      body,
      headers: { 'content-digest': `sha-256=:${sha256(Buffer.from('x'))}:` },
      status: 400,
      content: /DIGEST_MISMATCH/,
    },
    { name: 'nothing of it was kept', path: '/files/files/bad', status: 404 },
    {
      name: 'a bad mode',
      method: 'PUT',
      path: '/files/files/c',
      body,
      headers: { 'peerstor-mode': '99' },
      status: 400,
    },
    { name: 'a bad durability', method: 'PUT', path: '/files/files/c?durability=0', body, status: 400 },
    {
      name: 'no file in a folder',
      method: 'PUT',
      path: '/files/files',
      body,
      status: 409,
      content: /IS_FOLDER/,
    },
    {
      name: 'a name with a parent',
      method: 'PUT',
      path: '/files/files/%2e%2e/c',
      body,
      status: 400,
      content: /BAD_PATH/,
    },
    { name: 'a method that is none', method: 'POST', path: '/files/files/a.txt', body, status: 405 },
    {
      name: 'delete another version',
      method: 'DELETE',
      path: '/files/files/a.txt',
      headers: { 'if-match': '"x"' },
      status: 412,
    },
    {
      name: 'replace this version',
      method: 'PUT',
      path: '/files/files/a.txt',
      body: 'new',
      headers: { 'if-match': tag },
      status: 200,
    },
    { name: 'it is replaced', path: '/files/files/a.txt', status: 200, content: /^new$/ },
    { name: 'delete', method: 'DELETE', path: '/files/files/a.txt', status: 200, content: /"removed":1/ },
    { name: 'deleted', path: '/files/files/a.txt', status: 404 },
    { name: 'delete again', method: 'DELETE', path: '/files/files/a.txt', status: 404 },
  ]
  for (const { name, status, content, ...asked } of scenarios) {
    const answer = await web.ask(asked)
    assert.equal(answer.status, status, `${name}: ${answer.text.slice(0, 300)}`)
    if (content !== undefined) assert.match(answer.text, content, name)
    if (status >= 400 && asked.method !== 'HEAD') {
      assert.equal(answer.headers['content-type'], 'application/problem+json', name)
      for (const key of ['code', 'next', 'title', 'detail'])
        assert.equal(typeof answer.json[key], 'string', name)
    }
  }
})

test('text is encoded where the client takes it; each form has a tag of its own', async (t) => {
  const web = await startFixture(t)
  const content = Buffer.from('all work and no play makes a dull day\n'.repeat(5000))
  const path = '/files/files/long.txt'
  const put = await web.ask({ method: 'PUT', path, body: content })
  const open = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }
  for (const encoding of ['gzip', 'br', 'zstd'] as const) {
    const got = await web.ask({ path, headers: { 'accept-encoding': `${encoding}, identity;q=0.5` } })
    assert.equal(got.headers['content-encoding'], encoding)
    assert.equal(got.headers['etag'], entityTag(String(put.json['hash']), encoding))
    assert.equal(got.headers['vary'], 'accept-encoding')
    assert.ok(got.body.length < content.length / 10)
    assert.ok(open[encoding](got.body).equals(content), encoding)
    const again = { 'accept-encoding': encoding, 'if-none-match': got.headers['etag'] ?? '' }
    assert.equal((await web.ask({ path, headers: again })).status, 304)
  }
  const plain = async (headers: Record<string, string>, at = path): Promise<void> => {
    const got = await web.ask({ path: at, headers })
    assert.equal(got.headers['content-encoding'], undefined, JSON.stringify(headers))
  }
  await plain({})
  await plain({ 'accept-encoding': 'gzip;q=0, br;q=0' })
  await plain({ 'accept-encoding': 'gzip', range: 'bytes=0-9' })
  await web.ask({ method: 'PUT', path: '/files/files/a.jpg', body: content })
  await plain({ 'accept-encoding': 'gzip' }, '/files/files/a.jpg')
  await web.ask({ method: 'PUT', path: '/files/files/short.txt', body: 'short' })
  await plain({ 'accept-encoding': 'gzip' }, '/files/files/short.txt')
})

test('ranges of a large file in one answer of known length', async (t) => {
  const web = await startFixture(t)
  const content = randomBytes(3_000_000)
  await web.ask({ method: 'PUT', path: '/files/files/r.bin', body: content })
  const got = await web.ask({
    path: '/files/files/r.bin',
    headers: { range: 'bytes=-7,1000000-1999999,0-3' },
  })
  assert.equal(got.status, 206)
  assert.equal(got.headers['content-length'], String(got.body.length))
  const [, boundary = ''] = /boundary=(\w+)$/.exec(String(got.headers['content-type'])) ?? []
  const parts = got.body.toString('latin1').split(`\r\n--${boundary}`).slice(1, -1)
  const wanted = [content.subarray(-7), content.subarray(1_000_000, 2_000_000), content.subarray(0, 4)]
  assert.deepEqual(
    parts.map((part) => part.slice(part.indexOf('\r\n\r\n') + 4)),
    wanted.map((bytes) => bytes.toString('latin1')),
  )
})

test('a digest is told behind the content where it is asked for', async (t) => {
  const web = await startFixture(t)
  const content = randomBytes(300_000)
  await web.ask({ method: 'PUT', path: '/files/files/d', body: content })
  const headers = { te: 'trailers', 'want-content-digest': 'md5=9, sha-512=1, sha-256=5' }
  const whole = await web.ask({ path: '/files/files/d', headers })
  assert.equal(whole.trailers['content-digest'], `sha-256=:${sha256(content)}:`)
  const part = await web.ask({ path: '/files/files/d', headers: { ...headers, range: 'bytes=5-99' } })
  assert.equal(part.trailers['content-digest'], `sha-256=:${sha256(content.subarray(5, 100))}:`)
})

test('a file that cannot fit is refused before its first byte', async (t) => {
  const web = await startFixture(t, { contribute: 64 * 2 ** 20 })
  const answer = await web.raw(
    `PUT /files/files/huge HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${web.token}\r\n` +
      `expect: 100-continue\r\ncontent-length: ${2 ** 40}\r\n\r\n`,
  )
  assert.match(answer, /^HTTP\/1\.1 507 /)
  assert.doesNotMatch(answer, /100 Continue/)
  await web.requireAlive()
})

test('an upload that is cut leaves nothing', async (t) => {
  const web = await startFixture(t)
  const head =
    `PUT /files/files/cut HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${web.token}\r\n` +
    'content-length: 1000000\r\n\r\n'
  const { connect } = await import('node:net')
  const { once } = await import('node:events')
  const socket = connect(web.face.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(head + 'x'.repeat(100_000))
  await web.requireAlive()
  socket.destroy()
  await once(socket, 'close')
  assert.equal((await web.ask({ path: '/files/files/cut' })).status, 404)
})

/** Turns bits of every segment that the peer on `home` wrote. */
async function damageSegments(home: string): Promise<void> {
  const folder = join(home, 'segments')
  for (const name of await readdir(folder)) {
    const file = await open(join(folder, name), 'r+')
    try {
      const { size } = await file.stat()
      const { buffer } = await file.read(Buffer.alloc(64), 0, 64, Math.floor(size / 2))
      await file.write(
        buffer.map((byte) => byte ^ 0xff),
        0,
        64,
        Math.floor(size / 2),
      )
    } finally {
      await file.close()
    }
  }
}

test('a file whose first chunk is damaged answers with the error, not with half a file', async (t) => {
  const web = await startFixture(t)
  const put = await web.ask({ method: 'PUT', path: '/files/files/a', body: randomBytes(200_000) })
  assert.equal(put.status, 201)
  await damageSegments(web.peer.home)
  const got = await web.ask({ path: '/files/files/a', headers: { te: 'trailers' } })
  assert.equal(got.status, 503)
  assert.equal(got.json['code'], 'CHUNK_UNAVAILABLE')
  for (const name of ['etag', 'peerstor-hash', 'content-disposition', 'trailer'])
    assert.equal(got.headers[name], undefined, name)
})
