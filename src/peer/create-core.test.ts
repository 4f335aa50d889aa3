import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawProfile } from '../../test/sim/profile.ts'
import { Scene } from '../../test/sim/scene.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import type { SimPeer } from '../../test/sim/sim-peer.ts'
import type { LocalStore } from '../store/local-store.ts'
import { segmentFile } from '../store/segment-format.ts'

/** Turns a bit in every batch that gives this device keys, but for those that say who it is. */
function rotKeys({ core, disk, name }: SimPeer): number {
  const { read } = core!.store as LocalStore
  const certified = new Set(read.recordsOf(['certificate']).map(({ batch }) => batch))
  const batches = new Set(read.recordsOf(['epoch']).map(({ batch }) => batch)).difference(certified)
  for (const last of batches) {
    const { segment, offset } = read.batchPlace(last)!
    disk.flip(`/${name}/${segmentFile(segment)}`, offset + 20)
  }
  return batches.size
}

/** A pool of three, the second of which lost its index and its keys, and has started again. */
async function rotten(spareToo: boolean): Promise<{ scene: Scene; peer: SimPeer }> {
  const random = new SeededRandom(1)
  const scene = new Scene({ ...drawProfile(random, { peers: 3 }), storageShare: 0 }, random)
  await scene.begin()
  const peer = scene.peers[1]!
  peer.crash({ power: false })
  assert.ok(rotKeys(peer) > 0)
  if (spareToo) await peer.disk.remove('/peerstor-spare.log')
  await scene.clock.until(peer.start(), 60_000)
  return { scene, peer }
}

async function end(scene: Scene): Promise<void> {
  assert.equal(scene.broken, undefined)
  for (const one of scene.peers) one.crash({ power: false })
  await scene.clock.advance(0)
  for (const one of scene.peers) one.release()
}

test('a peer whose keys rotted with its index gone has them again from their spare copies', async () => {
  const { scene, peer } = await rotten(false)
  assert.equal(peer.core!.catalogue.folderNamed('files')?.open, true)
  await end(scene)
})

test('a peer whose keys rotted, its spare copies gone too, starts and has them again from the others', async () => {
  const { scene, peer } = await rotten(true)
  assert.equal(peer.core!.catalogue.folderNamed('files'), undefined)
  await scene.clock.advance(60_000)
  assert.equal(peer.core!.catalogue.folderNamed('files')?.open, true)
  await end(scene)
})
