/** Peers that send too much, too little, nonsense, or nothing; and those that do not read. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isCode, PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { realClock } from '../base/clock.ts'
import type { PeerId, Role } from '../base/words.ts'
import type { Libp2pNetwork } from './libp2p-network.ts'
import { collect, fireUntil, manualClock, startBareNode, startNetwork } from './networks.fixture.ts'
import { protocol } from './peer-connections.ts'
import { StreamSocket } from './stream-socket.ts'

const head = Buffer.from('head')
const post = (name: string, length: string, body = ''): string =>
  `POST /${name} HTTP/1.1\r\n${length}\r\n\r\n${body}`
const framedHead = '\x04\0\0\0head'

/** Opens raw streams to a network. */
async function intrude(t: TestContext, network: Libp2pNetwork): Promise<() => Promise<StreamSocket>> {
  const node = await startBareNode(t)
  const connection = await node.dial(multiaddr(network.addresses()[0]))
  return async () => {
    return new StreamSocket(await connection.newStream(protocol))
  }
}

const closed = (socket: StreamSocket): Promise<unknown> =>
  new Promise((resolve) => {
    socket.resume()
    socket.once('close', resolve)
  })

async function statusOf(socket: StreamSocket): Promise<string> {
  const [first] = (await once(socket, 'data')) as [Buffer]
  return first.toString().slice(9, 12)
}

const hello = (network: Libp2pNetwork): void => network.serve('hello', async (call) => ({ head: call.head }))

test('names, methods and forms that do not exist are refused', async (t) => {
  const open = await intrude(t, await startNetwork(t, { prepare: hello }))
  const tries: [string, string][] = [
    [post('hello', 'content-length: 8', framedHead), '200'],
    [post('nonsense', 'content-length: 0'), '403'],
    [post('__proto__', 'content-length: 0'), '403'],
    ['GET /hello HTTP/1.1\r\n\r\n', '403'],
    [post('hello', 'content-length: 0'), '400'],
    [post('hello', 'content-length: 8', '\x09\0\0\0head'), '400'],
    [post('hello', 'content-length: 99999999'), '413'],
    [post('hello', 'transfer-encoding: chunked', '4\r\n\xff\xff\xff\x7f\r\n'), '413'],
  ]
  for (const [bytes, status] of tries) {
    const socket = await open()
    socket.write(Buffer.from(bytes, 'latin1'))
    assert.equal(await statusOf(socket), status, bytes)
    socket.destroy()
  }
})

test('what is not HTTP, or has too large a header, ends the stream', async (t) => {
  const open = await intrude(t, await startNetwork(t, { prepare: hello }))
  for (const bytes of [
    'nonsense\r\n\r\n',
    `POST /hello HTTP/1.1\r\nx: ${'y'.repeat(9000)}\r\n\r\n`,
    '\0'.repeat(100),
  ]) {
    const socket = await open()
    const end = closed(socket)
    socket.write(bytes)
    await end
  }
})

test('a header that never ends, and a silent stream, are closed', async (t) => {
  const clock = manualClock()
  const open = await intrude(t, await startNetwork(t, { clock, prepare: hello }))
  for (const bytes of ['', 'POST /hello HTTP/1.1\r\nx: ']) {
    const socket = await open()
    const end = closed(socket)
    socket.write(bytes)
    await fireUntil(clock, limits.requestIdleMs, end)
  }
})

test('a device that stops sending in the middle is cut off', async (t) => {
  const clock = manualClock()
  const open = await intrude(t, await startNetwork(t, { clock, prepare: hello }))
  const socket = await open()
  const end = closed(socket)
  socket.write(post('hello', 'content-length: 8', '\0\0'))
  await fireUntil(clock, limits.stallTimeoutMs, end)
})

test('a device that does not read is cut off, and its handler is told', async (t) => {
  const clock = manualClock()
  const aborted = Promise.withResolvers<void>()
  const network = await startNetwork(t, {
    clock,
    prepare: (network) =>
      network.serve('chunks.get', async ({ signal }) => {
        signal.addEventListener('abort', () => aborted.resolve())
        return { head, body: endless() }
      }),
  })
  const open = await intrude(t, network)
  const socket = await open()
  socket.write(Buffer.from(post('chunks.get', 'content-length: 8', framedHead), 'latin1'))
  await fireUntil(clock, limits.stallTimeoutMs, aborted.promise)
})

async function* endless(): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(64 * 1024)
  while (true) yield piece
}

