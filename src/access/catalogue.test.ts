import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PoolWorld } from '../../test/catalogue-fixture.ts'

test('a new pool has a folder, keys to write, and shows what is written', async () => {
  const world = new PoolWorld(1)
  const founder = await world.found()
  const { catalogue } = founder
  assert.equal(catalogue.roleOf(catalogue.peer), 'admin')
  assert.deepEqual(
    catalogue
      .devices()
      .map(({ kind }) => kind)
      .sort(),
    ['device', 'recovery'],
  )
  const { version } = await founder.put('a/b.txt')
  assert.equal(founder.shown('a/b.txt')?.version, version)
  assert.equal(catalogue.readKeys(version).folder, founder.files)
  assert.equal((await catalogue.bodyOf(version)).path, 'a/b.txt')
  await world.close()
})

test('an invited device reads the past, writes, and both see the same', async () => {
  const world = new PoolWorld(2)
  const founder = await world.found()
  await founder.put('old.txt')
  const phone = await founder.invite('device', 'phone')
  assert.equal(phone.catalogue.user, founder.catalogue.user)
  assert.equal(phone.shown('old.txt')?.path, 'old.txt')
  await phone.put('new.txt')
  await world.sync()
  assert.equal(founder.view(), phone.view())
  assert.equal(founder.shown('new.txt')?.device, phone.id)
  const names = (of: typeof founder) => of.catalogue.devices().map(({ name }) => name)
  assert.deepEqual(names(founder), names(phone))
  assert(names(phone).includes('phone'))
  await world.close()
})
