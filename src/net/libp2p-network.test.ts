import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Libp2pNetwork } from './libp2p-network.ts'
import type { Call, Handler, KeptPort } from './network.ts'
import { collect, introduce, pieces, startNetwork } from './networks.fixture.ts'
import { registry } from './registry.ts'

const head = Buffer.from('head')

/** Answers with what it was sent. */
const echo: Handler = async (call) => ({ head: call.head, body: call.body })

test('a request reaches its handler and the answer comes back', async (t) => {
  let seen: Call | undefined
  const server = await startNetwork(t, {
    prepare: (network) =>
      network.serve('hello', async (call) => {
        seen = call
        return { head: Buffer.concat([Buffer.from('re: '), call.head]) }
      }),
  })
  const client = await startNetwork(t)
  const reply = await client.request(introduce(client, server), 'hello', head)
  assert.equal(Buffer.from(reply.head).toString(), 're: head')
  assert.equal((await collect(reply.body)).byteLength, 0)
  assert.equal(seen?.from, client.peer)
  assert.equal(seen?.role, 'member')
})

test('streams are reused and counted', async (t) => {
  const server = await startNetwork(t, {
    prepare: (network) => network.serve('hello', async () => ({ head })),
  })
  const client = await startNetwork(t)
  introduce(client, server)
  for (let index = 0; index < 20; index += 1) await client.request(server.peer, 'hello', head)
  const [connection, ...others] = client.connections()
  assert.equal(others.length, 0)
  assert.equal(connection?.peer, server.peer)
  assert.equal(connection?.inbound, false)
  assert.ok((connection?.sentBytes ?? 0) > 20 * head.byteLength)
  assert.ok((server.connections()[0]?.sentBytes ?? 0) > 20 * head.byteLength)
})

test('a body goes there and comes back whole', async (t) => {
  const server = await startNetwork(t, {
    role: 'stranger',
    prepare: (network) => network.serve('recovery.push', echo),
  })
  const client = await startNetwork(t)
  introduce(client, server)
  const reply = await client.request(server.peer, 'recovery.push', head, { body: pieces(1) })
  assert.deepEqual(await collect(reply.body), await collect(pieces(1)))
})

test('64 MiB to a slow reader stay in bounded memory', async (t) => {
  let produced = 0
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces(1024)) {
      produced += piece.byteLength
      yield piece
    }
  }
  const server = await startNetwork(t, {
    prepare: (network) => network.serve('feed.changes', async () => ({ head, body: source() })),
  })
  const client = await startNetwork(t)
  introduce(client, server)
  const reply = await client.request(server.peer, 'feed.changes', head)
  let read = 0
  let ahead = 0
  for await (const part of reply.body) {
    read += part.byteLength
    ahead = Math.max(ahead, produced - read)
    if (read === part.byteLength) await wait(300)
    else if (read < 8 * 1024 * 1024) await wait(1)
  }
  assert.equal(read, 64 * 1024 * 1024)
  assert.ok(ahead < 4 * limits.streamWindow, `${ahead} bytes were produced ahead of the reader`)
})

test('a body above the limit of its request fails, and the next request works', async (t) => {
  const server = await startNetwork(t, {
    prepare: (network) => {
      network.serve('chunks.has', async (call) => {
        await collect(call.body)
        return { head }
      })
      network.serve('hello', async () => ({ head }))
    },
  })
  const client = await startNetwork(t)
  introduce(client, server)
  await assert.rejects(
    client.request(server.peer, 'hello', Buffer.alloc(registry.hello.headBytes + 1)),
    (error) => isCode(error, 'TOO_LARGE'),
  )
  await assert.rejects(client.request(server.peer, 'hello', head, { body: pieces(1) }), (error) =>
    isCode(error, 'TOO_LARGE'),
  )
  assert.deepEqual(Buffer.from((await client.request(server.peer, 'hello', head)).head), head)
})

