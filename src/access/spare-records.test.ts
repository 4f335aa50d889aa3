import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PoolWorld, type PoolDevice } from '../../test/catalogue-fixture.ts'
import { recordKinds } from '../codec/record.ts'
import { entryHeaderBytes, segmentFile } from '../store/segment-format.ts'
import { loadedKinds } from './record-bodies.ts'

const spare = '/peerstor-spare.log'

/** A pool of three whose second device keeps spare copies. */
async function pool(seed: number): Promise<{ world: PoolWorld; founder: PoolDevice; phone: PoolDevice }> {
  const world = new PoolWorld(seed)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  await phone.close()
  await phone.open({ spare })
  const box = await founder.invite('storage', 'box')
  await founder.catalogue.setDeviceName(box.id, 'cellar')
  await founder.put('before.txt')
  await world.sync()
  return { world, founder, phone }
}

/** Turns a bit in every batch that holds anything but versions; gives their number. */
function rotRecords({ store, disk }: PoolDevice): number {
  const batches = new Set(store.read.recordsOf(loadedKinds).map(({ batch }) => batch))
  for (const last of batches) {
    const { segment, offset, length } = store.read.batchPlace(last)!
    disk.flip(`/segments/${segmentFile(segment)}`, offset - entryHeaderBytes + 40 + (length % 60))
  }
  return batches.size
}

function whoIsWho({ catalogue }: PoolDevice): unknown {
  return [
    new Map(catalogue.devices().map(({ device, role, name, revoked }) => [device, { role, name, revoked }])),
    new Map(catalogue.folders().map(({ id, name, open }) => [id, { name, open }])),
  ]
}

test('a device whose records of members and keys rotted starts alone and knows them all', async (t) => {
  const { world, founder, phone } = await pool(1)
  t.after(() => world.close())
  const before = whoIsWho(phone)
  assert.ok(rotRecords(phone) > 3)
  await phone.close()
  await phone.open({ spare })
  assert.deepEqual(whoIsWho(phone), before)
  assert.equal(phone.catalogue.roleOf(founder.catalogue.peer), 'admin')
  await phone.put('after.txt')
  // From here on the segments have them again: the copies are of no more use than before.
  await phone.close()
  await phone.disk.remove(spare)
  await phone.open({ spare })
  assert.deepEqual(whoIsWho(phone), before)
  assert.ok(phone.shown('after.txt'))
})

test('what has no copy comes back from others', async (t) => {
  const { world, founder, phone } = await pool(2)
  t.after(() => world.close())
  const { version } = await founder.put('holiday.jpg')
  await world.sync()
  const { segment, offset } = phone.store.read.batchPlace(phone.store.read.record(version)!.batch)!
  phone.disk.flip(`/segments/${segmentFile(segment)}`, offset + 20)
  rotRecords(phone)
  await phone.close()
  await phone.open({ spare })
  assert.equal(phone.shown('holiday.jpg'), undefined)
  const { refused } = await phone.catalogue.admit(await founder.batches())
  assert.deepEqual(refused, [])
  assert.ok(phone.shown('holiday.jpg'))
  assert.equal(phone.view(), founder.view())
})

test('with the index there, rotted records are read from their copies and stored again', async (t) => {
  const { world, phone } = await pool(3)
  t.after(() => world.close())
  const before = whoIsWho(phone)
  rotRecords(phone)
  await phone.openCatalogue()
  assert.deepEqual(whoIsWho(phone), before)
  assert.equal(phone.store.read.hasPartialBatches(), false)
  const [certificate] = phone.store.read.recordsOf(['certificate'])
  assert.equal(
    (await phone.store.batch(certificate!.batch)).records.at(-1)!.head.kind,
    recordKinds.certificate,
  )
})

test('copies that rotted are left out, the segments give them again', async (t) => {
  const { world, phone } = await pool(4)
  t.after(() => world.close())
  const before = whoIsWho(phone)
  await phone.close()
  const file = await phone.disk.open(spare, 'read')
  const size = await file.size()
  await file.close()
  for (let at = 30; at < size; at += 200) phone.disk.flip(spare, at)
  await phone.open({ spare })
  rotRecords(phone)
  await phone.close()
  await phone.open({ spare })
  assert.deepEqual(whoIsWho(phone), before)
})
