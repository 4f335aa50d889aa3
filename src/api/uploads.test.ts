/** `/uploads` by tus 1.0, through a real server. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import test, { type TestContext } from 'node:test'
import { eventually } from '../../test/peer-fixture.ts'
import { type Answer, type Asked, startFixture, type WebFaceFixture } from './web-face.fixture.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const offsetType = 'application/offset+octet-stream'

/** A tus client as thin as can be. */
class Tus {
  readonly web: WebFaceFixture
  constructor(web: WebFaceFixture) {
    this.web = web
  }

  ask(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    more: Partial<Asked> = {},
  ): Promise<Answer> {
    return this.web.ask({ method, path, headers: { 'tus-resumable': '1.0.0', ...headers }, ...more })
  }

  async begin(path: string, size: number, headers: Record<string, string> = {}): Promise<string> {
    const answer = await this.ask('POST', '/uploads', {
      'upload-length': String(size),
      'upload-metadata': `path ${base64(path)}`,
      ...headers,
    })
    assert.equal(answer.status, 201, answer.text)
    return String(answer.headers['location'])
  }

  patch(at: string, offset: number, body: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
    const own = { 'content-type': offsetType, 'upload-offset': String(offset) }
    return this.ask('PATCH', at, { ...own, ...headers }, { body })
  }

  async offset(at: string): Promise<number> {
    const { status, headers } = await this.ask('HEAD', at)
    assert.equal(status, 200)
    return Number(headers['upload-offset'])
  }
}

async function start(t: TestContext): Promise<Tus> {
  return new Tus(await startFixture(t))
}

const used = async ({ web }: Tus): Promise<number> => (await web.peer.quota()).used

test('an upload in many stretches has the chunks of one in one go', async (t) => {
  const tus = await start(t)
  const content = randomBytes(6_000_000)
  const whole = await tus.web.ask({ method: 'PUT', path: '/files/files/whole', body: content })
  const before = await used(tus)
  const at = await tus.begin('files/a/b.bin', content.length, {
    'upload-metadata': `path ${base64('files/a/b.bin')},filetype ${base64('image/png')},modified ${base64('1700000000123')},mode ${base64('416')}`,
  })
  const cuts = [0, 1, 2, 100, 300_000, 300_001, 2_000_000, 2_900_000, 5_999_999, content.length]
  for (const [index, to] of cuts.slice(1).entries()) {
    const from = cuts[index]!
    const answer = await tus.patch(at, from, content.subarray(from, to))
    assert.equal(answer.status, 204, answer.text)
    assert.equal(answer.headers['upload-offset'], String(to))
    assert.equal(answer.headers['tus-resumable'], '1.0.0')
    if (to < content.length) assert.ok(Date.parse(String(answer.headers['upload-expires'])) > Date.now())
    assert.equal(await tus.offset(at), to)
  }
  const got = await tus.web.ask({ path: '/files/files/a/b.bin' })
  assert.ok(got.body.equals(content))
  assert.equal(got.headers['peerstor-hash'], whole.json['hash'])
  assert.equal(got.headers['content-type'], 'image/png')
  assert.equal(got.headers['peerstor-mode'], '0640')
  assert.equal(got.headers['peerstor-modified'], '1700000000123')
  const chunks = async (path: string) =>
    (await tus.web.ask({ path: `/api/v1/files/${path}?chunks=1` })).json['chunks']
  assert.deepEqual(await chunks('files/a/b.bin'), await chunks('files/whole'))
  // Everything was known, and nothing of what was kept on the way is left.
  assert.equal(await used(tus), before)
})

