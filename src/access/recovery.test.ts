import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PoolDevice, PoolWorld } from '../../test/catalogue-fixture.ts'
import { received, WelcomeInMemory } from '../../test/welcome-in-memory.ts'
import { isCode } from '../base/errors.ts'
import { newSigningKey } from '../codec/sign.ts'
import {
  addRecoveryKey,
  admitRecovery,
  checkRecovered,
  paperText,
  parsePaper,
  recoverWith,
  recoveryDeviceOf,
  type Paper,
} from './recovery.ts'

test('from paper and one storage-only peer: every file is read again', async (t) => {
  const world = new PoolWorld(31)
  t.after(() => world.close())
  const founder = await world.found()
  const box = await founder.invite('storage', 'box')
  const { version } = await founder.put('kept.txt')
  await world.sync()
  const text = paperText({
    pool: founder.catalogue.pool,
    user: founder.catalogue.user,
    seed: founder.keys.recoverySeed!,
    peers: [{ peer: box.catalogue.peer, addresses: ['/ip4/127.0.0.1/tcp/8081'] }],
  })
  const paper = parsePaper(text.replaceAll(' ', '\n'))
  assert.throws(
    () => parsePaper(text.replace(/^./, 'z')),
    (thrown) => isCode(thrown, 'RECOVERY_INVALID'),
  )

  const recovering = recoverWith(paper, newSigningKey(world.random), world.clock, world.random)
  const answer = await received(
    await admitRecovery(box.catalogue, box.store, box.keys.poolSecret, recovering.request),
  )
  const fewer = { ...answer, batches: answer.batches.slice(1) }
  await assert.rejects(checkRecovered(recovering, fewer, new WelcomeInMemory()), { code: 'RECOVERY_REFUSED' })
  const place = new WelcomeInMemory()
  const keys = await checkRecovered(recovering, answer, place)
  const device = await new PoolDevice(world, keys).open()
  await device.catalogue.admit(place.batches)
  await device.catalogue.admit(await box.batches())
  assert.equal(device.catalogue.user, paper.user)
  assert.equal(device.shown('kept.txt')?.version, version)
  await device.catalogue.revoke([founder.id])
  await device.put('new.txt')
  await box.catalogue.admit(await device.batches())
  assert.equal(box.catalogue.roleOf(founder.catalogue.peer), 'ex-member')

  const again = await new PoolDevice(world, { ...keys, recoverySeed: undefined }).open()
  await again.catalogue.admit(await box.batches())
  assert(again.shown('new.txt') && again.shown('kept.txt'), 'its own wraps are enough now')
  await device.close()
  await again.close()
})

test('strangers push nothing else', async (t) => {
  const world = new PoolWorld(32)
  t.after(() => world.close())
  const founder = await world.found()
  const { pool, user } = founder.catalogue
  const wrong = { pool, user, seed: world.random.bytes(32), peers: [] }
  const { request: push } = recoverWith(wrong, newSigningKey(world.random), world.clock, world.random)
  const refused = (thrown: unknown): boolean => isCode(thrown, 'FORBIDDEN')
  const { catalogue, store, keys } = founder
  await assert.rejects(admitRecovery(catalogue, store, keys.poolSecret, push), refused)
  await assert.rejects(admitRecovery(catalogue, store, keys.poolSecret, keys.genesis[1]!), refused)
  const before = store.read.lastChange()
  await assert.rejects(admitRecovery(catalogue, store, keys.poolSecret, world.random.bytes(100)))
  assert.equal(store.read.lastChange(), before)
})

test('a lost paper is revoked like a device; a further one takes its place', async (t) => {
  const world = new PoolWorld(34)
  t.after(() => world.close())
  const founder = await world.found()
  const box = await founder.invite('storage', 'box')
  const { pool, user } = founder.catalogue
  const paper = (seed: Uint8Array) => ({ pool, user, seed, peers: [] })
  const lost = paper(founder.keys.recoverySeed!)
  await founder.catalogue.revoke([recoveryDeviceOf(lost.seed)])
  const further = paper(world.random.bytes(32))
  await addRecoveryKey(founder.catalogue, further.seed)
  const { version } = await founder.put('kept.txt')
  await world.sync()
  const pushOf = (from: Paper) => recoverWith(from, newSigningKey(world.random), world.clock, world.random)
  const { catalogue, store, keys } = box
  await assert.rejects(admitRecovery(catalogue, store, keys.poolSecret, pushOf(lost).request), {
    code: 'FORBIDDEN',
  })
  const recovering = pushOf(further)
  const answer = await admitRecovery(catalogue, store, keys.poolSecret, recovering.request)
  const place = new WelcomeInMemory()
  const device = await new PoolDevice(world, await checkRecovered(recovering, answer, place)).open()
  t.after(() => device.close())
  await device.catalogue.admit(place.batches)
  await device.catalogue.admit(await box.batches())
  assert.equal(device.shown('kept.txt')?.version, version)
})

test('a printed paper is known to all, the seed stays until then', async (t) => {
  const world = new PoolWorld(33)
  t.after(() => world.close())
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const recovery = founder.catalogue.devices().find(({ kind }) => kind === 'recovery')!
  assert.equal(recovery.printed, false)
  await founder.catalogue.confirmRecovery(recovery.device)
  await world.sync()
  assert(phone.catalogue.devices().find(({ device }) => device === recovery.device)?.printed)
})
