/**
 * Slow clients in virtual time over real sockets: never cut while anything moves, always dropped when
 * nothing does. `SLOW_SECONDS=1200` makes the slow upload of the last test that long in real time.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Stream, connect as connect2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ManualClock } from '../../test/manual-clock.ts'
import { eventually, startPeer, temporaryFolder } from '../../test/peer-fixture.ts'
import { limits } from '../base/limits.ts'
import type { Peer } from '../peer/peer.ts'
import { type WebFace, startWebFace } from './server.ts'

interface Scene {
  peer: Peer
  face: WebFace
  clock: ManualClock
}

async function open(t: TestContext): Promise<Scene> {
  const peer = await startPeer(t, { home: await temporaryFolder(t) })
  const clock = new ManualClock()
  const face = await startWebFace(peer, { host: '127.0.0.1', port: 0, clock })
  t.after(async () => {
    const closed = face.close()
    await clock.until(closed)
  })
  return { peer, face, clock }
}

/** A socket on which a request was begun. */
async function begin(t: TestContext, { peer, face }: Scene, head: string): Promise<Socket> {
  const socket = connect(face.port, '127.0.0.1')
  // Each byte leaves at once, not when the one before is acknowledged.
  socket.setNoDelay(true).on('error', () => undefined)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  const [line, ...fields] = head.split('\n')
  const all = [line, 'host: localhost', `authorization: Bearer ${peer.tokens.launchToken}`, ...fields]
  socket.write(`${all.join('\r\n')}\r\n\r\n`)
  return socket
}

/** What was sent before is read, or soon will be: the face has gone round since. A third of the time is left for more. */
async function arrived({ face }: Scene): Promise<void> {
  for (let round = 0; round < 2; round += 1) await (await fetch(`${face.url}/health`)).body?.cancel()
}

async function pass(scene: Scene, ms: number): Promise<void> {
  await arrived(scene)
  await scene.clock.advance(ms)
}

for (const [name, head, body] of [
  ['PUT', 'PUT /files/files/slow HTTP/1.1\ncontent-length: 20', Buffer.from('0123456789')],
  ['a JSON body', 'POST /api/v1/folders HTTP/1.1\ncontent-length: 20', Buffer.from('{"name":"a')],
  ['a batch', 'POST /api/v1/batch HTTP/1.1\ncontent-length: 20', Buffer.from('\0\0\0\x40{"path')],
] as const)
  test(`${name}: a byte now and then keeps it, silence ends it`, async (t) => {
    const scene = await open(t)
    const socket = await begin(t, scene, head)
    let closed = false
    socket.on('close', () => (closed = true)).resume()
    await eventually('it is read', () => scene.clock.waiting > 0)
    for (let sent = 0; sent < 10; sent += 1) {
      socket.write(Buffer.of(body[sent]!))
      await arrived(scene)
      await scene.clock.advance(limits.stallTimeoutMs / 3)
      assert.ok(!closed, `cut after ${sent} bytes`)
    }
    await scene.clock.advance(2 * limits.stallTimeoutMs)
    await eventually('it is dropped', () => closed)
    assert.equal(scene.peer.files.has('files/slow'), false)
  })

test('a download is not cut while its reader takes a little, and dropped when it takes nothing', async (t) => {
  const scene = await open(t)
  const content = Buffer.alloc(48 * 2 ** 20, 'x')
  await scene.peer.files.put(
    'files/big',
    (async function* () {
      for (let at = 0; at < content.length; at += 2 ** 20)
        yield Uint8Array.from(content.subarray(at, at + 2 ** 20))
    })(),
  )
  const socket = await begin(t, scene, 'GET /files/files/big HTTP/1.1')
  let closed = false
  let read = 0
  socket.on('close', () => (closed = true))
  socket.pause()
  await eventually('the socket is full', () => scene.clock.waiting > 0)
  const readSome = async (): Promise<void> => {
    const until = read + 2 * 2 ** 20
    while (read < until && !socket.destroyed) {
      read += (socket.read() as Buffer | null)?.length ?? 0
      await wait(1)
    }
  }
  for (let round = 0; round < 8; round += 1) {
    await readSome()
    await pass(scene, limits.unreadTimeoutMs / 3)
    assert.ok(!closed, `cut after ${read} bytes`)
  }
  assert.ok(read < content.length)
  await pass(scene, 2 * limits.unreadTimeoutMs)
  socket.resume()
  await eventually('it is dropped', () => closed)
})

