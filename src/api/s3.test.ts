/** The operations of S3 over folders and files: listings, copies, conditions, parts, names, rights. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import type { Scope } from '../peer/peer.ts'
import { type S3Asked, type S3Client, s3Client, texts } from './s3-client.fixture.ts'
import { type WebFaceFixture, startFixture } from './web-face.fixture.ts'

const put = (client: S3Client, key: string, body: string | Uint8Array = key, headers = {}) =>
  client.ask({ method: 'PUT', path: `/files/${key}`, body, headers })

async function code(client: S3Client, asked: S3Asked): Promise<string> {
  const { status, text } = await client.ask(asked)
  return `${status} ${texts(text, 'Code')[0] ?? ''}`
}

async function start(t: test.TestContext): Promise<{ web: WebFaceFixture; client: S3Client }> {
  const web = await startFixture(t)
  return { web, client: await s3Client(web) }
}

test('buckets are folders: listed, made, found, removed when empty', async (t) => {
  const { client } = await start(t)
  const buckets = async () => texts((await client.ask({ path: '/' })).text, 'Name')
  assert.deepEqual(await buckets(), ['files'])
  assert.equal((await client.ask({ method: 'PUT', path: '/neu' })).status, 200)
  assert.equal(await code(client, { method: 'PUT', path: '/neu' }), '409 BucketAlreadyOwnedByYou')
  assert.deepEqual((await buckets()).sort(), ['files', 'neu'])
  assert.equal((await client.ask({ method: 'HEAD', path: '/neu' })).status, 200)
  assert.equal((await client.ask({ method: 'HEAD', path: '/none' })).status, 404)
  assert.equal(await code(client, { path: '/none' }), '404 NoSuchBucket')
  const location = await client.ask({ path: '/neu', query: { location: '' } })
  assert.deepEqual(texts(location.text, 'LocationConstraint'), [''])
  await client.ask({ method: 'PUT', path: '/neu/a', body: 'a' })
  assert.equal(await code(client, { method: 'DELETE', path: '/neu' }), '409 BucketNotEmpty')
  await client.ask({ method: 'DELETE', path: '/neu/a' })
  assert.equal((await client.ask({ method: 'DELETE', path: '/neu' })).status, 204)
  assert.deepEqual(await buckets(), ['files'])
})

test('both listings show keys and common prefixes page by page', async (t) => {
  const { client } = await start(t)
  const keys = ['a', 'a-b', 'b/1', 'b/2', 'b/c/3', 'ö & <x>/y', 'z']
  for (const key of keys) await put(client, key)
  const whole = await client.ask({ path: '/files', query: { 'list-type': '2' } })
  assert.deepEqual(texts(whole.text, 'Key').sort(), [...keys].sort())
  assert.deepEqual(texts(whole.text, 'IsTruncated'), ['false'])
  const encoded = await client.ask({ path: '/files', query: { 'encoding-type': 'url', prefix: 'ö' } })
  assert.deepEqual(texts(encoded.text, 'Key'), ['%C3%B6%20%26%20%3Cx%3E/y'])

  for (const version of ['1', '2']) {
    const found: string[] = []
    let from: Record<string, string> = {}
    for (let page = 0; page < 9; page += 1) {
      const query = { delimiter: '/', 'max-keys': '2', ...(version === '2' && { 'list-type': '2' }), ...from }
      const { text } = await client.ask({ path: '/files', query })
      found.push(...texts(text, 'Key'), ...texts(text, 'Prefix').slice(1))
      const [next] = texts(text, version === '2' ? 'NextContinuationToken' : 'NextMarker')
      if (next === undefined) break
      from = version === '2' ? { 'continuation-token': next } : { marker: next }
    }
    assert.deepEqual(found.sort(), ['a', 'a-b', 'b/', 'z', 'ö & <x>/'].sort(), `version ${version}`)
  }
  const inside = await client.ask({
    path: '/files',
    query: { prefix: 'b/', delimiter: '/', 'list-type': '2' },
  })
  assert.deepEqual([texts(inside.text, 'Key'), texts(inside.text, 'KeyCount')], [['b/1', 'b/2'], ['3']])
  const after = await client.ask({ path: '/files', query: { 'start-after': 'b/2', 'list-type': '2' } })
  assert.equal(texts(after.text, 'Key')[0], 'b/c/3')
  for (const query of [
    { 'max-keys': '-1' },
    { 'max-keys': 'x' },
    { 'encoding-type': 'x' },
    { 'list-type': '3' },
  ])
    assert.equal(await code(client, { path: '/files', query }), '400 InvalidArgument', JSON.stringify(query))
})

test('objects are read whole, in part and on conditions', async (t) => {
  const { client } = await start(t)
  const content = randomBytes(1_500_000)
  const stored = await put(client, 'big', content, { 'content-type': 'image/png' })
  const etag = String(stored.headers['etag'])
  const path = '/files/big'
  const head = await client.ask({ method: 'HEAD', path })
  assert.deepEqual(
    [head.status, head.headers['content-length'], head.headers['content-type'], head.headers['etag']],
    [200, '1500000', 'image/png', etag],
  )
  const read = (headers: Record<string, string>) => client.ask({ path, headers })
  const middle = await read({ range: 'bytes=1000000-1000009' })
  assert.deepEqual([middle.status, middle.headers['content-range']], [206, 'bytes 1000000-1000009/1500000'])
  assert.ok(middle.body.equals(content.subarray(1_000_000, 1_000_010)))
  assert.ok((await read({ range: 'bytes=-7' })).body.equals(content.subarray(-7)))
  assert.equal(await code(client, { path, headers: { range: 'bytes=1500000-' } }), '416 InvalidRange')
  const statuses: [Record<string, string>, number][] = [
    [{ 'if-match': etag }, 200],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-none-match': etag }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"x"' }, 200],
    [{ 'if-modified-since': new Date(Date.now() + 60_000).toUTCString() }, 304],
    [{ 'if-unmodified-since': new Date(0).toUTCString() }, 412],
  ]
  for (const [headers, status] of statuses)
    assert.equal((await read(headers)).status, status, JSON.stringify(headers))
  assert.equal((await put(client, 'big', 'x', { 'if-none-match': '*' })).status, 412)
  assert.equal((await put(client, 'big', 'x', { 'if-match': '"other"' })).status, 412)
  assert.equal((await put(client, 'big', 'x', { 'if-match': etag })).status, 200)
  assert.equal((await put(client, 'new', 'x', { 'if-none-match': '*' })).status, 200)
  assert.equal(await code(client, { path: '/files/none' }), '404 NoSuchKey')
})

test('copies carry content and facts; deleting forgives what is not there', async (t) => {
  const { client } = await start(t)
  await put(client, 'from/ä', 'content', { 'x-amz-meta-mtime': '1600000000.5' })
  const copy = await client.ask({
    method: 'PUT',
    path: '/files/to',
    headers: { 'x-amz-copy-source': '/files/from/%C3%A4' },
  })
  assert.equal(copy.status, 200, copy.text)
  assert.equal(texts(copy.text, 'ETag').length, 1)
  const got = await client.ask({ path: '/files/to' })
  assert.deepEqual([got.text, got.headers['x-amz-meta-mtime']], ['content', '1600000000.5'])
  const touched = await client.ask({
    method: 'PUT',
    path: '/files/to',
    headers: {
      'x-amz-copy-source': 'files/to',
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-meta-mtime': '1500000000',
    },
  })
  assert.equal(touched.status, 200, touched.text)
  const again = await client.ask({ method: 'HEAD', path: '/files/to' })
  assert.equal(again.headers['last-modified'], new Date(1_500_000_000_000).toUTCString())
  assert.equal(
    await code(client, { method: 'PUT', path: '/files/x', headers: { 'x-amz-copy-source': '/files/none' } }),
    '404 NoSuchKey',
  )
  for (const path of ['/files/to', '/files/to', '/files/never', '/files/from'])
    assert.equal((await client.ask({ method: 'DELETE', path })).status, 204, path)
  assert.equal((await client.ask({ path: '/files/from/ä' })).text, 'content')
})

test('many keys are deleted by one request, folders after what lies in them', async (t) => {
  const { client } = await start(t)
  for (const key of ['d/a', 'd/b', 'e']) await put(client, key)
  await put(client, 'd/', '')
  const names = ['d/', 'd/a', 'd/b', 'none', '../bad'].map((key) => `<Object><Key>${key}</Key></Object>`)
  const body = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${names.join('')}</Delete>`
  const answer = await client.ask({ method: 'POST', path: '/files', query: { delete: '' }, body })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(texts(answer.text, 'Code'), ['InvalidArgument'])
  assert.equal(texts(answer.text, 'Deleted').length, 4)
  assert.deepEqual(texts((await client.ask({ path: '/files' })).text, 'Key'), ['e'])
  const bomb = '<!DOCTYPE d [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>'
  for (const bad of [bomb, '<Delete>', '<Delete/>', '', `<Delete>${names[0]?.repeat(1001)}</Delete>`])
    assert.equal(
      await code(client, { method: 'POST', path: '/files', query: { delete: '' }, body: bad }),
      '400 MalformedXML',
    )
})

test('names that PeerStor does not hold are refused clearly; a key that ends in / is a folder', async (t) => {
  const { client, web } = await start(t)
  const refused = [
    'a//b',
    '/a',
    'a/./b',
    '../a',
    'a/../b',
    'a\u0001b',
    'a\nb',
    'a\\..\\b',
    'x'.repeat(300),
    'C:/a',
  ]
  for (const key of refused) {
    assert.equal(
      await code(client, { method: 'PUT', path: `/files/${key}`, body: 'x' }),
      '400 InvalidArgument',
      key,
    )
    assert.match(await code(client, { path: `/files/${key}` }), /^400 InvalidArgument/, key)
  }
  assert.equal(
    await code(client, { method: 'PUT', path: '/files/folder/', body: 'x' }),
    '400 InvalidArgument',
  )
  for (const _ of [1, 2]) assert.equal((await put(client, 'folder/', '')).status, 200)
  const folder = await client.ask({ method: 'HEAD', path: '/files/folder/' })
  assert.deepEqual([folder.status, folder.headers['content-length']], [200, '0'])
  assert.deepEqual(texts((await client.ask({ path: '/files' })).text, 'Key'), ['folder/'])
  assert.equal(await code(client, { path: '/files/folder' }), '404 NoSuchKey')
  assert.equal(await code(client, { path: '/files/none/' }), '404 NoSuchKey')
  assert.equal(await code(client, { method: 'PUT', path: '/files/folder', body: 'x' }), '409 KeyConflict')
  await put(client, 'file')
  assert.equal(await code(client, { method: 'PUT', path: '/files/file/below', body: 'x' }), '409 KeyConflict')
  assert.equal((await client.ask({ method: 'DELETE', path: '/files/folder/' })).status, 204)
  assert.equal((await client.ask({ path: '/files/folder/' })).status, 404)
  await web.requireAlive()
})

test('a file comes in parts over HTTP, also out of other objects', async (t) => {
  const { client } = await start(t)
  const path = '/files/in parts'
  const begun = await client.ask({ method: 'POST', path, query: { uploads: '' } })
  const [uploadId = ''] = texts(begun.text, 'UploadId')
  const source = randomBytes(400_000)
  await put(client, 'source', source)
  const first = randomBytes(600_000)
  const part = (number: number, more: Partial<S3Asked>) =>
    client.ask({ method: 'PUT', path, query: { partNumber: String(number), uploadId }, ...more })
  const copied = await part(2, {
    headers: { 'x-amz-copy-source': '/files/source', 'x-amz-copy-source-range': 'bytes=100-200099' },
  })
  const sent = await part(1, { body: first })
  const tags = [String(sent.headers['etag']), texts(copied.text, 'ETag')[0] ?? '']
  const listed = await client.ask({ path, query: { uploadId, 'max-parts': '1' } })
  assert.deepEqual([texts(listed.text, 'Size'), texts(listed.text, 'IsTruncated')], [['600000'], ['true']])
  const open = await client.ask({ path: '/files', query: { uploads: '' } })
  assert.deepEqual([texts(open.text, 'Key'), texts(open.text, 'UploadId')], [['in parts'], [uploadId]])
  const complete = (named: readonly string[], query = { uploadId }) => ({
    method: 'POST',
    path,
    query,
    body: `<CompleteMultipartUpload>${named
      .map((tag, at) => `<Part><ETag>${tag}</ETag><PartNumber>${at + 1}</PartNumber></Part>`)
      .join('')}</CompleteMultipartUpload>`,
  })
  assert.equal(await code(client, complete([tags[0]!, '"other"'])), '400 InvalidPart')
  assert.equal(await code(client, complete(tags, { uploadId: 'x' })), '404 NoSuchUpload')
  const done = await client.ask(complete(tags))
  assert.equal(done.status, 200, done.text)
  const got = await client.ask({ path })
  assert.ok(got.body.equals(Buffer.concat([first, source.subarray(100, 200_100)])))
  assert.equal(got.headers['etag'], texts(done.text, 'ETag')[0])
  // The answer was lost on the way: who asks again hears the same.
  const again = await client.ask(complete(tags))
  assert.deepEqual([again.status, again.text], [done.status, done.text])
  assert.equal((await part(3, { body: 'late' })).status, 404)
  assert.equal(await code(client, { path, query: { uploadId } }), '404 NoSuchUpload')
  const left = await client.ask({ path: '/files', query: { uploads: '' } })
  assert.deepEqual(texts(left.text, 'UploadId'), [])

  const other =
    texts((await client.ask({ method: 'POST', path, query: { uploads: '' } })).text, 'UploadId')[0] ?? ''
  assert.equal((await client.ask({ method: 'DELETE', path, query: { uploadId: other } })).status, 204)
  assert.equal(await code(client, { path, query: { uploadId: other } }), '404 NoSuchUpload')
  assert.equal(
    await code(client, { method: 'PUT', path, query: { partNumber: '0', uploadId: other }, body: 'x' }),
    '400 InvalidArgument',
  )
})

/** Every operation, and the least scope that it takes. */
const operations: (S3Asked & { needs: Scope })[] = [
  { needs: 'read', path: '/files' },
  { needs: 'read', path: '/files', method: 'HEAD' },
  { needs: 'read', path: '/files', query: { location: '' } },
  { needs: 'read', path: '/files', query: { versioning: '' } },
  { needs: 'read', path: '/files/a' },
  { needs: 'read', path: '/files/a', method: 'HEAD' },
  { needs: 'write', path: '/files', query: { uploads: '' } },
  { needs: 'write', path: '/files/a', method: 'PUT', body: 'x' },
  { needs: 'write', path: '/files/b', method: 'PUT', headers: { 'x-amz-copy-source': '/files/a' } },
  { needs: 'write', path: '/files/c/', method: 'PUT' },
  { needs: 'write', path: '/files/m', method: 'POST', query: { uploads: '' } },
  { needs: 'write', path: '/files/m', method: 'PUT', query: { uploadId: 'x', partNumber: '1' }, body: 'x' },
  { needs: 'write', path: '/files/m', query: { uploadId: 'x' } },
  {
    needs: 'write',
    path: '/files/m',
    method: 'POST',
    query: { uploadId: 'x' },
    body: '<C><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></C>',
  },
  { needs: 'write', path: '/files/m', method: 'DELETE', query: { uploadId: 'x' } },
  { needs: 'write', path: '/files/a', method: 'DELETE' },
  { needs: 'admin', path: '/neu', method: 'PUT' },
  { needs: 'admin', path: '/neu', method: 'DELETE' },
]

