import assert from 'node:assert/strict'
import { createServer as createTcpServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Clock, realClock } from '../base/clock.ts'
import { fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import type { PeerId, Role } from '../base/words.ts'
import { decode, encode } from '../codec/cbor-schema.ts'
import { selfSigned } from './certificate.fixture.ts'
import { dialLane, LaneListener, laneMessage, type LaneOffer } from './lane.ts'
import type { Libp2pNetwork } from './libp2p-network.ts'
import { collect, introduce, pieces, startNetwork } from './networks.fixture.ts'

const peer = 'a peer' as PeerId
const head = Buffer.from('head')

/** A listener alone, on a port of its own; `taken` holds what got through. */
async function startListener(
  t: TestContext,
  clock: Clock = realClock,
): Promise<{ issue: () => LaneOffer; taken: TLSSocket[]; listener: LaneListener }> {
  const listener = new LaneListener(clock, systemRandom)
  const taken: TLSSocket[] = []
  const server = createTcpServer((socket) => listener.accept(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.after(() => {
    for (const socket of taken) socket.destroy()
    server.close()
  })
  const take = (socket: TLSSocket): void => {
    taken.push(socket)
    socket.pipe(socket)
  }
  return { issue: () => listener.issue(peer, port, take), taken, listener }
}

test('a lane carries bytes under its key, and what it leaves resumes nothing', async (t) => {
  const { issue, taken } = await startListener(t)
  const offer = issue()
  const lane = await dialLane('127.0.0.1', offer, realClock)
  const sessions: Buffer[] = []
  lane.on('session', (session: Buffer) => sessions.push(session))
  lane.write('ping')
  const [echoed] = (await once(lane, 'data')) as [Buffer]
  assert.equal(echoed.toString(), 'ping')
  assert.equal(lane.getProtocol(), 'TLSv1.3')
  assert.equal(lane.getCipher().name, 'TLS_AES_128_GCM_SHA256')
  for (const session of [...sessions, lane.getSession()]) {
    const again = connect({ host: '127.0.0.1', port: offer.port, rejectUnauthorized: false, session })
    await assert.rejects(once(again, 'secureConnect'))
  }
  assert.equal(taken.length, 1)
  lane.destroy()
})

test('a lane is refused when its id is used again, unknown, withdrawn, or its key is wrong', async (t) => {
  const { issue, taken, listener } = await startListener(t)
  const offer = issue()
  const first = await dialLane('127.0.0.1', offer, realClock)
  await assert.rejects(dialLane('127.0.0.1', offer, realClock), 'the same id again')
  await assert.rejects(
    dialLane('127.0.0.1', { ...issue(), id: systemRandom.bytes(16) }, realClock),
    'an unknown id',
  )
  const guessed = issue()
  await assert.rejects(
    dialLane('127.0.0.1', { ...guessed, key: systemRandom.bytes(32) }, realClock),
    'a wrong key',
  )
  await assert.rejects(dialLane('127.0.0.1', guessed, realClock), 'the right key after a wrong one')
  const withdrawn = issue()
  listener.withdraw(peer)
  await assert.rejects(dialLane('127.0.0.1', withdrawn, realClock), 'a withdrawn id')
  assert.equal(taken.length, 1)
  first.destroy()
})

test('a lane is refused after its minute, whatever the wall clock says', async (t) => {
  let nowMs = 0
  const clock: Clock = { ...realClock, monotonicMs: () => nowMs }
  const { issue, taken } = await startListener(t, clock)
  const [inTime, late] = [issue(), issue()]
  nowMs = limits.laneOfferMs - 1
  const lane = await dialLane('127.0.0.1', inTime, realClock)
  nowMs = limits.laneOfferMs
  await assert.rejects(dialLane('127.0.0.1', late, realClock))
  assert.equal(taken.length, 1)
  lane.destroy()
})

test('a lane ends after its life', async (t) => {
  const { issue } = await startListener(t)
  const timers: { ms: number; run: () => void }[] = []
  const clock: Clock = {
    ...realClock,
    after: (ms, run) => {
      timers.push({ ms, run })
      return () => undefined
    },
  }
  const lane = await dialLane('127.0.0.1', issue(), clock)
  timers.find(({ ms }) => ms === limits.laneLifeMs)?.run()
  assert.ok(lane.destroyed)
})

test('a lane without a key, or with another kind of TLS, is refused', async (t) => {
  const { issue, taken } = await startListener(t)
  const { port } = issue()
  for (const options of [{}, { maxVersion: 'TLSv1.2' as const }]) {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    await assert.rejects(once(socket, 'secureConnect'))
  }
  assert.equal(taken.length, 0)
})

test('a lane that shows a certificate is dropped by the dialler', async (t) => {
  const server = createTlsServer({ ...selfSigned('127.0.0.1'), minVersion: 'TLSv1.3' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  server.on('secureConnection', (socket) => socket.destroy())
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const { port } = server.address() as AddressInfo
  const offer = { port, id: systemRandom.bytes(16), key: systemRandom.bytes(32) }
  await assert.rejects(dialLane('127.0.0.1', offer, realClock))
})

/** Asks bulk requests until a lane is there. */
async function untilLane(client: Libp2pNetwork, server: PeerId): Promise<void> {
  const path = (): string | undefined => client.connections().find(({ peer }) => peer === server)?.path
  while (path() !== 'lane') {
    const reply = await client.request(server, 'chunks.get', head)
    await collect(reply.body)
    await realClock.sleep(5)
  }
}

const bulk = (network: Libp2pNetwork): void =>
  network.serve('chunks.get', async (call) => ({ head: call.head, body: pieces(40) }))

test('bulk goes over a lane, whichever end dialled', async (t) => {
  const server = await startNetwork(t, { prepare: bulk })
  const client = await startNetwork(t, { prepare: bulk })
  introduce(client, server)
  await untilLane(client, server.peer)
  await untilLane(server, client.peer)
  const whole = await collect(pieces(40))
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    const replies = Array.from({ length: 6 }, async () => {
      const reply = await from.request(to.peer, 'chunks.get', head)
      return await collect(reply.body)
    })
    for (const body of await Promise.all(replies)) assert.deepEqual(body, whole)
  }
})

test('the role is looked up for every request on a lane', async (t) => {
  let role: Role = 'member'
  let handled = 0
  const server = await startNetwork(t, {
    roleOf: () => role,
    prepare: (network) =>
      network.serve('chunks.get', async () => {
        handled += 1
        return { head }
      }),
  })
  const client = await startNetwork(t)
  introduce(client, server)
  await untilLane(client, server.peer)
  role = 'ex-member'
  const before = handled
  const refused = (error: unknown): boolean => isCode(error, 'PEER_REFUSED')
  await assert.rejects(client.request(server.peer, 'chunks.get', head), refused)
  await assert.rejects(client.request(server.peer, 'lane.open', encode(laneMessage, {})), refused)
  assert.equal(handled, before)
})

test('an offer made before a revocation leads nowhere after it', async (t) => {
  const server = await startNetwork(t)
  const client = await startNetwork(t)
  introduce(client, server)
  const reply = await client.request(server.peer, 'lane.open', encode(laneMessage, {}))
  const { offer } = decode(laneMessage, reply.head, 'the answer', limits.requestHeadBytes)
  assert.ok(offer)
  await server.disconnect(client.peer)
  await assert.rejects(dialLane('127.0.0.1', offer, realClock))
})

test('only so many lanes are offered to one peer, and bad heads are refused', async (t) => {
  const server = await startNetwork(t)
  const client = await startNetwork(t)
  introduce(client, server)
  const open = async (bytes: Uint8Array): Promise<unknown> =>
    await client.request(server.peer, 'lane.open', bytes)
  for (let count = 0; count < 2 * limits.lanesPerPeer; count += 1) await open(encode(laneMessage, {}))
  await assert.rejects(open(encode(laneMessage, {})), (error) => isCode(error, 'RATE_LIMITED'))
  await assert.rejects(open(Buffer.from('not CBOR')), (error) => isCode(error, 'BAD_INPUT'))
})

test('disconnecting a peer ends its lanes in the middle of a request', async (t) => {
  const cut = Promise.withResolvers<void>()
  const server = await startNetwork(t, {
    prepare: (network) =>
      network.serve('chunks.get', async (call) => {
        call.signal.addEventListener('abort', () => cut.resolve())
        if (call.head.byteLength === 0) return { head, body: endless() }
        return { head }
      }),
  })
  const client = await startNetwork(t)
  introduce(client, server)
  await untilLane(client, server.peer)
  const reply = await client.request(server.peer, 'chunks.get', Buffer.alloc(0))
  const reading = collect(reply.body)
  await server.disconnect(client.peer)
  await assert.rejects(reading, (error) => isCode(error, 'PEER_UNREACHABLE'))
  await cut.promise
})

async function* endless(): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(64 * 1024)
  while (true) yield piece
}

test('a request whose lane cannot be had goes over a stream', async (t) => {
  const server = await startNetwork(t, {
    prepare: (network) => {
      bulk(network)
      network.serve('lane.open', async () => {
        throw fail('NOT_HERE', { what: 'a lane', reason: 'switched off' })
      })
    },
  })
  const client = await startNetwork(t)
  introduce(client, server)
  for (let count = 0; count < 3; count += 1) {
    const reply = await client.request(server.peer, 'chunks.get', head)
    assert.equal((await collect(reply.body)).byteLength, 40 * 64 * 1024)
  }
  assert.equal(client.connections()[0]?.path, 'direct')
})
