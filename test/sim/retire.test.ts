import './small-limits.ts'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, inPieces } from './content.ts'
import { drawProfile } from './profile.ts'
import { Scene } from './scene.ts'
import { SeededRandom } from './seeded-random.ts'
import type { SimPeer } from './sim-peer.ts'
import { surveyOf } from './survey.ts'

const minute = 60_000

async function putFiles(scene: Scene, count: number): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (let number = 0; number < count; number++) {
    const bytes = contentOf(number, scene.random.between(30, 40_000))
    const peer = scene.random.pick(scene.running(scene.members()))
    const put = peer.core!.files.put(`files/${number}`, inPieces(bytes, scene.random))
    await scene.clock.until(put, 10 * minute)
    files.set(`files/${number}`, bytes)
  }
  return files
}

/** Something goes wrong while a device goes: it, or another, dies for a while, or the two do not reach each other. */
async function disturb(scene: Scene, going: SimPeer): Promise<void> {
  const { random, clock, world } = scene
  const other = random.pick(scene.peers.filter((peer) => peer !== going))
  const kind = random.pick(['nothing', 'going dies', 'other dies', 'cut'])
  await clock.advance(random.between(0, 10_000))
  if (kind === 'cut') {
    world.cut(going.id, other.id)
    await clock.advance(random.between(1, 20) * minute)
    world.heal()
  } else if (kind !== 'nothing') {
    const peer = kind === 'going dies' ? going : other
    peer.crash({ power: random.chance(0.5) })
    await clock.advance(random.between(1, 20) * minute)
    await clock.until(peer.start(), 10 * minute)
    // Own rows lie in memory here.
    if (peer === going) await clock.until(going.core!.retirement.begin(), minute)
  }
}

/** Of all that lies on a device three others have a copy on their disks. */
function checkSafe(scene: Scene, going: SimPeer): void {
  const surveys = scene.peers.filter((peer) => peer !== going).map(surveyOf)
  for (const id of surveyOf(going).chunks) {
    const copies = surveys.filter(({ chunks }) => chunks.has(id)).length
    assert.ok(copies >= 3, `chunk ${id} has ${copies} copies without ${going.name}`)
  }
}

async function contentIn(peer: SimPeer, path: string): Promise<Buffer> {
  const { bytes } = await peer.core!.files.get(path)
  return Buffer.concat(await Array.fromAsync(bytes))
}

async function untilSafe(scene: Scene, going: SimPeer): Promise<void> {
  for (let step = 0; step < 240; step++) {
    if (going.core!.retirement.state().phase === 'safe') return
    await scene.clock.advance(minute)
  }
  assert.fail(`not safe in 4 hours: ${going.core!.retirement.status()}`)
}

test('a device that says it is safe to unplug can be unplugged, whatever happened meanwhile', async (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    t.diagnostic(`seed ${seed}`)
    const random = new SeededRandom(seed)
    const profile = { ...drawProfile(random, { peers: 5 }), early: 5, storageShare: 0.3, smallEvery: 0 }
    const scene = new Scene(profile, random)
    await scene.begin()
    const files = await putFiles(scene, 20)
    await scene.clock.advance(minute)
    const [founder] = scene.peers
    const going = random.pick(scene.peers.slice(1))
    await scene.clock.until(going.core!.retirement.begin(), minute)
    // It may say so at once: then it must be true at once.
    for (let step = 0; step < 40; step++) {
      await scene.clock.advance(100)
      if (going.core!.retirement.state().phase === 'safe') checkSafe(scene, going)
    }
    await disturb(scene, going)
    await untilSafe(scene, going)
    checkSafe(scene, going)
    going.crash({ power: true })
    for (const [path, bytes] of files) {
      const read = await scene.clock.until(contentIn(founder!, path), 10 * minute)
      assert.ok(read.equals(bytes), `seed ${seed}: ${path}`)
    }
    assert.equal(scene.broken, undefined)
    for (const peer of scene.peers) peer.crash({ power: false })
    await scene.clock.advance(0)
    for (const peer of scene.peers) peer.release()
  }
})