test('every operation takes its scope, and a key confined to a folder reaches nothing outside', async (t) => {
  const { web, client } = await start(t)
  await put(client, 'a')
  const has: Record<Scope, readonly Scope[]> = {
    metrics: [],
    read: ['read'],
    write: ['read', 'write'],
    admin: ['read', 'write', 'admin'],
  }
  for (const scope of ['metrics', 'read', 'write', 'admin'] as const) {
    const asker = await s3Client(web, [scope])
    for (const { needs, ...asked } of operations) {
      const { status } = await asker.ask(asked)
      const what = `${asked.method ?? 'GET'} ${asked.path}${JSON.stringify(asked.query ?? {})} with ${scope}`
      if (!has[scope].includes(needs)) assert.equal(status, 403, what)
      else assert.notEqual(status, 403, what)
    }
    await put(client, 'a')
  }
  const confined = await s3Client(web, ['write'], 'files/mine')
  assert.equal((await put(confined, 'mine/x')).status, 200)
  const mine = await confined.ask({ path: '/files', query: { prefix: 'mine/' } })
  assert.deepEqual(texts(mine.text, 'Key'), ['mine/x'])
  const outside: S3Asked[] = [
    { path: '/files' },
    { path: '/files', query: { prefix: 'mine' } },
    { path: '/files/a' },
    { path: '/files/mine2/x', method: 'PUT', body: 'x' },
    { path: '/files/mine/y', method: 'PUT', headers: { 'x-amz-copy-source': '/files/a' } },
    { path: '/files/a', method: 'DELETE' },
  ]
  for (const asked of outside) assert.equal((await confined.ask(asked)).status, 403, JSON.stringify(asked))
  const body = '<Delete><Object><Key>a</Key></Object></Delete>'
  const many = await confined.ask({ method: 'POST', path: '/files', query: { delete: '' }, body })
  assert.deepEqual(texts(many.text, 'Code'), ['AccessDenied'])
  assert.deepEqual(texts((await confined.ask({ path: '/' })).text, 'Name'), [])
})

test('what S3 has and PeerStor has not is answered as such', async (t) => {
  const { client } = await start(t)
  const asked: S3Asked[] = [
    { path: '/files', query: { acl: '' } },
    { path: '/files', query: { policy: '' } },
    { path: '/files', query: { versions: '' } },
    { path: '/files/a', query: { tagging: '' } },
    { path: '/files/a', query: { versionId: 'x' } },
    { path: '/files/a', method: 'POST', query: { select: '', 'select-type': '2' } },
    { path: '/', method: 'PUT' },
    { path: '/files', method: 'PATCH' },
    { path: '/files', query: { constructor: '', acl: '' } },
  ]
  for (const one of asked) assert.equal(await code(client, one), '501 NotImplemented', JSON.stringify(one))
})