test('a stranger gets few streams and one deadline', async (t) => {
  const clock = manualClock()
  const network = await startNetwork(t, {
    clock,
    role: 'stranger',
    prepare: (network) => network.serve('invite.redeem', async (call) => ({ head: call.head })),
  })
  const open = await intrude(t, network)
  const ends: Promise<unknown>[] = []
  for (let count = 0; count < limits.strangerStreams; count += 1) {
    const socket = await open()
    ends.push(closed(socket))
    socket.write(post('invite.redeem', 'content-length: 8', '\0\0'))
  }
  const tooMany = await open().catch(() => undefined)
  if (tooMany !== undefined) await closed(tooMany)
  await fireUntil(clock, limits.requestTimeoutMs, Promise.all(ends))
})

test('who stays a stranger loses his connection, who becomes a device keeps it', async (t) => {
  const clock = manualClock()
  const roles = new Map<string, Role>()
  const network = await startNetwork(t, { clock, roleOf: (peer) => roles.get(peer) ?? 'stranger' })
  const [stays, joins] = [await startBareNode(t), await startBareNode(t)]
  for (const node of [stays, joins]) await node.dial(multiaddr(network.addresses()[0]!))
  const idOf = (node: typeof stays): PeerId => node.peerId.toString() as PeerId
  const gone = new Promise((resolve) => stays.addEventListener('connection:close', resolve))
  while (network.connections().length < 2) await realClock.sleep(5)
  roles.set(idOf(joins), 'member')
  assert.equal(clock.fire(limits.strangerLifeMs), 2)
  await gone
  assert.deepEqual(
    network.connections().map(({ peer }) => peer),
    [idOf(joins)],
  )
})

/** A peer that answers every request with `bytes` and then, unless it stays, hangs up. */
async function startLiar(
  t: TestContext,
  bytes: string,
  stay = false,
): Promise<{ peer: PeerId; address: string }> {
  const node = await startBareNode(t)
  await node.handle(protocol, (stream) => {
    const socket = new StreamSocket(stream)
    socket.once('data', () => {
      socket.write(Buffer.from(bytes, 'latin1'))
      if (!stay) socket.end()
      socket.resume()
    })
  })
  return { peer: node.peerId.toString() as PeerId, address: node.getMultiaddrs()[0]?.toString() ?? '' }
}

test('wrong answers are told from absent ones', async (t) => {
  const ok = (length: number | string, body: string): string =>
    `HTTP/1.1 200 OK\r\n${typeof length === 'number' ? `content-length: ${length}` : length}\r\n\r\n${body}`
  const error = (body: string): string => `HTTP/1.1 500 X\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const tries: [string, string][] = [
    ['nonsense\r\n\r\n', 'PEER_MISBEHAVED'],
    [ok(8, '\xff\xff\xff\x7f0000'), 'PEER_MISBEHAVED'],
    [ok(2, '\0\0'), 'PEER_MISBEHAVED'],
    [error('{"code":"NO_SUCH","data":{}}'), 'PEER_MISBEHAVED'],
    [error('{"code":"toString","data":{}}'), 'PEER_MISBEHAVED'],
    [error('{"code":"QUOTA_FULL","data":{"limit":{}}}'), 'PEER_MISBEHAVED'],
    [error('not JSON'), 'PEER_MISBEHAVED'],
    [error('x'.repeat(limits.requestHeadBytes + 1)), 'PEER_MISBEHAVED'],
    [error('{"code":"QUOTA_FULL","data":{"limit":1}}'), 'QUOTA_FULL'],
    [ok(8, '\0\0'), 'PEER_UNREACHABLE'],
    ['', 'PEER_UNREACHABLE'],
  ]
  const client = await startNetwork(t)
  for (const [bytes, code] of tries) {
    const { peer, address } = await startLiar(t, bytes)
    client.learn(peer, [address])
    const thrown = await client.request(peer, 'hello', head).catch((error: unknown) => error)
    assert.ok(thrown instanceof PeerStorError, String(thrown))
    assert.equal(thrown.code, code, `${JSON.stringify(bytes.slice(0, 80))}: ${thrown.message}`)
  }
})

test('an answer that is cut off or stalls fails, whole frames or not', async (t) => {
  const begun = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n\x04\0\0\0head\r\n'
  const clock = manualClock()
  const client = await startNetwork(t, { clock })
  const ask = async ({ peer, address }: { peer: PeerId; address: string }): Promise<Buffer> => {
    client.learn(peer, [address])
    return await collect((await client.request(peer, 'hello', head)).body)
  }
  await assert.rejects(ask(await startLiar(t, begun)), (error) => isCode(error, 'PEER_UNREACHABLE'))
  const slow = ask(await startLiar(t, begun, true))
  const failed = assert.rejects(slow, (error) => isCode(error, 'TIMED_OUT'))
  await fireUntil(clock, limits.stallTimeoutMs, failed)
})
