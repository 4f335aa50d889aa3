/** Real networks on 127.0.0.1 for tests; everything is closed when the test ends. */
import type { TestContext } from 'node:test'
import { realClock } from '../base/clock.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import type { PeerId, Role } from '../base/words.ts'
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