test('catalogue errors arrive with code and data, others without their inside', async (t) => {
  const server = await startNetwork(t, {
    prepare: (network) => {
      network.serve('hello', async () => {
        throw fail('QUOTA_FULL', { limit: 5, what: 'a chunk', needed: 7 })
      })
      network.serve('chunks.has', async () => {
        throw new Error('a secret path')
      })
    },
  })
  const client = await startNetwork(t)
  introduce(client, server)
  await assert.rejects(client.request(server.peer, 'hello', head), {
    code: 'QUOTA_FULL',
    data: { limit: 5, what: 'a chunk', needed: 7 },
  })
  await assert.rejects(client.request(server.peer, 'chunks.has', head), (error: Error) => {
    assert.ok(isCode(error, 'INTERNAL'))
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
})

test('a peer that is not there, or unknown, is unreachable', async (t) => {
  const client = await startNetwork(t)
  const other = await startNetwork(t)
  await assert.rejects(client.request(other.peer, 'hello', head), (error) =>
    isCode(error, 'PEER_UNREACHABLE'),
  )
  introduce(client, other)
  await other.stop()
  await assert.rejects(client.request(other.peer, 'hello', head), (error) =>
    isCode(error, 'PEER_UNREACHABLE'),
  )
})

test('a caller may give up, and time runs out', async (t) => {
  const started = Promise.withResolvers<Call>()
  const server = await startNetwork(t, {
    prepare: (network) =>
      network.serve('hello', async (call) => {
        started.resolve(call)
        return await new Promise(() => undefined)
      }),
  })
  const client = await startNetwork(t)
  introduce(client, server)
  const controller = new AbortController()
  const answer = client.request(server.peer, 'hello', head, { signal: controller.signal })
  const call = await started.promise
  controller.abort()
  await assert.rejects(answer, (error) => isCode(error, 'INTERRUPTED'))
  await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
  await assert.rejects(client.request(server.peer, 'hello', head, { timeoutMs: 50 }), (error) =>
    isCode(error, 'TIMED_OUT'),
  )
})

test('a request whose connection breaks is asked again, as often as it may', async (t) => {
  let asked = 0
  const server = await startNetwork(t, {
    prepare: (network) =>
      network.serve('hello', async (call) => {
        asked += 1
        if (asked % 3 !== 0) await network.disconnect(call.from)
        return { head }
      }),
  })
  const patient = await startNetwork(t, { retries: 2 })
  introduce(patient, server)
  await patient.dial(server.addresses()[0]!)
  assert.equal(Buffer.from((await patient.request(server.peer, 'hello', head)).head).toString(), 'head')
  assert.equal(asked, 3)
  const impatient = await startNetwork(t)
  introduce(impatient, server)
  await impatient.dial(server.addresses()[0]!)
  await assert.rejects(impatient.request(server.peer, 'hello', head), { code: 'PEER_UNREACHABLE' })
  assert.equal(asked, 4)
})

test('how long an answer may take to begin is a setting', async (t) => {
  const server = await startNetwork(t, {
    prepare: (network) => network.serve('hello', () => new Promise(() => undefined)),
  })
  const client = await startNetwork(t, { requestTimeoutMs: 50 })
  await assert.rejects(client.request(introduce(client, server), 'hello', head), {
    code: 'TIMED_OUT',
    data: { what: `request hello to ${server.peer}`, timeoutMs: 50 },
  })
})

test('dialling an address tells who answered', async (t) => {
  const server = await startNetwork(t)
  const client = await startNetwork(t)
  const port = /tcp\/(\d+)/.exec(server.addresses()[0] ?? '')?.[1]
  assert.equal(await client.dial(`127.0.0.1:${port}`), server.peer)
  assert.equal(await client.dial(server.addresses()[0] ?? ''), server.peer)
  await assert.rejects(client.dial('127.0.0.1:1'), (error) => isCode(error, 'PEER_UNREACHABLE'))
  await assert.rejects(client.dial(client.addresses()[0] ?? ''), (error) => isCode(error, 'PEER_UNREACHABLE'))
  await assert.rejects(client.dial('/ip4/127.0.0.1/udp/1'), (error) => isCode(error, 'BAD_INPUT'))
})

test('a network at any port comes back at the port it had, unless another has it now', async (t) => {
  const portOf = (network: Libp2pNetwork): number =>
    Number(/tcp\/(\d+)/.exec(network.addresses()[0] ?? '')?.[1])
  // Below those that the system gives to connections: nobody takes it by chance.
  let port = portOf(await startNetwork(t, { port: 21_000 })) + 1
  const keptPort: KeptPort = {
    read: () => Promise.resolve(port),
    write: (now) => {
      port = now
      return Promise.resolve()
    },
  }
  const before = port
  const again = await startNetwork(t, { keptPort })
  assert.equal(portOf(again), before)
  const other = await startNetwork(t, { keptPort })
  assert.notEqual(portOf(other), before)
  assert.equal(port, portOf(other), 'the new one is kept')
})

test('a busy port gives way to the next', async (t) => {
  const first = await startNetwork(t)
  const port = Number(/tcp\/(\d+)/.exec(first.addresses()[0] ?? '')?.[1])
  const second = await startNetwork(t, { port })
  assert.doesNotMatch(second.addresses()[0] ?? '', new RegExp(`tcp/${port}/`))
})

test('all interfaces in both families are heard', async (t) => {
  const network = await startNetwork(t, { host: '::' })
  const client = await startNetwork(t)
  const port = /tcp\/(\d+)/.exec(network.addresses()[0] ?? '')?.[1]
  for (const address of [`127.0.0.1:${port}`, `[::1]:${port}`])
    assert.equal(await client.dial(address), network.peer)
})
