/** A process of its own with one peer on loopback: tells its PeerId, ends when its parent hangs up. */
import { realClock } from '../base/clock.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import { Libp2pNetwork } from './libp2p-network.ts'

const network = new Libp2pNetwork({
  privateKey: systemRandom.bytes(32),
  host: '127.0.0.1',
  port: 0,
  clock: realClock,
  random: systemRandom,
  log: silentLog,
  roleOf: () => 'member',
  mdns: true,
  bootstrap: [],
  advertise: [],
})
network.serve('hello', async ({ head }) => ({ head }))
await network.start()
process.send?.(network.peer)
process.once('disconnect', () => {
  void network.stop()
})
