/** Uploads that nobody goes on with, and what a crash left of them: their space comes back, all of it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { newPool } from '../../src/access/new-pool.ts'
import { limits } from '../../src/base/limits.ts'
import { newSigningKey } from '../../src/codec/sign.ts'
import type { Uploads } from '../../src/files/uploads.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { ManualClock } from '../manual-clock.ts'
import { eventually, sourceOf, startPeer, temporaryFolder } from '../peer-fixture.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import { SimPeer } from '../sim/sim-peer.ts'
import { SimWorld } from '../sim/sim-network.ts'

const MiB = 2 ** 20
const minute = 60_000

// Days of virtual time are full of other workers' steps.
Object.assign(limits, { uploadLifeMs: 30 * minute, uploadEndedMs: 10 * minute })

class Scene {
  readonly clock = new ManualClock()
  readonly random = new SeededRandom(7)
  readonly peer: SimPeer

  constructor() {
    const { clock, random } = this
    const world = new SimWorld({ clock, random: random.fork(), delayMs: [1, 1] })
    const keys = newPool(newSigningKey(random), clock, random)
    const options = {
      name: 'p0',
      kind: 'device',
      world,
      random,
      keys,
      welcome: [],
      contributed: 512 * MiB,
    } as const
    this.peer = new SimPeer(options)
  }

  async start(): Promise<void> {
    await this.clock.until(this.peer.start(), 600_000)
    await this.clock.advance(5_000)
  }

  get uploads(): Uploads {
    return this.peer.core!.files.uploads
  }

  get used(): number {
    return this.peer.space
  }

  /** Runs to its end while time passes. */
  run<T>(work: Promise<T>): Promise<T> {
    return this.clock.until(work, 60_000)
  }

  bytes(count: number): Uint8Array {
    return this.random.bytes(count)
  }
}

test('what nobody goes on with expires after its time, and gives its space back', async () => {
  const scene = new Scene()
  await scene.start()
  const before = scene.used
  const { id } = await scene.run(scene.uploads.begin({ path: 'files/a', size: 10 * MiB }))
  await scene.run(scene.uploads.append(id, 0, sourceOf(scene.bytes(3 * MiB))))
  assert.ok(scene.used > before + 2 * MiB)
  await scene.clock.advance(limits.uploadLifeMs - 2 * minute)
  // Every write puts the end off.
  await scene.run(scene.uploads.append(id, 3 * MiB, sourceOf(scene.bytes(MiB))))
  await scene.clock.advance(5 * minute)
  assert.equal((await scene.run(scene.uploads.state(id))).offset, 4 * MiB)
  await scene.clock.advance(limits.uploadLifeMs + 2 * minute)
  await assert.rejects(scene.run(scene.uploads.state(id)), { code: 'UPLOAD_UNKNOWN' })
  assert.equal(scene.used, before)
  assert.deepEqual(scene.uploads.list(), [])
})

test('what became of an upload is told for a while', async () => {
  const scene = new Scene()
  await scene.start()
  const content = scene.bytes(MiB)
  const { id } = await scene.run(scene.uploads.begin({ path: 'files/b', size: content.length }))
  const whole = await scene.run(scene.uploads.append(id, 0, sourceOf(content)))
  assert.equal(whole.result?.size, content.length)
  assert.deepEqual((await scene.run(scene.uploads.state(id))).result, whole.result)
  await scene.clock.advance(limits.uploadEndedMs + 2 * minute)
  await assert.rejects(scene.run(scene.uploads.state(id)), { code: 'UPLOAD_UNKNOWN' })
})

test('what a crash left beside an upload goes when that has ended', async (t) => {
  const folder = await temporaryFolder(t)
  const [home, copy] = [join(folder, 'home'), join(folder, 'copy')]
  const crashed = await startPeer(t, { home })
  const used = async (peer: Peer): Promise<number> => (await peer.quota()).used
  await crashed.files.put('files/other', sourceOf(randomBytes(MiB)))
  const before = await used(crashed)
  const { id } = await crashed.files.uploads.begin({ path: 'files/c', size: 10 * MiB })
  const gate = Promise.withResolvers<void>()
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let piece = 0; piece < 140; piece += 1) yield Uint8Array.from(randomBytes(65_536))
    await gate.promise
  }
  const append = crashed.files.uploads.append(id, 0, source())
  // Space is taken before the bytes are written. Another file's commit then makes the chunks durable, while
  // no row names them.
  await eventually('space is taken', async () => (await used(crashed)) > before + 2 * MiB)
  await crashed.files.put('files/other', sourceOf(randomBytes(1000)))
  await cp(home, copy, { recursive: true })
  gate.resolve()
  await append
  await crashed.stop()
  await rm(join(copy, 'run.json'), { force: true })
  const peer = await startPeer(t, { home: copy })
  assert.equal((await peer.files.uploads.state(id)).offset, 0)
  assert.ok((await used(peer)) > before + 2 * MiB)
  await peer.files.uploads.remove(id)
  await eventually('all is given back', async () => (await used(peer)) < before + MiB)
  assert.deepEqual(peer.files.uploads.list(), [])
})
