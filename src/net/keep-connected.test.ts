import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import type { PeerId } from '../base/words.ts'
import { KeepConnected } from './keep-connected.ts'
import { introduce, startNetwork } from './networks.fixture.ts'

const peer = 'a peer' as PeerId

/** A clock whose timers run by hand, and a dialler whose success is set by the test. */
function setUp(bootstrap: string[] = []): {
  keep: KeepConnected
  net: { reachable: boolean; connected: Set<PeerId>; dials: number }
  pauses: number[]
  /** Runs the only timer, and what follows from it. */
  pass: () => Promise<void>
} {
  const timers = new Set<() => void>()
  const pauses: number[] = []
  const clock: Clock = {
    ...realClock,
    after: (ms, run) => {
      pauses.push(ms)
      timers.add(run)
      return () => timers.delete(run)
    },
  }
  const net = { reachable: false, connected: new Set<PeerId>(), dials: 0 }
  const dial = async (): Promise<PeerId> => {
    net.dials += 1
    if (!net.reachable) throw new Error('nobody there')
    net.connected.add(peer)
    return peer
  }
  const keep = new KeepConnected(
    {
      clock,
      random: { ...systemRandom, number: () => 1 },
      isConnected: (peer) => net.connected.has(peer),
      dialPeer: dial,
      dialAddress: dial,
    },
    bootstrap,
  )
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const pass = async (): Promise<void> => {
    await settle()
    assert.ok(timers.size <= 1, 'one timer for one target')
    const due = [...timers]
    timers.clear()
    for (const run of due) run()
    await settle()
  }
  return { keep, net, pauses, pass }
}

test('pauses double up to their limit and start anew after success', async () => {
  const { keep, net, pauses, pass } = setUp()
  keep.setPeers([peer])
  assert.equal(net.dials, 0)
  keep.start()
  for (let count = 0; count < 9; count += 1) await pass()
  const expected = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000)
  assert.deepEqual(pauses.slice(0, 9), expected)
  assert.equal(expected.at(-1), limits.reconnectMaxMs)
  net.reachable = true
  await pass()
  const { dials } = net
  await pass()
  assert.equal(net.dials, dials, 'nothing is dialled while connected')
  net.connected.delete(peer)
  keep.lost(peer)
  assert.equal(pauses.at(-1), limits.reconnectMinMs)
  await pass()
  assert.ok(net.connected.has(peer))
})

test('news of a peer ends its pause, and letting go of it ends the dialling', async () => {
  const { keep, net, pass } = setUp()
  keep.start()
  keep.setPeers([peer])
  await pass()
  await pass()
  const { dials } = net
  net.reachable = true
  keep.wake(peer)
  await pass()
  assert.equal(net.dials, dials + 1)
  net.connected.clear()
  keep.setPeers([])
  keep.lost(peer)
  await pass()
  assert.equal(net.dials, dials + 1)
})

test('a bootstrap address shows its state', async () => {
  const { keep, net, pass } = setUp(['host:1'])
  const state = (): unknown => {
    const [{ address, state, attempts, error } = assert.fail()] = keep.bootstrap()
    return { address, state, attempts, error }
  }
  keep.start()
  await pass()
  assert.deepEqual(state(), { address: 'host:1', state: 'waiting', attempts: 2, error: 'nobody there' })
  net.reachable = true
  await pass()
  assert.deepEqual(state(), { address: 'host:1', state: 'connected', attempts: 0, error: undefined })
  keep.stop()
})

test('a peer that restarts is connected again', async (t) => {
  const privateKey = systemRandom.bytes(32)
  const first = await startNetwork(t, { privateKey })
  const port = Number(/tcp\/(\d+)/.exec(first.addresses()[0] ?? '')?.[1])
  const events: string[] = []
  const waiting = new Map<string, () => void>()
  const client = await startNetwork(t, {
    prepare: (network) =>
      network.on(({ type }) => {
        events.push(type)
        waiting.get(`${type} ${events.length}`)?.()
      }),
  })
  const until = (event: string): Promise<void> =>
    new Promise((resolve) => {
      const [type, count] = event.split(' ')
      if (events[Number(count) - 1] === type) resolve()
      waiting.set(event, resolve)
    })
  introduce(client, first)
  client.keepConnected([first.peer])
  await until('connect 1')
  await first.stop()
  await until('disconnect 2')
  const second = await startNetwork(t, { privateKey, port })
  assert.equal(second.peer, first.peer)
  await until('connect 3')
  assert.ok(client.isConnected(first.peer))
})

test('bootstrap by host and port connects by itself', async (t) => {
  const server = await startNetwork(t)
  const port = /tcp\/(\d+)/.exec(server.addresses()[0] ?? '')?.[1]
  const connected = Promise.withResolvers<PeerId>()
  const client = await startNetwork(t, {
    bootstrap: [`localhost:${port}`],
    prepare: (network) => network.on(({ peer }) => connected.resolve(peer)),
  })
  assert.equal(await connected.promise, server.peer)
  while (client.discovered().bootstrap[0]?.state !== 'connected') await realClock.sleep(1)
})
