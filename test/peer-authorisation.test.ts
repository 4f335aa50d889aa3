/**
 * Every role × every request, generated from the registry, between real peers: what the registry allows
 * reaches its handler, everything else is refused before the handler runs and before the body is read.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCode, PeerStorError } from '../src/base/errors.ts'
import { limits } from '../src/base/limits.ts'
import { type Role, roles } from '../src/base/words.ts'
import { encode } from '../src/codec/cbor-schema.ts'
import { laneMessage } from '../src/net/lane.ts'
import { introduce, startNetwork } from '../src/net/networks.fixture.ts'
import { mayAsk, registry, type RequestName, requestNames } from '../src/net/registry.ts'

for (const role of roles) {
  test(`a ${role} may ask what the registry says, and nothing else`, async (t) => {
    const handled: { name: RequestName; role: Role }[] = []
    const server = await startNetwork(t, {
      role,
      prepare: (network) => {
        for (const name of requestNames.filter((name) => name !== 'lane.open'))
          network.serve(name, async (call) => {
            handled.push({ name, role: call.role })
            return { head: call.head }
          })
      },
    })
    const client = await startNetwork(t)
    introduce(client, server)
    for (const name of requestNames) {
      handled.length = 0
      const head = encode(laneMessage, {})
      const answer = client.request(server.peer, name, head)
      if ((registry[name].roles as readonly Role[]).includes(role)) {
        await answer
        assert.deepEqual(handled, name === 'lane.open' ? [] : [{ name, role }])
      } else {
        await assert.rejects(answer, {
          code: 'PEER_REFUSED',
          data: { peer: server.peer, request: name, role },
        })
        assert.deepEqual(handled, [])
      }
    }
  })
}

test('the matrix names every request once and gives strangers two of them', () => {
  const strangers = requestNames.filter((name) => mayAsk('stranger', name))
  assert.deepEqual(strangers, ['invite.redeem', 'recovery.push'])
  const former = requestNames.filter((name) => mayAsk('ex-member', name))
  assert.deepEqual(former, ['invite.redeem'])
  for (const name of strangers)
    assert.ok(registry[name].headBytes + registry[name].bodyBytes <= 2 * limits.strangerBodyBytes)
})

test('a refused body is not read: the sender of an endless one is cut short', async (t) => {
  for (const [role, code] of [
    ['ex-member', 'PEER_REFUSED'],
    ['stranger', 'TOO_LARGE'],
  ] as const) {
    const server = await startNetwork(t, {
      role,
      prepare: (network) =>
        network.serve('recovery.push', async ({ head, body }) => {
          for await (const part of body) assert.ok(part.byteLength > 0)
          return { head }
        }),
    })
    const client = await startNetwork(t)
    introduce(client, server)
    let sent = 0
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      const piece = Buffer.alloc(16 * 1024)
      while (true) {
        sent += piece.byteLength
        yield piece
      }
    }
    const head = Buffer.from('head')
    await assert.rejects(client.request(server.peer, 'recovery.push', head, { body: endless() }), (error) => {
      assert.ok(error instanceof PeerStorError)
      assert.ok(isCode(error, code), error.message)
      return true
    })
    assert.ok(sent < 4 * limits.streamWindow, `${sent} bytes were taken`)
    const others = await client
      .request(server.peer, role === 'stranger' ? 'recovery.push' : 'invite.redeem', head)
      .catch((error: unknown) => error)
    assert.ok(role === 'stranger' ? !(others instanceof Error) : isCode(others, 'NOT_HERE'))
  }
})
