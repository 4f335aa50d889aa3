/** Bodies that are signed as a whole, chunk by chunk, or by a checksum behind them, and what is wrong with them. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import test from 'node:test'
import { crc32 } from 'node:zlib'
import { s3Client } from './s3-client.fixture.ts'
import { startFixture } from './web-face.fixture.ts'

const base64Of = (algorithm: string, content: Uint8Array): string =>
  createHash(algorithm).update(content).digest('base64')

function crc32Of(content: Uint8Array): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(content))
  return bytes.toString('base64')
}

test('a body is kept only when it is the one that was signed', async (t) => {
  const client = await s3Client(await startFixture(t))
  const content = randomBytes(2_000_000)
  const put = { method: 'PUT', path: '/files/x', body: content }
  assert.equal((await client.ask(put)).status, 200)
  assert.equal((await client.ask({ ...put, payload: 'UNSIGNED-PAYLOAD' })).status, 200)
  const wrong = { ...put, path: '/files/wrong' }
  const tampered = await client.ask({ ...wrong, payload: createHash('sha256').update('other').digest('hex') })
  assert.match(tampered.text, /<Code>BadDigest<\/Code>/)
  const unknown = await client.ask({ ...wrong, payload: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' })
  assert.match(unknown.text, /<Code>NotImplemented<\/Code>/)
  const checks: Record<string, (bytes: Uint8Array) => string> = {
    'content-md5': (bytes) => base64Of('md5', bytes),
    'x-amz-checksum-sha256': (bytes) => base64Of('sha256', bytes),
    'x-amz-checksum-sha1': (bytes) => base64Of('sha1', bytes),
    'x-amz-checksum-crc32': crc32Of,
  }
  for (const [name, of] of Object.entries(checks)) {
    const right = await client.ask({ ...put, headers: { [name]: of(content) } })
    assert.equal(right.status, 200, name)
    const bad = await client.ask({ ...wrong, headers: { [name]: of(randomBytes(4)) } })
    assert.match(bad.text, /<Code>BadDigest<\/Code>/, name)
  }
  assert.equal((await client.ask({ path: '/files/wrong' })).status, 404)
  assert.ok((await client.ask({ path: '/files/x' })).body.equals(content))
})

test('signed chunks and trailers are put together, in whatever sizes they come', async (t) => {
  const client = await s3Client(await startFixture(t))
  const content = randomBytes(700_000)
  const chunks = [content.subarray(0, 65_536), content.subarray(65_536, 65_537), content.subarray(65_537)]
  const path = '/files/chunked'
  const isKept = async (): Promise<void> =>
    assert.ok((await client.ask({ path })).body.equals(content), 'it is what was sent')
  const plain = await client.chunked(
    { path, method: 'PUT', headers: { 'content-encoding': 'aws-chunked' } },
    chunks,
  )
  assert.equal(plain.status, 200, plain.text)
  await isKept()
  const withTrailer = await client.chunked({ path, method: 'PUT' }, chunks, {
    'x-amz-checksum-crc32': crc32Of(content),
  })
  assert.equal(withTrailer.status, 200, withTrailer.text)
  await isKept()
  const empty = await client.chunked({ path: '/files/empty', method: 'PUT' }, [])
  assert.equal(empty.status, 200, empty.text)
  const unsigned = `${content.length.toString(16)}\r\n`
  const asked = {
    method: 'PUT',
    path,
    payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: {
      'x-amz-decoded-content-length': String(content.length),
      'x-amz-trailer': 'x-amz-checksum-crc32',
      'content-encoding': 'aws-chunked',
    },
  }
  const bodyWith = (checksum: string): Buffer =>
    Buffer.concat([
      Buffer.from(unsigned),
      content,
      Buffer.from(`\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`),
    ])
  assert.equal((await client.ask({ ...asked, body: bodyWith(crc32Of(content)) })).status, 200)
  const bad = await client.ask({ ...asked, path: '/files/bad', body: bodyWith(crc32Of(randomBytes(9))) })
  assert.match(bad.text, /<Code>BadDigest<\/Code>/)
  const lacking = await client.ask({
    ...asked,
    path: '/files/bad',
    body: Buffer.concat([Buffer.from(unsigned), content, Buffer.from('\r\n0\r\n\r\n')]),
  })
  assert.match(lacking.text, /<Code>BadDigest<\/Code>/)
  assert.equal((await client.ask({ path: '/files/bad' })).status, 404)
})

test('spoiled, cut, endless and oversized chunks end the request and keep nothing', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  const content = Buffer.alloc(300_000, 'x')
  const path = '/files/spoiled'
  const checksum = { 'x-amz-checksum-crc32': crc32Of(content) }
  const text = (change: (body: string) => string) => (body: Buffer) =>
    Buffer.from(change(body.toString('latin1')), 'latin1')
  const ways: [string, (body: Buffer) => Buffer][] = [
    ['a changed byte', text((body) => body.replace('xxxx', 'xxyx'))],
    ['a changed signature', text((body) => body.replace(/signature=../, 'signature=00'))],
    ['no signature', text((body) => body.replace(/;chunk-signature=[0-9a-f]+/, ''))],
    ['a longer chunk', text((body) => body.replace(/^\w+/, 'fffff'))],
    ['an endless chunk', text((body) => body.replace(/^\w+/, 'ffffffffffff'))],
    ['a number that is none', text((body) => body.replace(/^\w+/, '-1'))],
    ['a long line', text((body) => body.replace(';', `;${'a'.repeat(5_000)};`))],
    ['a line without end', () => Buffer.alloc(3_000, '1')],
    ['a cut in the middle', (body) => body.subarray(0, 200_000)],
    ['a cut before the trailers', text((body) => body.slice(0, body.lastIndexOf('x-amz-checksum')))],
    ['a changed trailer', text((body) => body.replace(checksum['x-amz-checksum-crc32'], 'AAAAAA=='))],
    [
      'many trailers',
      text((body) => body.replace('x-amz-checksum', `${'a:b\r\n'.repeat(20)}x-amz-checksum`)),
    ],
    ['something behind its end', (body) => Buffer.concat([body, Buffer.alloc(5_000, 'z')])],
  ]
  for (const [what, spoil] of ways) {
    const { status, text: answer } = await client.chunked({ path, method: 'PUT' }, [content], checksum, spoil)
    assert.ok(status === 400 || status === 403, `${what}: ${status} ${answer}`)
    assert.match(answer, /<Code>(SignatureDoesNotMatch|IncompleteBody)<\/Code>/, what)
  }
  assert.equal((await client.ask({ path })).status, 404)
  const lying = await client.ask({
    method: 'PUT',
    path,
    payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: { 'x-amz-decoded-content-length': '5' },
    body: '6\r\nabcdef\r\n0\r\n\r\n',
  })
  assert.match(lying.text, /<Code>IncompleteBody<\/Code>/)
  const unsaid = await client.ask({
    method: 'PUT',
    path,
    payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    body: '0\r\n\r\n',
  })
  assert.match(unsaid.text, /<Code>IncompleteBody<\/Code>/)
  await web.requireAlive()
})