test('what is wrong is refused and changes nothing', async (t) => {
  const tus = await start(t)
  const at = await tus.begin('files/x', 100)
  const bytes = randomBytes(100)
  assert.equal((await tus.patch(at, 0, bytes.subarray(0, 40))).status, 204)
  const cases: [string, Promise<Answer>, number][] = [
    ['a wrong offset', tus.patch(at, 0, bytes), 409],
    ['too far', tus.patch(at, 41, bytes.subarray(41)), 409],
    ['no offset', tus.ask('PATCH', at, { 'content-type': offsetType }, { body: 'x' }), 400],
    ['offset -1', tus.ask('PATCH', at, { 'content-type': offsetType, 'upload-offset': '-1' }), 400],
    ['another type', tus.patch(at, 40, bytes, { 'content-type': 'text/plain' }), 415],
    ['another version', tus.patch(at, 40, bytes, { 'tus-resumable': '0.2.2' }), 412],
    ['no such upload', tus.patch(`/uploads/${'a'.repeat(64)}`, 0, bytes), 404],
    ['encoded separators', tus.patch('/uploads/..%2f..%2fetc', 0, bytes), 400],
    ['another length', tus.patch(at, 40, bytes, { 'upload-length': '50' }), 400],
    ['an unknown checksum', tus.patch(at, 40, bytes, { 'upload-checksum': 'crc32 AAAA' }), 400],
    ['no length', tus.ask('POST', '/uploads', { 'upload-metadata': `path ${base64('files/y')}` }), 400],
    ['no path', tus.ask('POST', '/uploads', { 'upload-length': '1' }), 400],
    [
      'a bad path',
      tus.ask('POST', '/uploads', {
        'upload-length': '1',
        'upload-metadata': `path ${base64('files/../y')}`,
      }),
      400,
    ],
    [
      'no folder',
      tus.ask('POST', '/uploads', { 'upload-length': '1', 'upload-metadata': `path ${base64('none/y')}` }),
      404,
    ],
    ['not Base64', tus.ask('POST', '/uploads', { 'upload-length': '1', 'upload-metadata': 'path ???' }), 400],
    [
      '__proto__',
      tus.ask('POST', '/uploads', { 'upload-length': '1', 'upload-metadata': `__proto__ ${base64('x')}` }),
      400,
    ],
    [
      'more than can be kept',
      tus.ask('POST', '/uploads', {
        'upload-length': String(2 ** 40),
        'upload-metadata': `path ${base64('files/y')}`,
      }),
      507,
    ],
  ]
  for (const [name, asked, status] of cases) {
    const answer = await asked
    assert.equal(answer.status, status, `${name}: ${answer.text}`)
    assert.equal(answer.headers['tus-resumable'], '1.0.0', name)
  }
  assert.equal(await tus.offset(at), 40)
  // More than was announced: what fits counts, the rest is refused.
  assert.equal((await tus.patch(at, 40, Buffer.concat([bytes.subarray(40), bytes]))).status, 413)
  assert.equal(await tus.offset(at), 40)
  assert.equal((await tus.patch(at, 40, bytes.subarray(40))).status, 204)
  assert.ok((await tus.web.ask({ path: '/files/files/x' })).body.equals(bytes))
})

test('options, creation with bytes, a length told later, a method in a header', async (t) => {
  const tus = await start(t)
  const options = await tus.web.ask({ method: 'OPTIONS', path: '/uploads' })
  assert.equal(options.status, 204)
  assert.equal(options.headers['tus-version'], '1.0.0')
  assert.match(
    String(options.headers['tus-extension']),
    /creation-with-upload.*expiration,checksum,termination,concatenation/,
  )
  const bytes = randomBytes(700_000)
  const named = { 'upload-metadata': `folder ${base64('files')},filename ${base64('n.bin')}` }
  const begun = await tus.ask(
    'POST',
    '/uploads',
    { ...named, 'upload-defer-length': '1', 'content-type': offsetType },
    { body: bytes.subarray(0, 500_000) },
  )
  assert.equal(begun.status, 201)
  assert.equal(begun.headers['upload-offset'], '500000')
  const at = String(begun.headers['location'])
  assert.equal((await tus.ask('HEAD', at)).headers['upload-defer-length'], '1')
  const rest = await tus.ask(
    'POST',
    at,
    {
      'x-http-method-override': 'PATCH',
      'content-type': offsetType,
      'upload-offset': '500000',
      'upload-length': '700000',
    },
    { body: bytes.subarray(500_000) },
  )
  assert.equal(rest.status, 204)
  assert.ok((await tus.web.ask({ path: '/files/files/n.bin' })).body.equals(bytes))
  const empty = await tus.begin('files/empty', 0)
  assert.equal(await tus.offset(empty), 0)
  assert.equal((await tus.web.ask({ path: '/files/files/empty' })).status, 200)
})

test('a checksum: all of the bytes or none', async (t) => {
  const tus = await start(t)
  const bytes = randomBytes(3_000_000)
  const sum = (part: Uint8Array) => ({
    'upload-checksum': `sha1 ${createHash('sha1').update(part).digest('base64')}`,
  })
  const at = await tus.begin('files/c', bytes.length)
  const first = bytes.subarray(0, 1_500_000)
  const before = await used(tus)
  assert.equal((await tus.patch(at, 0, first, sum(bytes))).status, 460)
  assert.equal(await tus.offset(at), 0)
  await eventually('the space is given back', async () => (await used(tus)) === before)
  assert.equal((await tus.patch(at, 0, first, sum(first))).status, 204)
  assert.equal((await tus.patch(at, first.length, bytes.subarray(first.length), sum(first))).status, 460)
  assert.equal((await tus.web.ask({ path: '/files/files/c' })).status, 404)
  assert.equal((await tus.patch(at, first.length, bytes.subarray(first.length))).status, 204)
  assert.ok((await tus.web.ask({ path: '/files/files/c' })).body.equals(bytes))
})

