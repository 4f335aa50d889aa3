import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PoolWorld, type PoolDevice } from '../../test/catalogue-fixture.ts'
import { isCode } from '../base/errors.ts'
import type { RecordHash } from '../base/words.ts'
import { entryHeaderBytes, segmentFile } from '../store/segment-format.ts'

/** Turns one bit of a batch's entry; `at` counts from the entry's header. */
function rot(device: PoolDevice, last: RecordHash, at: number): void {
  const { segment, offset } = device.store.read.batchPlace(last)!
  device.disk.flip(`/segments/${segmentFile(segment)}`, offset - entryHeaderBytes + at)
}

const isDamaged = (thrown: unknown): boolean => isCode(thrown, 'SEGMENT_DAMAGED')

test('versions of this device that rotted are made again, byte for byte', async (t) => {
  const world = new PoolWorld(1)
  t.after(() => world.close())
  const device = await world.found()
  const { version } = await device.put('notes.txt')
  const { batch: last } = device.store.read.record(version)!
  const before = Buffer.from((await device.store.batch(last)).bytes)
  // The entry's header, the head, the body and the signature.
  for (const at of [
    20,
    entryHeaderBytes + 10,
    entryHeaderBytes + 300,
    entryHeaderBytes + before.length - 1,
  ]) {
    rot(device, last, at)
    await assert.rejects(device.store.batch(last), isDamaged)
    assert.equal(device.store.read.isPartialBatch(last), true)
    assert.equal(await device.catalogue.mend(last), true)
    assert.deepEqual(Buffer.from((await device.store.batch(last)).bytes), before)
    assert.equal(device.store.read.isPartialBatch(last), false)
  }
})

test('what rotted is made again before it is handed to a new device', async (t) => {
  const world = new PoolWorld(4)
  t.after(() => world.close())
  const device = await world.found()
  const { version } = await device.put('notes.txt')
  await device.catalogue.createFolder('photos')
  rot(device, device.store.read.record(version)!.batch, entryHeaderBytes + 40)
  const phone = await device.invite('device', 'phone')
  assert.ok(phone.catalogue.folderNamed('photos'))
  assert.equal((await device.catalogue.bodyOf(version)).path, 'notes.txt')
})

test('other records that rotted are taken in again from whoever has them', async (t) => {
  const world = new PoolWorld(2)
  t.after(() => world.close())
  const device = await world.found()
  const folder = await device.catalogue.createFolder('photos')
  const batches = await device.batches()
  const last = device.store.read.heads(device.id)[0]!.batch
  rot(device, last, entryHeaderBytes + 40)
  await assert.rejects(device.store.batch(last), isDamaged)
  assert.equal(await device.catalogue.mend(last), false)
  assert.equal((await device.catalogue.admit(batches)).refused.length, 0)
  assert.equal((await device.store.batch(last)).records.at(-1)!.hash, last)
  assert.equal(device.catalogue.folderNamed('photos')?.id, folder.id)
})

test('after a start without index a device goes on before what it lost, so that others hear of it', async (t) => {
  const world = new PoolWorld(5)
  t.after(() => world.close())
  const device = await world.found()
  const phone = await device.invite('device', 'phone')
  await world.sync()
  const { version } = await device.put('lost.txt')
  const many = device.store.read.recordsOfDevice(device.id).length
  for (let more = 0; more < many + 3; more++) await device.put(`behind it ${more}.txt`)
  rot(device, device.store.read.record(version)!.batch, entryHeaderBytes + 40)
  await device.close()
  await device.open()
  await device.put('after.txt')
  const { waiting } = await phone.catalogue.admit(await device.batches())
  assert.ok(waiting > 0)
  assert.ok(phone.shown('after.txt'))
})

test('a catalogue opens although records of its folders rotted', async (t) => {
  const world = new PoolWorld(3)
  t.after(() => world.close())
  const device = await world.found()
  await device.put('notes.txt')
  await device.catalogue.createFolder('photos')
  const last = device.store.read.heads(device.id)[0]!.batch
  rot(device, last, entryHeaderBytes + 40)
  await device.openCatalogue()
  assert.equal(device.catalogue.folderNamed('photos'), undefined)
  assert.ok(device.shown('notes.txt'))
  assert.equal(device.store.read.isPartialBatch(last), true)
})
