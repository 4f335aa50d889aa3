/** When a file expires, as every way in takes it: parameter, header, tus, batch stream, and what is said later. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { endFrame, frameBytes } from './frame-bytes.ts'
import { startFixture } from './web-face.fixture.ts'

const day = 86_400_000
const base64 = (text: string): string => Buffer.from(text).toString('base64')

test('every way in takes an expiry, and refuses what is none', async (t) => {
  const web = await startFixture(t)
  const at = '2099-05-01T00:00:00.000Z'
  const expires = async (name: string): Promise<unknown> =>
    (await web.ask({ path: `/api/v1/files/files/${name}` })).json['expires']
  const put = (name: string, query = '', headers = {}) =>
    web.ask({ method: 'PUT', path: `/files/files/${name}${query}`, body: 'x', headers })
  const before = Date.now()
  assert.equal((await put('query', '?expires=7d')).status, 201)
  const left = Date.parse(String(await expires('query'))) - before
  assert.ok(left >= 7 * day && left < 7 * day + 3_600_000)
  await put('header', '', { 'peerstor-expires': at })
  assert.equal(await expires('header'), at)
  for (const wrong of ['soon', '7', '7w', '1900', '2099-99-99', '9999999999d'])
    assert.equal((await put('wrong', `?expires=${wrong}`)).status, 400, wrong)
  assert.equal(web.peer.files.has('files/wrong'), false)

  const metadata = `path ${base64('files/tus')},expires ${base64(at)}`
  const headers = { 'tus-resumable': '1.0.0', 'upload-length': '0', 'upload-metadata': metadata }
  assert.equal((await web.ask({ method: 'POST', path: '/uploads', headers })).status, 201)
  assert.equal(await expires('tus'), at)
  const frame = frameBytes({ path: 'files/batch', size: 1, expires: at }, Buffer.from('x'))
  await web.askRaw({ method: 'POST', path: '/api/v1/batch', body: Buffer.concat([...frame, endFrame]) })
  assert.equal(await expires('batch'), at)

  const say = async (said: unknown): Promise<unknown> => {
    const body = JSON.stringify({ expires: said })
    return (await web.ask({ method: 'PATCH', path: '/api/v1/files/files/batch', body })).json['expires']
  }
  assert.equal(await say('never'), undefined)
  assert.equal(await say('2100-01-01T00:00:00Z'), '2100-01-01T00:00:00.000Z')
  const policy = async (expireMs: number | null): Promise<unknown> => {
    const body = JSON.stringify({ expireMs })
    return (await web.ask({ method: 'PATCH', path: '/api/v1/folders/files', body })).json['policy']
  }
  assert.equal(((await policy(30 * day)) as { expireMs: number }).expireMs, 30 * day)
  assert.ok(String(await say(null)) < '2099')
  for (const key of ['expireMs', 'keepMs']) {
    const body = JSON.stringify({ [key]: 2 ** 48 + 1 })
    const answer = await web.ask({ method: 'PATCH', path: '/api/v1/folders/files', body })
    assert.equal(answer.status, 400, 'no policy that nobody could read')
  }
  assert.equal('expireMs' in ((await policy(null)) as object), false)
  assert.equal(await say(null), undefined)
})