test('an upload that is given up gives its space back, and nothing else', async (t) => {
  const tus = await start(t)
  const bytes = randomBytes(3_000_000)
  await tus.web.ask({ method: 'PUT', path: '/files/files/same', body: bytes.subarray(0, 1_500_000) })
  const before = await used(tus)
  const at = await tus.begin('files/gone', 10_000_000)
  assert.equal((await tus.patch(at, 0, bytes)).status, 204)
  assert.ok((await used(tus)) > before)
  const listed = (await tus.web.ask({ path: '/api/v1/uploads' })).json['uploads'] as { offset: number }[]
  assert.deepEqual(
    listed.map(({ offset }) => offset),
    [3_000_000],
  )
  assert.equal((await tus.ask('DELETE', at)).status, 204)
  assert.equal((await tus.ask('HEAD', at)).status, 404)
  assert.equal(await used(tus), before)
  assert.ok((await tus.web.ask({ path: '/files/files/same' })).body.equals(bytes.subarray(0, 1_500_000)))
})

test('parts become one file', async (t) => {
  const tus = await start(t)
  const bytes = randomBytes(3_000_000)
  const partial = { 'upload-concat': 'partial', 'upload-metadata': '' }
  const one = await tus.begin('', 1_000_000, partial)
  const two = await tus.begin('', 2_000_000, partial)
  const final = (of: string): Promise<Answer> =>
    tus.ask('POST', '/uploads', {
      'upload-concat': `final;${of}`,
      'upload-metadata': `path ${base64('files/joined')}`,
    })
  assert.equal((await tus.patch(two, 0, bytes.subarray(1_000_000))).status, 204)
  assert.equal((await final(`${one} ${two}`)).status, 400)
  assert.equal((await tus.patch(one, 0, bytes.subarray(0, 1_000_000))).status, 204)
  assert.equal((await tus.ask('HEAD', one)).headers['upload-concat'], 'partial')
  assert.equal((await final(`${one} ${one}`)).status, 400)
  const joined = await final(`${one} http://127.0.0.1:${tus.web.face.port}${two}`)
  assert.equal(joined.status, 201, joined.text)
  const at = String(joined.headers['location'])
  const head = await tus.ask('HEAD', at)
  assert.equal(head.headers['upload-concat'], `final;${one} ${two}`)
  assert.equal(head.headers['upload-length'], '3000000')
  assert.equal((await tus.patch(at, 3_000_000, bytes)).status, 403)
  assert.ok((await tus.web.ask({ path: '/files/files/joined' })).body.equals(bytes))
  const alone = await tus.web.ask({ method: 'PUT', path: '/files/files/alone', body: bytes })
  assert.equal(alone.json['sentBytes'], 0)
})

test('two writers at once: the second is refused and the first goes on', async (t) => {
  const tus = await start(t)
  const at = await tus.begin('files/two', 1_000_000)
  const socket = connect(tus.web.face.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(
    `PATCH ${at} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${tus.web.token}\r\ntus-resumable: 1.0.0\r\n` +
      `content-type: ${offsetType}\r\nupload-offset: 0\r\ncontent-length: 1000000\r\n\r\n`,
  )
  const bytes = randomBytes(400_000)
  socket.write(bytes)
  await eventually('the first writes', async () => (await tus.patch(at, 1, bytes)).status === 423)
  assert.equal((await tus.patch(at, 0, bytes)).status, 423)
  assert.equal((await tus.ask('DELETE', at)).status, 423)
  // What came before the connection broke is kept.
  socket.end()
  await eventually('the first has ended', async () => (await tus.offset(at)) === 400_000)
  assert.equal((await tus.patch(at, 400_000, randomBytes(600_000))).status, 204)
})

test('only who may write there goes on with an upload', async (t) => {
  const tus = await start(t)
  const at = await tus.begin('files/mine/a', 10)
  const token = await tus.web.tokenWith(['write'], 'files/mine')
  const other = await tus.web.tokenWith(['write'], 'files/other')
  const reader = await tus.web.tokenWith(['read'])
  for (const method of ['HEAD', 'GET', 'DELETE', 'PATCH'])
    for (const wrong of [other, reader]) {
      const headers = { 'content-type': offsetType, 'upload-offset': '0' }
      assert.equal((await tus.ask(method, at, headers, { token: wrong })).status, 403, method)
    }
  const list = async (by: string) =>
    (await tus.web.ask({ path: '/api/v1/uploads', token: by })).json['uploads'] as []
  assert.equal((await list(other)).length, 0)
  assert.equal((await list(token)).length, 1)
  const outside = { 'upload-length': '1', 'upload-metadata': `path ${base64('files/b')}` }
  assert.equal((await tus.ask('POST', '/uploads', outside, { token })).status, 403)
  const part = { 'upload-length': '1', 'upload-concat': 'partial' }
  assert.equal((await tus.ask('POST', '/uploads', part, { token })).status, 201)
  assert.equal((await tus.ask('HEAD', at, {}, { token })).status, 200)
})
