/** `/events` through a real server: progress of transfers, and going on after a number. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import test, { type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { eventually } from '../../test/peer-fixture.ts'
import { startFixture, type WebFaceFixture } from './web-face.fixture.ts'

interface Told {
  seq: number
  type: string
  data: { path?: string; state?: string; bytes?: number; total?: number | null }
}

/** Follows the events, from behind `since` on; the socket can be closed. */
async function follow(
  t: TestContext,
  web: WebFaceFixture,
  since?: number,
): Promise<{ told: Told[]; socket: WebSocket }> {
  const query = since === undefined ? '' : `?since=${since}`
  const socket = new WebSocket(`ws://127.0.0.1:${web.face.port}/events${query}`, {
    headers: { authorization: `Bearer ${web.token}` },
  })
  const told: Told[] = []
  socket.on('message', (message: Buffer) => told.push(JSON.parse(message.toString()) as Told))
  t.after(() => socket.terminate())
  await once(socket, 'open')
  return { told, socket }
}

const has = (told: readonly Told[], type: string, state: string): boolean =>
  told.some((event) => event.type === type && event.data.state === state)

test('transfers of some size tell how far they are, and how they end', async (t) => {
  const web = await startFixture(t)
  const { told } = await follow(t, web)
  const content = randomBytes(3_000_000)
  await web.ask({ method: 'PUT', path: '/files/files/big', body: content })
  await web.ask({ path: '/files/files/big' })
  await web.ask({ path: '/files/files/big', headers: { range: 'bytes=0-9' } })
  const offset = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' }
  const path = Buffer.from('files/tus').toString('base64')
  const headers = { ...offset, 'upload-length': '3000000', 'upload-metadata': `path ${path}` }
  await web.ask({ method: 'POST', path: '/uploads', headers, body: randomBytes(3_000_000) })
  await eventually('all have ended', () => told.filter(({ data }) => data.state === 'done').length >= 3)
  for (const type of ['upload', 'download'])
    assert.ok(has(told, type, 'running') && has(told, type, 'done'), type)
  const ends = told
    .filter(({ data }) => data.state === 'done')
    .map(({ type, data }) => [type, data.path, data.bytes, data.total])
  assert.deepEqual(ends, [
    ['upload', 'files/big', 3_000_000, 3_000_000],
    ['download', 'files/big', 3_000_000, 3_000_000],
    ['upload', 'files/tus', 3_000_000, 3_000_000],
  ])
})

test('who was away goes on after the last number he saw, or learns that he missed more', async (t) => {
  const web = await startFixture(t)
  const first = await follow(t, web)
  await web.ask({ method: 'PUT', path: '/files/files/one', body: 'one' })
  await eventually('it is told', () => first.told.some(({ type }) => type === 'files'))
  first.socket.terminate()
  await once(first.socket, 'close')
  const seen = first.told.at(-1)?.seq ?? 0
  await web.ask({ method: 'PUT', path: '/files/files/two', body: 'two' })
  const second = await follow(t, web, seen)
  await eventually('it is told', () => second.told.some(({ type }) => type === 'files'))
  assert.ok(second.told.every(({ seq, type }) => seq > seen && type !== 'gap'))
  const numbers = second.told.map(({ seq }) => seq)
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  )
  const late = await follow(t, web, 1)
  await eventually('it is told', () => late.told.length > 1)
  assert.equal(late.told[0]?.type, 'gap')
})
