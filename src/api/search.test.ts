/** Search, metadata and single chunks through a real server: the scenarios of docs/API.md. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { startFixture, type WebFaceFixture } from './web-face.fixture.ts'

const put = async (web: WebFaceFixture, path: string, body: Uint8Array | string): Promise<void> => {
  assert.equal((await web.ask({ method: 'PUT', path: `/files/${path}`, body })).status, 201)
}

const found = async (web: WebFaceFixture, query: string, token?: string): Promise<string[]> => {
  const answer = await web.ask({ path: `/api/v1/search?${query}`, ...(token === undefined ? {} : { token }) })
  assert.equal(answer.status, 200, answer.text)
  return (answer.json['entries'] as { path: string }[]).map(({ path }) => path)
}

test('what is said of a file is found, with every filter of the search', async (t) => {
  const web = await startFixture(t)
  await put(web, 'files/a/report.pdf', 'x'.repeat(3000))
  await put(web, 'files/b/holiday.jpg', 'y')
  const patch = await web.ask({
    method: 'PATCH',
    path: '/api/v1/files/files/a/report.pdf',
    body: JSON.stringify({ addTags: ['tax', 'work'], description: 'of the year', category: 'archive' }),
  })
  assert.equal(patch.status, 200, patch.text)
  assert.deepEqual([patch.json['tags'], patch.json['category']], [['tax', 'work'], 'archive'])
  const report = ['files/a/report.pdf']
  const queries = ['words=REP', 'tag=tax,work', 'type=application/', 'category=archive', 'folder=files/a']
  for (const query of [...queries, 'larger=2KB', 'words=year&newer=1h&older=2100-01-01'])
    assert.deepEqual(await found(web, query), report, query)
  assert.deepEqual(await found(web, 'smaller=2KB&sort=name'), ['files/b/holiday.jpg'])
  assert.deepEqual(await found(web, 'words=nothing'), [])
  const totals = await web.ask({ path: '/api/v1/categories' })
  assert.deepEqual(totals.json['entries'], [
    { category: 'archive', files: 1, bytes: 3000 },
    { category: 'image', files: 1, bytes: 1 },
  ])
  const bad = [
    'sort=best',
    'larger=big',
    'newer=soon',
    'category=toys',
    'limit=0',
    'cursor=9',
    `words=${'w'.repeat(300)}`,
  ]
  for (const query of [...bad, 'colour=red'])
    assert.equal((await web.ask({ path: `/api/v1/search?${query}` })).status, 400, query)
  const wrong = [
    '{"tags":"a"}',
    '{"path":"files/x","tags":[]}',
    '{"category":"toys"}',
    '{"__proto__":{}, "x":1}',
  ]
  for (const body of wrong) {
    const answer = await web.ask({ method: 'PATCH', path: '/api/v1/files/files/a/report.pdf', body })
    assert.equal(answer.status, 400, body)
  }
})

test('a token of one folder finds nothing outside it', async (t) => {
  const web = await startFixture(t)
  await put(web, 'files/open/report.txt', 'a')
  await put(web, 'files/closed/report.txt', 'b')
  const token = await web.tokenWith(['read'], 'files/open')
  assert.deepEqual(await found(web, 'words=report', token), ['files/open/report.txt'])
  assert.deepEqual(await found(web, 'folder=files/open', token), ['files/open/report.txt'])
  const outside = await web.ask({ path: '/api/v1/search?folder=files', token })
  assert.equal(outside.status, 403)
  const totals = await web.ask({ path: '/api/v1/categories', token })
  assert.deepEqual(totals.json['entries'], [])
})

test('one chunk is answered alone', async (t) => {
  const web = await startFixture(t)
  const content = randomBytes(3_000_000)
  await put(web, 'files/big.jpg', content)
  const parts: Buffer[] = []
  for (let n = 0; ; n += 1) {
    const answer = await web.ask({ path: `/api/v1/chunks/files/big.jpg?n=${n}` })
    if (answer.status === 404) break
    assert.equal(answer.status, 200)
    const offset = parts.reduce((sum, part) => sum + part.length, 0)
    assert.equal(answer.headers['peerstor-range'], `${offset}-${offset + answer.body.length - 1}`)
    parts.push(answer.body)
  }
  assert.ok(parts.length > 2)
  assert.ok(Buffer.concat(parts).equals(content))
  assert.equal((await web.ask({ path: '/api/v1/chunks/files/big.jpg?n=-1' })).status, 400)
  assert.equal((await web.ask({ path: '/api/v1/chunks/files/none?n=0' })).status, 404)
})
