/** The batch stream through a real server. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from '../base/limits.ts'
import { Client } from './client.ts'
import { endFrame, frameBytes } from './frame-bytes.ts'
import { type WebFaceFixture, startFixture } from './web-face.fixture.ts'

const clientOf = (web: WebFaceFixture, token = web.token): Client =>
  new Client({ base: web.face.url, token, home: web.peer.home, start: 'start' })

async function* framesOf(files: readonly (readonly [string, Uint8Array])[]): AsyncGenerator<Uint8Array> {
  for (const [path, content] of files) yield* frameBytes({ path, size: content.length }, content)
  await Promise.resolve()
}

test('many files in one stream, one acknowledgement each', async (t) => {
  const web = await startFixture(t)
  const files = Array.from(
    { length: 500 },
    (_, index) => [`files/many/${index}.txt`, Buffer.from(`content ${index}\n`.repeat(index))] as const,
  )
  const lines = await Array.fromAsync(clientOf(web).batch(framesOf(files)))
  assert.deepEqual(lines.map((line) => line.path).toSorted(), files.map(([path]) => path).toSorted())
  for (const line of lines) assert.ok(!('error' in line))
  for (const index of [0, 1, 77, 499]) {
    const { body } = await web.ask({ path: `/files/files/many/${index}.txt` })
    assert.ok(body.equals(files[index]?.[1] ?? Buffer.alloc(1)))
  }
})

test('one bad file fails alone', async (t) => {
  const web = await startFixture(t)
  const lines = await Array.fromAsync(
    clientOf(web).batch(
      framesOf([
        ['files/good', Buffer.from('a')],
        ['files/../evil', Buffer.from('b')],
        ['files/also', Buffer.from('c')],
      ]),
    ),
  )
  assert.equal(lines.filter((line) => 'error' in line).length, 1)
  assert.equal((await web.ask({ path: '/files/files/also' })).text, 'c')
})

test('a confined token writes its folder and nothing else by batch', async (t) => {
  const web = await startFixture(t)
  const token = await web.tokenWith(['write'], 'files/mine')
  const lines = await Array.fromAsync(
    clientOf(web, token).batch(
      framesOf([
        ['files/mine/a', Buffer.from('a')],
        ['files/other', Buffer.from('b')],
      ]),
    ),
  )
  const other = lines.find((line) => line.path === 'files/other')
  assert.ok(other !== undefined && 'error' in other && other.error.code === 'FORBIDDEN')
  assert.equal((await web.ask({ path: '/files/files/mine/a' })).status, 200)
  assert.equal((await web.ask({ path: '/files/files/other' })).status, 404)
})

test('a stream that breaks keeps the whole files before the break and says so', async (t) => {
  const web = await startFixture(t)
  const whole = Buffer.concat(frameBytes({ path: 'files/whole', size: 3 }, Buffer.from('abc')))
  const bodies: [string, Buffer][] = [
    ['cut in a header', Buffer.concat([whole, Buffer.from([0, 0])])],
    ['noise', Buffer.concat([whole, Buffer.alloc(64, 0x7f)])],
    [
      'a file that is too large',
      Buffer.concat([
        whole,
        ...frameBytes({ path: 'files/x', size: limits.batchFileBytes + 1 }, Buffer.alloc(0)),
      ]),
    ],
  ]
  for (const [name, body] of bodies) {
    const { text } = await web.ask({ method: 'POST', path: '/api/v1/batch', body })
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.equal(lines[0]?.['path'], 'files/whole', name)
    assert.ok(lines.at(-1)?.['error'] !== undefined && lines.at(-1)?.['path'] === undefined, name)
  }
  const { text } = await web.ask({ method: 'POST', path: '/api/v1/batch', body: Buffer.from(endFrame) })
  assert.deepEqual(JSON.parse(text), { end: { stored: 0, failed: 0 } })
  await web.requireAlive()
})
