import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { PoolDevice, PoolWorld } from '../../test/catalogue-fixture.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import type { RecordHash } from '../base/words.ts'

function worldOf(t: TestContext, seed: number): PoolWorld {
  const world = new PoolWorld(seed)
  t.after(() => world.close())
  return world
}

const isGone = (device: PoolDevice, version: RecordHash): boolean =>
  device.store.read.version(version)?.gone === true

test('a discarded version is gone on every device, whatever arrived first; one that shows is not', async (t) => {
  const seed = Number(process.env['PEERSTOR_SEED'] ?? Date.now() % 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const world = worldOf(t, seed)
  const founder = await world.found()
  const phone = await founder.invite()
  const first = await founder.put('a.txt')
  const second = await founder.put('a.txt', { entry: first.entry, parents: [first.version] })
  await world.sync()
  await phone.catalogue.discard(phone.files, [first.version, second.version])
  await world.sync()
  const batches = await founder.batches()
  const random = new SeededRandom(seed)
  for (const device of [founder, phone])
    assert.deepEqual([isGone(device, first.version), isGone(device, second.version)], [true, false])
  assert.equal(founder.shown('a.txt')?.version, second.version)
  for (let round = 0; round < 6; round++) {
    const device = await new PoolDevice(world, phone.keys).open()
    for (const batch of random.shuffled([...batches])) await device.catalogue.admit([batch])
    for (const batch of batches) await device.catalogue.admit([batch])
    assert.equal(isGone(device, first.version), true, `round ${round}`)
    await device.close()
  }
})

test('what a revoked device discarded after its cut is not gone', async (t) => {
  const world = worldOf(t, 21)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const first = await founder.put('a.txt')
  await founder.put('a.txt', { entry: first.entry, parents: [first.version] })
  await world.sync()
  await founder.catalogue.revoke([phone.id])
  // It does not know yet that it is revoked.
  await phone.catalogue.discard(phone.files, [first.version])
  assert.equal(isGone(phone, first.version), true)
  await world.sync()
  for (const device of [founder, phone]) assert.equal(isGone(device, first.version), false)
})
