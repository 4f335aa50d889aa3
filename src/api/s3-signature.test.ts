/** Who is let in by a signature, and what ends at the door. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { type S3Asked, S3Client, s3Client } from './s3-client.fixture.ts'
import { startFixture } from './web-face.fixture.ts'

const minutes = (count: number): Date => new Date(Date.now() + count * 60_000)

async function refused(client: S3Client, asked: S3Asked, code: string, status: number): Promise<void> {
  const answer = await client.ask(asked)
  assert.match(answer.text, new RegExp(`<Code>${code}</Code>`), JSON.stringify(asked))
  assert.equal(answer.status, status)
  assert.equal(answer.headers['content-type'], 'application/xml')
}

test('a right signature is let in at / and below /s3, whatever signs and encodes the key', async (t) => {
  const client = await s3Client(await startFixture(t))
  const keys = ['plain', 'with space', "odd !'()*~+=&?#%25:@;,$", 'ä/😀/\u0301x', 'a=b&c', '%2F']
  for (const [at, key] of keys.entries()) {
    const mount = at % 2 === 0 ? '' : '/s3'
    const put = await client.ask({ method: 'PUT', path: `${mount}/files/${key}`, body: key })
    assert.equal(put.status, 200, `${key}: ${put.text}`)
    const got = await client.ask({ path: `/files/${key}` })
    assert.equal(got.text, key)
    assert.match(String(got.headers['etag']), /^"[0-9a-f]{32}-1"$/)
    assert.equal(got.headers['x-frame-options'], 'DENY')
    assert.match(String(got.headers['content-security-policy']), /^sandbox/)
  }
  assert.equal((await client.ask({ path: '/' })).status, 200)
  assert.equal((await client.ask({ path: '/s3/' })).status, 200)
  assert.equal((await client.ask({ path: '/s3' })).status, 200)
})

test('wrong signatures, foreign keys, changed requests and old ones are refused', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  await client.ask({ method: 'PUT', path: '/files/a', body: 'a' })
  const path = '/files/a'
  await refused(client, { path, secret: `${client.secret}x` }, 'SignatureDoesNotMatch', 403)
  await refused(client, { path, sentQuery: 'x=1' }, 'SignatureDoesNotMatch', 403)
  await refused(client, { path, at: minutes(-16) }, 'RequestTimeTooSkewed', 403)
  await refused(client, { path, at: minutes(16) }, 'RequestTimeTooSkewed', 403)
  assert.equal((await client.ask({ path, at: minutes(-14) })).status, 200)
  assert.equal((await client.ask({ path, at: minutes(14) })).status, 200)
  await refused(
    client,
    { path, unsignedHeaders: { 'x-amz-meta-a': 'b' } },
    'AuthorizationHeaderMalformed',
    400,
  )
  await refused(
    client,
    { method: 'PUT', path: '/files/b', unsignedHeaders: { 'x-amz-copy-source': path } },
    'AuthorizationHeaderMalformed',
    400,
  )
  const plain = await web.peer.tokens.create({ name: 'no S3', scopes: ['admin'] })
  const foreign = new S3Client(web, plain.id, client.secret)
  await refused(foreign, { path }, 'InvalidAccessKeyId', 403)
  await web.peer.tokens.revoke(client.id)
  await refused(client, { path }, 'InvalidAccessKeyId', 403)
})

test('what is malformed is refused as such, and no bearer token opens /s3', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  const { headers } = client.sign({ path: '/files' })
  const right = headers['authorization'] ?? ''
  const malformed = [
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA512 x',
    right.replace('/s3/', '/ec2/'),
    right.replace(/Signature=.*/, 'Signature=00'),
    right.replace(/SignedHeaders=[^,]*/, 'SignedHeaders=x-amz-date'),
    right.replace(/\/\d{8}\//, '/20010101/'),
    right.replace(client.id, '../x'),
  ]
  for (const authorization of malformed) {
    const answer = await web.ask({ path: '/files', headers: { ...headers, authorization }, token: null })
    assert.equal(answer.status, 400, authorization)
    assert.match(answer.text, /AuthorizationHeaderMalformed/)
  }
  const old = await web.ask({ path: '/files', headers: { authorization: 'AWS a:b' }, token: null })
  assert.match(old.text, /NotImplemented/)
  for (const token of [null, web.token]) {
    const answer = await web.ask({ path: '/s3/files', token })
    assert.match(answer.text, /<Code>(AccessDenied|AuthorizationHeaderMalformed)<\/Code>/)
  }
})

test('presigned addresses work by fetch until they end, for what they were signed', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  const fetchOf = (path: string, init: RequestInit = {}) => fetch(`http://${client.host}${path}`, init)
  const put = await fetchOf(client.presign({ method: 'PUT', path: '/files/by fetch' }), {
    method: 'PUT',
    body: 'content',
  })
  assert.equal(put.status, 200, await put.text())
  const address = client.presign({ path: '/files/by fetch' })
  assert.equal(await (await fetchOf(address)).text(), 'content')
  const part = await fetchOf(address, { headers: { range: 'bytes=1-2' } })
  assert.deepEqual([part.status, await part.text()], [206, 'on'])
  assert.equal((await fetchOf(address, { method: 'DELETE' })).status, 403)
  assert.equal((await fetchOf(address.replace('by%20fetch', 'other'))).status, 403)
  assert.equal((await fetchOf(address, { headers: { 'x-amz-acl': 'x' } })).status, 400)
  const expired = await fetchOf(client.presign({ path: '/files/by fetch', at: minutes(-2), seconds: 119 }))
  assert.equal(expired.status, 403)
  assert.match(await expired.text(), /AccessDenied/)
  for (const seconds of [0, 604_801])
    assert.equal((await fetchOf(client.presign({ path: '/files/by fetch', seconds }))).status, 400)
  const ahead = await fetchOf(client.presign({ path: '/files/by fetch', at: minutes(20) }))
  assert.match(await ahead.text(), /RequestTimeTooSkewed/)
})

test('too many wrong signatures are slowed down, a right one never', async (t) => {
  const client = await s3Client(await startFixture(t))
  const statuses = new Set<number>()
  for (let count = 0; count < 25; count += 1)
    statuses.add((await client.ask({ path: '/files', secret: 'wrong' })).status)
  assert.deepEqual(statuses, new Set([403, 503]))
  assert.equal((await client.ask({ path: '/files' })).status, 200)
})