test('an answer that nobody reads is dropped, though it was given whole', async (t) => {
  const scene = await open(t)
  const text = 'x'.repeat(4000)
  await Promise.all(
    Array.from({ length: 800 }, (_, n) =>
      scene.peer.files.makeFolder(`files/${n}${text.slice(0, 200)}/${text.slice(0, 250)}`),
    ),
  )
  const socket = await begin(t, scene, 'GET /api/v1/list/files?recursive=1&limit=1000 HTTP/1.1')
  let closed = false
  socket.on('close', () => (closed = true)).pause()
  // Many times over one connection, until neither side's buffers take any more.
  const again = `GET /api/v1/list/files?recursive=1&limit=1000 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${scene.peer.tokens.launchToken}\r\n\r\n`
  for (let count = 0; count < 40; count += 1) socket.write(again)
  await eventually('an answer waits', () => scene.clock.waiting > 0)
  await eventually('it is dropped', async () => {
    await pass(scene, limits.unreadTimeoutMs)
    // A closed socket is noticed when it is read.
    if (scene.clock.waiting === 0) socket.resume()
    return closed
  })
})

/** A stream of HTTP/2 with a window so small that what is not read soon is not sent. */
function begin2(t: TestContext, { peer, face }: Scene, headers: Record<string, string>): ClientHttp2Stream {
  const session = connect2(`https://127.0.0.1:${face.port}`, {
    rejectUnauthorized: false,
    settings: { initialWindowSize: 32 * 1024 },
  })
  session.on('error', () => undefined)
  t.after(() => session.destroy())
  const authorization = `Bearer ${peer.tokens.launchToken}`
  return session.request({ authorization, ...headers }).on('error', () => undefined)
}

test('HTTP/2: an upload is kept by a byte now and then, silence ends it', async (t) => {
  const scene = await open(t)
  const stream = begin2(t, scene, { ':method': 'PUT', ':path': '/files/files/slow', 'content-length': '20' })
  let closed = false
  stream.on('close', () => (closed = true)).resume()
  await eventually('it is read', () => scene.clock.waiting > 0)
  for (let sent = 0; sent < 10; sent += 1) {
    await new Promise((resolve) => stream.write('x', resolve))
    await arrived(scene)
    await scene.clock.advance(limits.stallTimeoutMs / 3)
    assert.ok(!closed, `cut after ${sent} bytes`)
  }
  await eventually('it is dropped', async () => {
    await pass(scene, limits.stallTimeoutMs)
    return closed
  })
  assert.equal(scene.peer.files.has('files/slow'), false)
})

for (const path of ['/files/files/big', '/api/v1/list/files?recursive=1&limit=1000'])
  test(`HTTP/2: ${path} is not cut while its reader takes a little, and dropped when it takes nothing`, async (t) => {
    const scene = await open(t)
    const content = Buffer.alloc(2 ** 20, 'x')
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield Uint8Array.from(content)
    }
    if (path.startsWith('/files')) await scene.peer.files.put('files/big', source())
    else
      await Promise.all(
        Array.from({ length: 1000 }, (_, n) =>
          scene.peer.files.makeFolder(`files/${n}${'x'.repeat(240)}/${'y'.repeat(250)}/${'z'.repeat(250)}`),
        ),
      )
    const stream = begin2(t, scene, { ':path': path })
    let closed = false
    let read = 0
    stream.on('close', () => (closed = true)).pause()
    await eventually('the window is full', () => scene.clock.waiting > 0)
    for (let round = 0; round < 2; round += 1) {
      // More than the window and what this end reads ahead: the other end has sent on since.
      const until = read + 224 * 1024
      await eventually('it goes on', () => {
        read += (stream.read() as Buffer | null)?.length ?? 0
        return read >= until || closed
      })
      await pass(scene, 0.7 * limits.unreadTimeoutMs)
      assert.ok(!closed, `cut after ${read} bytes`)
    }
    await pass(scene, 2 * limits.unreadTimeoutMs)
    await eventually('it is dropped', () => {
      stream.read()
      return closed
    })
    assert.notEqual(stream.rstCode, 0, 'it looks whole')
  })

const seconds = Number(process.env['SLOW_SECONDS'] ?? 2)

test(
  `an upload of ${seconds} seconds at a few bytes a second arrives whole`,
  { timeout: (seconds + 60) * 1000 },
  async (t) => {
    const peer = await startPeer(t, { home: await temporaryFolder(t) })
    const face = await startWebFace(peer, { host: '127.0.0.1', port: 0 })
    t.after(() => face.close())
    const pieces = seconds * 4
    const socket = await begin(
      t,
      { peer, face, clock: new ManualClock() },
      `PUT /files/files/slow HTTP/1.1\ncontent-length: ${pieces}`,
    )
    let answer = ''
    socket.on('data', (part: Buffer) => (answer += part.toString()))
    for (let sent = 0; sent < pieces; sent += 1) {
      socket.write('x')
      await wait(250)
    }
    await eventually('it is answered', () => answer.startsWith('HTTP/1.1 201'))
    assert.equal((await peer.files.info('files/slow')).size, pieces)
  },
)
