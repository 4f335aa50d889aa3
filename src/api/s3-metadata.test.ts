/** What a client keeps with an object comes back with it, to who asks by another way too. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from '../base/limits.ts'
import { s3Client, texts, type S3Client } from './s3-client.fixture.ts'
import { startFixture } from './web-face.fixture.ts'

const kept: Record<string, string> = {
  'content-type': 'text/x-own; charset="odd"',
  'cache-control': 'max-age=60',
  'content-disposition': "inline; filename*=UTF-8''%C3%BC.txt",
  'content-language': 'de',
  'x-amz-meta-colour': 'red, "not" <green>',
  'x-amz-meta-mtime': '1600000000.123456789',
  'x-amz-meta-s3cmd-attrs': 'mode:33261/mtime:1600000000/md5:0',
}

const put = (client: S3Client, path: string, headers: Record<string, string>, body = 'content') =>
  client.ask({ method: 'PUT', path, headers, body })

async function requireKept(client: S3Client, path: string): Promise<void> {
  for (const method of ['GET', 'HEAD']) {
    const { status, headers } = await client.ask({ method, path })
    assert.equal(status, 200)
    const found = Object.fromEntries(Object.keys(kept).map((name) => [name, headers[name]]))
    assert.deepEqual(found, kept, `${method} ${path}`)
    assert.match(String(headers['content-security-policy']), /^sandbox/)
  }
}

test('metadata of a PUT, a copy, a move to another folder and parts comes back whole', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  assert.equal((await put(client, '/files/a', kept)).status, 200)
  await requireKept(client, '/files/a')
  const copied = { 'x-amz-copy-source': '/files/a' }
  assert.equal((await client.ask({ method: 'PUT', path: '/files/b', headers: copied })).status, 200)
  await requireKept(client, '/files/b')
  await web.peer.folders.create('other', {})
  await web.peer.files.move('files/b', 'other/b')
  await requireKept(client, '/other/b')
  // People's tags and these go side by side, and nobody sees or finds the latter.
  const described = await web.peer.files.describe('other/b', { addTags: ['holiday'] })
  assert.deepEqual(described.tags, ['holiday'])
  await requireKept(client, '/other/b')
  assert.equal((await web.peer.files.find({ words: 'colour' })).entries.length, 0)
  assert.equal((await web.peer.files.find({ words: 'holiday' })).entries.length, 1)

  const path = '/files/parts'
  const begun = await client.ask({ method: 'POST', path, query: { uploads: '' }, headers: kept })
  const [uploadId = ''] = texts(begun.text, 'UploadId')
  const part = await client.ask({ method: 'PUT', path, query: { partNumber: '1', uploadId }, body: 'x' })
  const body = `<C><Part><PartNumber>1</PartNumber><ETag>${part.headers['etag']}</ETag></Part></C>`
  assert.equal((await client.ask({ method: 'POST', path, query: { uploadId }, body })).status, 200)
  await requireKept(client, path)
})

test('new content brings its own metadata; REPLACE changes it all, and an address may ask for others', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  await put(client, '/files/a.txt', kept)
  const replace = { 'x-amz-copy-source': '/files/a.txt', 'x-amz-metadata-directive': 'REPLACE' }
  const answer = await client.ask({
    method: 'PUT',
    path: '/files/a.txt',
    headers: { ...replace, 'x-amz-meta-size': 'XL', 'content-type': 'text/html' },
  })
  assert.equal(answer.status, 200, answer.text)
  const { headers } = await client.ask({ path: '/files/a.txt' })
  assert.deepEqual(
    [headers['content-type'], headers['x-amz-meta-size'], headers['x-amz-meta-colour']],
    ['text/html', 'XL', undefined],
  )
  assert.equal(web.peer.files.look('files/a.txt')?.type, 'text/html')

  // By WebDAV: what is said of the old content is gone, what programs keep with the file is not.
  const set = '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="u:">1</x></prop></set></propertyupdate>'
  assert.equal((await web.ask({ method: 'PROPPATCH', path: '/dav/files/a.txt', body: set })).status, 207)
  assert.equal((await client.ask({ path: '/files/a.txt' })).headers['x-amz-meta-size'], 'XL')
  const found = await web.ask({ method: 'PROPFIND', path: '/dav/files/a.txt', headers: { depth: '0' } })
  assert.match(found.text, /<x xmlns="u:">1<\/x>/)
  assert.doesNotMatch(found.text, /XL|x-amz/)
  assert.equal((await web.ask({ method: 'PUT', path: '/dav/files/a.txt', body: 'new' })).status, 204)
  assert.deepEqual(web.peer.files.look('files/a.txt')?.properties, { '{u:}x': '<x xmlns="u:">1</x>' })

  const query = { 'response-content-disposition': 'attachment; filename=b', 'response-content-type': 'x/y' }
  const asked = await client.ask({ path: '/files/a.txt', query })
  assert.deepEqual(
    [asked.headers['content-disposition'], asked.headers['content-type']],
    ['attachment; filename=b', 'x/y'],
  )
})

test('too much metadata is refused by the name S3 has for it, and nothing is stored', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  const most = { 'x-amz-meta-a': 'x'.repeat(limits.s3MetadataBytes - 1) }
  assert.equal((await put(client, '/files/a', most)).status, 200)
  assert.equal((await client.ask({ path: '/files/a' })).headers['x-amz-meta-a'], most['x-amz-meta-a'])
  for (const more of [{ 'x-amz-meta-b': 'y' }, { 'x-amz-meta-a': `${most['x-amz-meta-a']}x` }]) {
    const refused = await put(client, '/files/b', { ...most, ...more })
    assert.equal(refused.status, 400)
    assert.deepEqual(texts(refused.text, 'Code'), ['MetadataTooLarge'])
  }
  assert.equal(web.peer.files.has('files/b'), false)
})

test('what another device may have written into a version harms no answer', async (t) => {
  const web = await startFixture(t)
  const client = await s3Client(web)
  await put(client, '/files/a', {})
  const properties = {
    'x-amz-meta-bad': 'a\r\nset-cookie: x=1',
    'x-amz-meta-b\n': 'x',
    '{u:}x': '<x xmlns="u:">1</x></D:prop></D:propstat><D:href>/dav/other</D:href>',
    '{u:}y': '<z xmlns="u:"/>',
    '{u:}good': '<good xmlns="u:">&lt;</good>',
  }
  await web.peer.files.change('files/a', { properties })
  const { status, headers } = await client.ask({ path: '/files/a' })
  assert.deepEqual([status, headers['set-cookie'], headers['x-amz-meta-bad']], [200, undefined, undefined])
  const found = await web.ask({ method: 'PROPFIND', path: '/dav/files/a', headers: { depth: '0' } })
  assert.equal(found.status, 207)
  assert.doesNotMatch(found.text, /other|<z/)
  assert.match(found.text, /<good xmlns="u:">&lt;<\/good>/)
})
