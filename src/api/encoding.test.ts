/** Answers go out encoded where the client takes it and it pays, and no faster than they are read. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { limits } from '../base/limits.ts'
import { encoded } from './encoding.ts'
import { startFixture } from './web-face.fixture.ts'

const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }

test('lists of the REST API and of WebDAV are encoded as the client likes best', async (t) => {
  const web = await startFixture(t)
  for (let n = 0; n < 30; n += 1) await web.peer.files.makeFolder(`files/a folder of some length ${n}`)
  const asked = [
    { path: '/api/v1/list/files' },
    { path: '/api/openapi.json' },
    { path: '/dav/files/', method: 'PROPFIND', headers: { depth: '1' } },
  ]
  for (const { headers = {}, ...ask } of asked) {
    const plain = await web.ask({ ...ask, headers })
    assert.equal(plain.headers['content-encoding'], undefined)
    assert.equal(plain.headers['vary'], 'accept-encoding')
    for (const [encoding, decode] of Object.entries(decoders)) {
      const raw = await web.askRaw({ ...ask, headers: { ...headers, 'accept-encoding': encoding } })
      assert.equal(raw.headers['content-encoding'], encoding, ask.path)
      assert.ok(raw.body.length < plain.body.length / 2, `${encoding}: ${raw.body.length} bytes`)
      assert.equal(decode(raw.body).toString(), plain.text)
    }
    const refused = await web.ask({ ...ask, headers: { ...headers, 'accept-encoding': 'gzip;q=0' } })
    assert.equal(refused.headers['content-encoding'], undefined)
  }
})

test('a short answer is sent as it is', async (t) => {
  const web = await startFixture(t)
  const { headers, body } = await web.ask({ path: '/health', headers: { 'accept-encoding': 'gzip' } })
  assert.ok(body.length < limits.encodedBytesMin)
  assert.equal(headers['content-encoding'], undefined)
})

for (const encoding of ['gzip', 'br', 'zstd'] as const)
  test(`${encoding} asks for no more than its reader takes`, async () => {
    let made = 0
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (; made < 1000; made += 1) yield randomBytes(64 * 1024)
    }
    const pieces = encoded(source(), encoding)[Symbol.asyncIterator]()
    await pieces.next()
    // Nothing is read for as many turns as all of it would need.
    for (let turn = 0; turn < 1000; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    // Brotli keeps up to 8 MiB in itself.
    assert.ok(made < 500, `${made} pieces were made for a reader that took one`)
    await pieces.return?.()
  })
