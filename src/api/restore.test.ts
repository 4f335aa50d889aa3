/** Restoring over HTTP: a version, a folder as it was, its progress, and what is refused. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { eventually, text } from '../../test/peer-fixture.ts'
import { startFixture } from './web-face.fixture.ts'

test('a folder as it was at a time, tried first, with progress, only by who may write', async (t) => {
  const web = await startFixture(t)
  const { files } = web.peer
  await files.put('files/d/a', text('then'))
  const then = Date.now()
  await eventually('the next millisecond', () => Date.now() > then)
  await files.put('files/d/a', text('since'))
  await files.put('files/d/b', text('later'))
  const at = new Date(then).toISOString()
  const post = (body: object, more: object = {}) =>
    web.ask({ method: 'POST', path: '/api/v1/restore/files/d', body: JSON.stringify(body), ...more })
  const listed = await web.ask({ path: `/api/v1/list/files/d?at=${at}` })
  assert.deepEqual(
    (listed.json['entries'] as { path: string }[]).map(({ path }) => path),
    ['files/d/a'],
  )
  const dry = await post({ at, dryRun: true })
  assert.deepEqual([dry.status, dry.json['changed'], dry.json['removed']], [200, 1, 1])
  assert.equal(files.has('files/d/b'), true)
  const read = await web.tokenWith(['read'])
  assert.equal((await post({ at }, { token: read })).status, 403)
  const confined = await web.tokenWith(['read', 'write'], 'files/d')
  assert.equal((await post({ at, dryRun: true }, { token: confined })).status, 200)
  const elsewhere = { method: 'POST', path: '/api/v1/restore/files', body: JSON.stringify({ at }) }
  assert.equal((await web.ask({ ...elsewhere, token: confined })).status, 403)
  for (const body of [{ dryRun: true }, { at: 'soon' }, { at, version: 'f'.repeat(64) }])
    assert.equal((await post(body)).status, 400)
  const raw = await web.askRaw({
    method: 'POST',
    path: '/api/v1/restore/files/d',
    body: JSON.stringify({ at }),
    headers: { accept: 'application/x-ndjson' },
  })
  const lines = raw.body.toString().trim().split('\n')
  assert.deepEqual(JSON.parse(lines[0]!), { done: 2, total: 2 })
  const { result } = JSON.parse(lines.at(-1)!) as { result: { undo: string } }
  assert.equal(files.has('files/d/b'), false)
  assert.equal((await post({ at: result.undo })).json['returned'], 1)
  assert.equal(files.has('files/d/b'), true)
})
