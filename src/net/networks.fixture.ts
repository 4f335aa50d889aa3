/** Real networks on 127.0.0.1 for tests; everything is closed when the test ends. */
import type { TestContext } from 'node:test'
import type { Libp2p } from 'libp2p'
import { type Clock, realClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import type { PeerId, Role } from '../base/words.ts'
import { startNode } from './libp2p-node.ts'
import { Libp2pNetwork, type Libp2pNetworkOptions } from './libp2p-network.ts'

/** A started network whose callers all have `role` unless the options say otherwise. */
export async function startNetwork(
  test: TestContext,
  options: Partial<Libp2pNetworkOptions> & { role?: Role; prepare?: (network: Libp2pNetwork) => void } = {},
): Promise<Libp2pNetwork> {
  const { role = 'member', prepare, ...rest } = options
  const network = new Libp2pNetwork({
    privateKey: systemRandom.bytes(32),
    host: '127.0.0.1',
    port: 0,
    clock: realClock,
    random: systemRandom,
    log: silentLog,
    roleOf: () => role,
    mdns: false,
    bootstrap: [],
    advertise: [],
    ...rest,
  })
  prepare?.(network)
  await network.start()
  test.after(() => network.stop())
  return network
}

/** A clock whose timers run only when a test says so. */
export interface ManualClock extends Clock {
  /** Runs all waiting timers of exactly `ms`; how many there were. */
  fire: (ms: number) => number
}

export function manualClock(): ManualClock {
  const timers = new Map<symbol, { ms: number; run: () => void }>()
  return {
    ...realClock,
    after: (ms, run) => {
      const key = Symbol('timer')
      timers.set(key, { ms, run })
      return () => timers.delete(key)
    },
    fire: (wanted) => {
      const due = [...timers].filter(([, { ms }]) => ms === wanted)
      for (const [key, { run }] of due) {
        timers.delete(key)
        run()
      }
      return due.length
    },
  }
}

/** Runs the timers of `ms` until `over`: for what happens only once bytes have stopped moving. */
export async function fireUntil(clock: ManualClock, ms: number, over: Promise<unknown>): Promise<void> {
  const settled = over.then(
    () => true,
    () => true,
  )
  const pause = async (): Promise<boolean> => await realClock.sleep(5).then(() => false)
  while (!(await Promise.race([settled, pause()]))) clock.fire(ms)
}

/** A bare libp2p node, for peers that do not keep to the protocol. */
export async function startBareNode(test: TestContext): Promise<Libp2p> {
  const { node } = await startNode({
    privateKey: systemRandom.bytes(32),
    host: '127.0.0.1',
    port: 0,
    dialTimeoutMs: limits.dialTimeoutMs,
    gater: {},
    announce: (port) => [`/ip4/127.0.0.1/tcp/${port}`],
    onTls: (socket) => socket.destroy(),
  })
  test.after(async () => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    await node.stop()
  })
  return node
}

/** Lets `from` know where `to` listens. */
export function introduce(from: Libp2pNetwork, to: Libp2pNetwork): PeerId {
  from.learn(to.peer, to.addresses())
  return to.peer
}

/** All bytes of a body. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts)
}

/** `count` pieces of 64 KiB whose bytes tell their place. */
export async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(64 * 1024, index % 251)
}
