/**
 * Bytes per second from one peer to another on this machine, each in its own process: over a lane, over
 * a libp2p stream, and over plain node:http as the reference. Medians of five rounds, in turn.
 *
 * `node bench/net.ts` prints one line for each and JSON lines; `node bench/net.ts serve` is the far end.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { realClock } from '../src/base/clock.ts'
import { silentLog } from '../src/base/log.ts'
import { systemRandom } from '../src/base/random.ts'
import type { PeerId } from '../src/base/words.ts'
import { Libp2pNetwork } from '../src/net/libp2p-network.ts'

const MiB = 1024 * 1024
const total = 256 * MiB
const rounds = 5
const head = Buffer.alloc(0)

async function* payload(): AsyncGenerator<Uint8Array> {
  const piece = systemRandom.bytes(MiB / 2)
  for (let sent = 0; sent < total; sent += piece.byteLength) yield piece
}

async function startNetwork(): Promise<Libp2pNetwork> {
  const network = new Libp2pNetwork({
    privateKey: systemRandom.bytes(32),
    host: '127.0.0.1',
    port: 0,
    clock: realClock,
    random: systemRandom,
    log: silentLog,
    roleOf: () => 'member',
    mdns: false,
    bootstrap: [],
    advertise: [],
  })
  const answer = async (): Promise<{ head: Buffer; body: AsyncGenerator<Uint8Array> }> => ({
    head,
    body: payload(),
  })
  network.serve('chunks.get', answer)
  network.serve('feed.changes', answer)
  await network.start()
  return network
}

async function serve(): Promise<void> {
  const network = await startNetwork()
  const http = createServer((_request, response) => Readable.from(payload()).pipe(response))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  process.send?.({ addresses: network.addresses(), port: (http.address() as AddressInfo).port })
  process.once('disconnect', () => process.exit())
}

async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  let received = 0
  for await (const part of body) received += part.byteLength
  if (received !== total) throw new Error(`${received} bytes instead of ${total}`)
}

async function measure(run: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await run()
  return total / MiB / ((performance.now() - start) / 1000)
}

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0

async function compare(): Promise<void> {
  const far = fork(import.meta.filename, ['serve'])
  const [{ addresses, port }] = (await once(far, 'message')) as [{ addresses: string[]; port: number }]
  const network = await startNetwork()
  const peer: PeerId = await network.dial(addresses[0] ?? '')
  const ask = async (name: 'chunks.get' | 'feed.changes'): Promise<void> =>
    drain((await network.request(peer, name, head)).body)
  while (network.connections()[0]?.path !== 'lane') await ask('chunks.get')
  const ways = {
    'node:http': async () => {
      const [response] = (await once(get({ port, host: '127.0.0.1' }), 'response')) as [IncomingMessage]
      await drain(response)
    },
    stream: () => ask('feed.changes'),
    lane: () => ask('chunks.get'),
  }
  const speeds = new Map(Object.keys(ways).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= rounds; round += 1)
    for (const [name, way] of Object.entries(ways)) {
      const speed = await measure(way)
      if (round > 0) speeds.get(name)?.push(speed)
    }
  for (const [name, all] of speeds) {
    console.log(`${name.padEnd(10)} ${median(all).toFixed(0).padStart(5)} MiB/s`)
    console.log(JSON.stringify({ bench: 'net', name, mibPerSecond: Math.round(median(all)), rounds }))
  }
  await network.stop()
  far.disconnect()
}

await (process.argv[2] === 'serve' ? serve() : compare())
