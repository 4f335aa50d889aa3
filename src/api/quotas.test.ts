/** A folder's quota by every protocol at once: never a byte over, and whoever is refused learns what could go. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { eventually, sourceOf, startPeer, temporaryFolder, text } from '../../test/peer-fixture.ts'
import type { Peer } from '../peer/peer.ts'
import { endFrame, frameBytes } from './frame-bytes.ts'
import { type WebFaceFixture, startFixture } from './web-face.fixture.ts'

const KiB = 1024

const bytesIn = async (p: Peer): Promise<number> =>
  (await p.quota()).perFolder.find(({ folder }) => folder === 'files')!.bytes

const base64 = (text: string): string => Buffer.from(text).toString('base64')

async function byTus(web: WebFaceFixture, path: string, body: Uint8Array): Promise<number> {
  const headers = { 'tus-resumable': '1.0.0', 'upload-metadata': `path ${base64(path)}` }
  const length = { 'upload-length': String(body.length) }
  const begun = await web.ask({ method: 'POST', path: '/uploads', headers: { ...headers, ...length } })
  if (begun.status !== 201) return begun.status
  const type = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
  const path2 = String(begun.headers.location)
  return (await web.ask({ method: 'PATCH', path: path2, headers: { ...headers, ...type }, body })).status
}

async function byBatch(web: WebFaceFixture, path: string, body: Uint8Array): Promise<number> {
  const frames = Buffer.concat([...frameBytes({ path, size: body.length }, body), endFrame])
  const { body: answer } = await web.askRaw({ method: 'POST', path: '/api/v1/batch', body: frames })
  return answer.toString().includes('QUOTA_FULL') ? 507 : 201
}

async function byParts(web: WebFaceFixture, path: string, body: Uint8Array): Promise<number> {
  const { multipart } = web.peer.files
  try {
    const id = await multipart.begin({ path })
    const half = body.length / 2
    await multipart.put(path, id, 1, sourceOf(body.subarray(0, half)))
    await multipart.put(path, id, 2, sourceOf(body.subarray(half)))
    await multipart.complete(path, id, [{ number: 1 }, { number: 2 }])
    return 201
  } catch (thrown) {
    assert.equal((thrown as { code?: string }).code, 'QUOTA_FULL')
    return 507
  }
}

test('writers of all protocols at once never pass a quota, not by a byte', async (t) => {
  const web = await startFixture(t)
  const size = 100 * KiB
  await web.peer.folders.set('files', { quota: 10 * size + 1 })
  const ways = [
    (path: string, body: Uint8Array) =>
      web.ask({ method: 'PUT', path: `/files/${path}`, body }).then(({ status }) => status),
    (path: string, body: Uint8Array) =>
      web.ask({ method: 'PUT', path: `/dav/${path}`, body }).then(({ status }) => status),
    // Without a length.
    (path: string, body: Uint8Array) =>
      web.peer.files.put(path, sourceOf(body)).then(
        () => 201,
        () => 507,
      ),
    (path: string, body: Uint8Array) => byTus(web, path, body),
    (path: string, body: Uint8Array) => byBatch(web, path, body),
    (path: string, body: Uint8Array) => byParts(web, path, body),
  ]
  const statuses = await Promise.all(
    Array.from({ length: 24 }, (_, n) => ways[n % ways.length]!(`files/${n}`, randomBytes(size))),
  )
  const full = statuses.filter((status) => status === 507).length
  const stored = statuses.filter((status) => status === 201 || status === 204).length
  assert.equal(full + stored, 24)
  assert.ok(stored <= 10, `${stored} stored`)
  // What others had reserved and did not use is free again.
  for (let n = stored; n < 10; n += 1)
    await web.peer.files.put(`files/more-${n}`, sourceOf(randomBytes(size)))
  assert.equal(await bytesIn(web.peer), 10 * size)
  await assert.rejects(web.peer.files.put('files/two', text('22')), { code: 'QUOTA_FULL' })
  await web.peer.files.put('files/one', text('1'))
  assert.equal(await bytesIn(web.peer), 10 * size + 1)

  let candidates: { path: string; size: number; what: string }[] = []
  // An answer of just before may still be used.
  const isTold = async (): Promise<boolean> => {
    const refused = await web.ask({ method: 'PUT', path: '/files/files/late', body: 'x' })
    assert.deepEqual([refused.status, refused.json['code']], [507, 'QUOTA_FULL'])
    candidates = refused.json['candidates'] as typeof candidates
    return candidates.length === 10
  }
  await eventually('all ten are told', isTold, 60_000)
  assert.ok(candidates.every(({ what, size: bytes }) => what === 'file' && bytes === size))
  const confined = await web.tokenWith(['write', 'read'], 'files/sub')
  const inside = await web.ask({ method: 'PUT', path: '/files/files/sub/x', body: 'x', token: confined })
  assert.deepEqual([inside.status, inside.json['candidates']], [507, []])
})

test('when a folder is full what makes it no larger goes on; its quota changes at any time, everywhere', async (t) => {
  const home = await temporaryFolder(t)
  const p = await startPeer(t, { home: `${home}/a` })
  const { code } = await p.pool.invite({ storageOnly: false })
  const q = await startPeer(t, { home: `${home}/b`, join: code })
  await p.files.put('files/a', text('1234567890'))
  await p.files.put('files/old', text('12345'))
  await p.files.remove('files/old')
  await p.folders.set('files', { quota: 10 })
  const full = { code: 'QUOTA_FULL' }
  await assert.rejects(p.files.put('files/b', text('1')), full)
  await assert.rejects(p.files.put('files/a', text('12345678901')), full)
  await assert.rejects(p.files.copy('files/a', 'files/b'), full)
  await assert.rejects(p.files.restore('files/old'), full)
  await assert.rejects(p.files.uploads.begin({ path: 'files/b', size: 1 }), full)
  await p.files.describe('files/a', { description: 'full', addTags: ['x'] })
  await p.files.move('files/a', 'files/d/a')
  await p.files.makeFolder('files/empty')
  await p.files.put('files/d/a', text('0987654321'))
  await p.files.put('files/nothing', text(''))
  assert.match((await p.status()).warnings.join(), /100 % of the quota of folder files is used/)

  const isAgreed = async () =>
    (await q.quota()).perFolder.find(({ folder }) => folder === 'files')?.quota === 10
  await eventually('the other device knows', isAgreed, 60_000)
  await eventually('and has the files', () => q.files.has('files/nothing'), 60_000)
  await assert.rejects(q.files.put('files/b', text('1')), full)

  await p.files.remove('files/d/a')
  await p.files.put('files/b', text('12345678'))
  assert.match((await p.status()).warnings.join(), /80 % of the quota of folder files is used/)
  await p.folders.set('files', { quota: 4 })
  await assert.rejects(p.files.put('files/c', text('1')), full)
  await p.files.put('files/b', text('1234567'))
  await p.folders.set('files', { quota: undefined })
  await p.files.put('files/c', text('12345678901234567890'))
  assert.equal((await p.quota()).perFolder[0]?.quota, undefined)
})

test('an upload under way holds its place until it ends', async (t) => {
  const p = await startPeer(t, { home: await temporaryFolder(t) })
  await p.folders.set('files', { quota: 100 })
  const { id } = await p.files.uploads.begin({ path: 'files/slow', size: 60 })
  await assert.rejects(p.files.put('files/other', sourceOf(randomBytes(41))), { code: 'QUOTA_FULL' })
  await p.files.put('files/small', sourceOf(randomBytes(40)))
  const done = await p.files.uploads.append(id, 0, sourceOf(randomBytes(60)))
  assert.equal(done.result?.size, 60)
  await p.files.remove('files/slow')
  const other = await p.files.uploads.begin({ path: 'files/given-up', size: 60 })
  await p.files.uploads.remove(other.id)
  await p.files.put('files/other', sourceOf(randomBytes(60)))
})

test('what could go: files, versions and trash, the largest and oldest first', async (t) => {
  const web = await startFixture(t)
  const { files } = web.peer
  await files.put('files/big', sourceOf(randomBytes(5000)))
  await files.put('files/big', text('small now'))
  await files.put('files/first', sourceOf(randomBytes(3000)))
  await files.put('files/second', sourceOf(randomBytes(3000)))
  await files.put('files/gone', sourceOf(randomBytes(4000)))
  await files.remove('files/gone')
  const { json } = await web.ask({ path: '/api/v1/quota/free?limit=4' })
  const lines = (json['entries'] as { path: string; what: string }[]).map(
    ({ path, what }) => `${what} ${path}`,
  )
  assert.deepEqual(lines, ['version files/big', 'trash files/gone', 'file files/first', 'file files/second'])
  const inFolder = await web.ask({ path: '/api/v1/quota/free?folder=files&limit=2' })
  const shown = (inFolder.json['entries'] as { path: string }[]).map(({ path }) => path)
  assert.deepEqual(shown, ['files/first', 'files/second'])
  const read = await web.tokenWith(['read'], 'files/sub')
  assert.deepEqual((await web.ask({ path: '/api/v1/quota/free', token: read })).json['entries'], [])
})
