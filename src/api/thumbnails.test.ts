/** Thumbnails over HTTP: of images alone, to who may read, made once. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { needsSharp, sharp } from '../../test/sharp.ts'
import { startFixture } from './web-face.fixture.ts'

const image = await readFile(join(import.meta.dirname, '../../docs/images/files.png'))

test('an image that is a file has a thumbnail, others have none', needsSharp, async (t) => {
  const web = await startFixture(t)
  const put = (name: string, body: string | Uint8Array) =>
    web.ask({ method: 'PUT', path: `/files/files/${name}`, body })
  const ask = (name: string, headers = {}) => web.ask({ path: `/api/v1/thumbnails/files/${name}`, headers })
  await put('a.png', image)
  const answer = await ask('a.png?size=128')
  assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'image/webp'])
  assert.match(String(answer.headers['content-security-policy']), /^sandbox/)
  const { width, height } = await sharp(answer.body).metadata()
  assert.equal(Math.max(width, height), 128)
  const etag = String(answer.headers['etag'])
  assert.equal((await ask('a.png?size=128', { 'if-none-match': etag })).status, 304)
  await put('text.png', 'no image')
  await put('a.txt', 'text')
  await put('a.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>')
  for (const name of ['text.png', 'text.png', 'a.txt', 'a.svg']) {
    const none = await ask(name)
    assert.deepEqual([none.status, none.json['code']], [404, 'NO_THUMBNAIL'], name)
    assert.match(String(none.json['message']), new RegExp(`files/${name}: `))
  }
  for (const size of ['0', '100', '9999', 'x']) assert.equal((await ask(`a.png?size=${size}`)).status, 400)
  const token = await web.tokenWith(['read'], 'files/other')
  const path = '/api/v1/thumbnails/files/a.png'
  assert.equal((await web.ask({ path, token })).status, 403)
  assert.equal((await web.ask({ path, headers: { 'sec-fetch-dest': 'script' } })).status, 403)
})
