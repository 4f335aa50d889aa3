import assert from 'node:assert/strict'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { pieces, startBareNode } from './networks.fixture.ts'
import { StreamSocket } from './stream-socket.ts'

test('64 MiB go there and back through a reader that waits in bounded memory', async (t) => {
  const [near, far] = [await startBareNode(t), await startBareNode(t)]
  await far.handle('/echo', async (stream) => {
    const socket = new StreamSocket(stream)
    await pipeline(socket, socket).catch(() => undefined)
  })
  const connection = await near.dial(multiaddr(far.getMultiaddrs()[0]))
  const socket = new StreamSocket(await connection.newStream('/echo'))
  let [sent, read, ahead, misplaced] = [0, 0, 0, 0]
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces(1024)) {
      sent += piece.byteLength
      yield piece
    }
  }
  const writing = pipeline(source, socket, { end: true }).catch((error: unknown) => error)
  for await (const part of socket as AsyncIterable<Buffer>) {
    if (read === 0) await untilStill(() => sent)
    for (let at = 0; at < part.byteLength; at += 64 * 1024 - ((read + at) % (64 * 1024)))
      if (part[at] !== Math.floor((read + at) / (64 * 1024)) % 251) misplaced += 1
    read += part.byteLength
    ahead = Math.max(ahead, sent - read)
  }
  await writing
  assert.equal(misplaced, 0, 'pieces out of place')
  assert.equal(read, 64 * 1024 * 1024)
  assert.ok(ahead < 8 * limits.streamWindow, `${ahead} bytes were on the way`)
})

/** Waits until a number has not changed for a while. */
async function untilStill(read: () => number): Promise<void> {
  for (let [still, before] = [0, read()]; still < 40; still += 1) {
    await realClock.sleep(5)
    if (read() !== before) still = 0
    before = read()
  }
}

test('unread bytes survive the end and the close of the stream', async (t) => {
  const [near, far] = [await startBareNode(t), await startBareNode(t)]
  await far.handle('/send', async (stream) => {
    const socket = new StreamSocket(stream)
    socket.resume()
    socket.end(Buffer.alloc(200_000, 1))
  })
  const connection = await near.dial(multiaddr(far.getMultiaddrs()[0]))
  const stream = await connection.newStream('/send')
  const socket = new StreamSocket(stream)
  const over = once(stream, 'close')
  socket.end()
  await over
  let read = 0
  for await (const part of socket as AsyncIterable<Buffer>) read += part.byteLength
  assert.equal(read, 200_000)
})

test('a socket that nobody reads closes with its connection', async (t) => {
  const [near, far] = [await startBareNode(t), await startBareNode(t)]
  await far.handle('/wait', (stream) => void new StreamSocket(stream).resume())
  const connection = await near.dial(multiaddr(far.getMultiaddrs()[0]))
  const socket = new StreamSocket(await connection.newStream('/wait'))
  socket.write('something')
  const closed = once(socket, 'close')
  await Promise.all(far.getConnections().map((connection) => connection.close()))
  await closed
  assert.equal(socket.destroyed, true)
})
