/**
 * tus-js-client uploads through a relay that cuts its connections at random bytes, while the peer is
 * killed now and then: what arrives is what was sent. `CUTS=5000 SEED=7` makes it longer.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { PeerProcess } from '../../src/cli/peer-process.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'
import { SeededRandom } from '../sim/seeded-random.ts'

const cuts = Number(process.env['CUTS'] ?? 100)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const kills = 3

/** What is used of tus-js-client; its own types need those of a browser. */
interface TusClient {
  Upload: new (file: Buffer, options: object) => { start(): void }
}
const tusClient: string = 'tus-js-client'
const { Upload } = (await import(tusClient)) as TusClient

/** Passes bytes on to the peer, for each connection only so many. */
class Relay {
  readonly #server = createServer((client) => this.#pass(client))
  readonly #budget: () => number | undefined
  target: URL
  cuts = 0

  constructor(target: URL, budget: () => number | undefined) {
    this.target = target
    this.#budget = budget
  }

  async start(t: TestContext): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    t.after(() => this.#server.close())
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/uploads`
  }

  #pass(client: Socket): void {
    const peer = connect(Number(this.target.port), '127.0.0.1')
    let left = this.#budget()
    const end = (): void => {
      client.destroy()
      peer.destroy()
    }
    for (const socket of [client, peer]) socket.on('error', end).on('close', end)
    peer.on('data', (bytes) => client.write(bytes))
    client.on('data', (bytes: Buffer) => {
      const passed = left === undefined ? bytes : bytes.subarray(0, left)
      // Waiting for the peer keeps what is cut off from lying in buffers that never left this process.
      client.pause()
      peer.write(passed, () => client.resume())
      if (left === undefined) return
      left -= passed.length
      if (left > 0) return
      this.cuts += 1
      end()
    })
  }
}

interface Sent {
  endpoint: string
  path: string
  token: () => string
  options?: object
}

function send(content: Buffer, { endpoint, path, token, options }: Sent): Promise<void> {
  return new Promise((resolve, reject) => {
    new Upload(content, {
      endpoint,
      metadata: { path },
      retryDelays: Array.from({ length: 2000 }, () => 10),
      onBeforeRequest: (request: { setHeader(name: string, value: string): void }) =>
        request.setHeader('authorization', `Bearer ${token()}`),
      onShouldRetry: () => true,
      onError: reject,
      onSuccess: () => resolve(),
      ...options,
    }).start()
  })
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('random cuts and kills end in equal bytes', { timeout: 600_000 }, async (t) => {
  t.diagnostic(`seed ${seed}, ${cuts} cuts`)
  const random = new SeededRandom(seed)
  const peer = new PeerProcess(program, 'tus', await temporaryFolder(t))
  t.after(() => peer.kill())
  await peer.start()
  const mean = 120_000
  const budget = (): number | undefined =>
    relay.cuts < cuts ? 1 + Math.floor(random.number() ** 2 * 3 * mean) : undefined
  const relay: Relay = new Relay(new URL(peer.started.url), budget)
  const endpoint = await relay.start(t)
  const token = (): string => peer.started.token
  let killed = 0
  let restarting: Promise<unknown> = Promise.resolve()
  const restart = async (): Promise<void> => {
    await peer.kill()
    relay.target = new URL((await peer.start()).url)
  }
  const onProgress = (): void => {
    if (relay.cuts < ((killed + 1) * cuts) / (kills + 1) || killed >= kills) return
    killed += 1
    restarting = restarting.then(restart)
  }
  const content = Buffer.from(random.bytes(cuts * mean))
  await send(content, { endpoint, path: 'files/whole', token, options: { onProgress } })
  await restarting
  assert.ok(relay.cuts >= cuts * 0.9, `${relay.cuts} cuts`)
  assert.equal(killed, kills)
  const parts = { parallelUploads: 3, chunkSize: 300_000 }
  relay.cuts = Math.max(0, cuts - 10)
  await send(content.subarray(0, 4_000_000), { endpoint, path: 'files/parts', token, options: parts })
  for (const [path, sent] of [
    ['files/whole', content],
    ['files/parts', content.subarray(0, 4_000_000)],
  ] as const) {
    const answer = await fetch(new URL(`/files/${path}`, relay.target), {
      headers: { authorization: `Bearer ${token()}` },
    })
    assert.equal(answer.status, 200)
    assert.equal(sha256(await answer.bytes()), sha256(sent), path)
  }
  const listed = await fetch(new URL('/api/v1/uploads', relay.target), {
    headers: { authorization: `Bearer ${token()}` },
  })
  const { uploads } = (await listed.json()) as { uploads: { result: unknown }[] }
  assert.ok(
    uploads.every(({ result }) => result !== null),
    'every upload has ended',
  )
})
