import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PoolDevice, PoolWorld } from '../../test/catalogue-fixture.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import {
  idOf,
  type EntryId,
  type EpochId,
  type FolderId,
  type Incarnation,
  type RecordHash,
} from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { FolderKeys } from '../codec/codec.ts'
import {
  decodeBatch,
  encodeBatch,
  encodeHead,
  makeRecord,
  recordHash,
  signBatch,
} from '../codec/record-bytes.ts'
import { recordKinds, type RecordHead, type SignedRecord } from '../codec/record.ts'
import { sealRecordBody } from '../codec/seal.ts'
import { encodeVersionBody } from '../codec/version-body.ts'
import { bodyOf } from '../../test/catalogue-fixture.ts'
import { newSigningKey } from '../codec/sign.ts'
import { realDisk } from '../store/real-disk.ts'
import { wrapBody } from './record-bodies.ts'

function worldOf(t: TestContext, seed: number): PoolWorld {
  const world = new PoolWorld(seed)
  t.after(() => world.close())
  return world
}

/** Keys of the epoch that a version was written under. */
function keysOf(device: PoolDevice, version: RecordHash): FolderKeys {
  const { folder, epoch } = device.store.read.record(version)!.head
  return device.catalogue.keysOf(folder!, epoch!)
}

const now = (world: PoolWorld): number => world.clock.now()

/** A record by hand in a device's chain, as a malicious or broken device would write it. */
async function forge(
  device: PoolDevice,
  head: Partial<RecordHead> & { kind: number },
  options: { body?: Uint8Array; from?: SignedRecord | undefined; key?: PoolDevice; seal?: Uint8Array } = {},
): Promise<{ record: SignedRecord; bytes: Uint8Array }> {
  const end = device.store.read.heads(device.id).sort((a, b) => b.position - a.position)[0]
  const whole: RecordHead = {
    device: device.id,
    incarnation: idOf<Incarnation>(device.world.random.bytes(16)),
    seq: 0,
    time: { ms: now(device.world), counter: 60_000 },
    ...(end && { previous: end.hash }),
    ...head,
  }
  let { body } = options
  if (options.seal !== undefined) {
    const keys = await device.catalogue.writeKeys(whole.folder!)
    whole.epoch = keys.epoch
    body = sealRecordBody(keys, whole, options.seal)
  }
  const record = makeRecord(whole, body)
  const signer = options.key ?? device
  return { record, bytes: signBatch([record], signer.keys.secrets.record, device.keys.pool).bytes }
}

const versionPlaintext = (path: string): Uint8Array => encodeVersionBody(bodyOf(path))
const newEntry = (world: PoolWorld) => idOf<EntryId>(world.random.bytes(16))

test('a new pool has a folder, keys to write, and shows what is written', async (t) => {
  const world = worldOf(t, 1)
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
  assert.equal(keysOf(founder, version).folder, founder.files)
  assert.equal((await catalogue.bodyOf(version)).path, 'a/b.txt')
})

test('an invited device reads the past, writes, and both see the same', async (t) => {
  const world = worldOf(t, 2)
  const founder = await world.found()
  await founder.put('old.txt')
  const phone = await founder.invite('device', 'phone')
  assert.equal(phone.catalogue.user, founder.catalogue.user)
  assert.equal(phone.shown('old.txt')?.path, 'old.txt')
  await phone.put('new.txt')
  await world.sync()
  assert.equal(founder.view(), phone.view())
  assert.equal(founder.shown('new.txt')?.device, phone.id)
  const names = (of: PoolDevice) => of.catalogue.devices().map(({ name }) => name)
  assert.deepEqual(names(founder), names(phone))
  assert(names(phone).includes('phone'))
})

test('a lost database is rebuilt to the same view, keys, devices and folders', async (t) => {
  const world = worldOf(t, 3)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const { entry, version } = await founder.put('a.txt')
  await founder.put('a.txt', { entry, parents: [version] })
  await phone.put('b.txt')
  await world.sync()
  await founder.catalogue.createFolder('photos', { copies: 2 })
  const before = [founder.view(), JSON.stringify(founder.catalogue.folders()), founder.catalogue.devices()]
  await founder.close()
  await founder.open()
  assert.deepEqual(before, [
    founder.view(),
    JSON.stringify(founder.catalogue.folders()),
    founder.catalogue.devices(),
  ])
  await founder.put('c.txt')
  assert.equal(founder.store.read.heads(founder.id).length, 1, 'the chain goes on where it ended')
})

test('thousands of versions at once are few groups and signatures', async (t) => {
  const world = worldOf(t, 4)
  const founder = await world.found()
  await Promise.all(Array.from({ length: 3000 }, (_, index) => founder.put(`many/${index}`)))
  const { batches } = founder.store.read.changes(0, 100_000)
  assert(batches.length < 30, `${batches.length} batches`)
  assert.equal(founder.store.read.totals(founder.files).files, 3000)
})

test('random orders and repetitions of all batches give one view', async (t) => {
  const seed = Number(process.env['PEERSTOR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.diagnostic(`seed ${seed}`)
  const world = worldOf(t, seed)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const tablet = await phone.invite('device', 'tablet')
  await world.sync()
  const { entry, version } = await founder.put('shared.txt')
  await world.sync()
  for (const device of world.devices) await device.put('shared.txt', { entry, parents: [version] })
  const lost = await tablet.put('tablet.txt')
  await world.sync()
  await tablet.put('later.txt')
  await tablet.put('last.txt')
  await founder.catalogue.revoke([tablet.id])
  await world.sync()
  const held = phone.store.read.held(founder.files).map(({ version }) => version)
  assert.equal(held.length, 2)
  await phone.catalogue.adopt(held.slice(0, 1))
  await phone.put('after.txt')
  await world.sync([founder, phone])
  const batches = await founder.batches()
  assert.equal(phone.view(), founder.view())
  assert.equal(founder.shown('tablet.txt')?.version, lost.version)
  const random = new SeededRandom(seed)
  for (let round = 0; round < 6; round++) {
    const device = await new PoolDevice(world, phone.keys).open()
    const order = random.shuffled([...batches, ...batches.slice(0, 5)])
    for (let at = 0; at < order.length;) {
      const count = random.between(1, 6)
      await device.catalogue.admit(order.slice(at, at + count))
      at += count
    }
    assert.equal(device.view(), founder.view(), `seed ${seed} round ${round}`)
    assert.deepEqual(device.catalogue.devices(), founder.catalogue.devices())
    await device.close()
  }
})

test('a member cannot forge a record of another device', async (t) => {
  const world = worldOf(t, 5)
  const founder = await world.found()
  const phone = await founder.invite()
  await world.sync()
  const head = { kind: recordKinds.version, folder: founder.files, entry: newEntry(world) }
  const forged = await forge(founder, head, { seal: versionPlaintext('forged.txt'), key: phone })
  const report = await founder.catalogue.admit([forged.bytes])
  assert.equal(report.added, 0)
  assert.match(report.refused[0]!.reason, /not signed/)
  assert.equal(founder.shown('forged.txt'), undefined)
})

test('a change of any signed field is refused', async (t) => {
  const world = worldOf(t, 6)
  const founder = await world.found()
  const phone = await founder.invite()
  await founder.put('a.txt')
  const { bytes } = await forge(
    founder,
    { kind: recordKinds.version, folder: founder.files, entry: newEntry(world), parents: [] },
    { seal: versionPlaintext('b.txt') },
  )
  await phone.catalogue.admit(await founder.batches())
  const batch = decodeBatch(bytes)
  const { head, body } = batch.records[0]!
  const other = idOf<FolderId & EpochId & RecordHash>(world.random.bytes(32))
  const changes: Partial<RecordHead>[] = [
    { kind: recordKinds.release },
    { folder: other },
    { epoch: other },
    { entry: newEntry(world) },
    { incarnation: idOf<Incarnation>(world.random.bytes(16)) },
    { time: { ms: head.time.ms + 1, counter: 0 } },
    { parents: [other] },
    { device: phone.id },
    { bodyHash: world.random.bytes(32) },
    { seq: 1 },
    { previous: founder.store.read.record(head.previous!)!.head.previous! },
  ]
  for (const change of changes) {
    const headBytes = encodeHead({ ...head, ...change })
    const record = { hash: recordHash(headBytes), head: { ...head, ...change }, headBytes, body: undefined }
    const changed = encodeBatch(
      [change.bodyHash === undefined ? { ...record, body } : record],
      batch.signature,
    )
    const report = await phone.catalogue.admit([changed.bytes])
    assert.equal(report.added, 0, JSON.stringify(change))
    assert.equal(report.refused.length, 1, JSON.stringify(change))
  }
  const flipped = Buffer.from(batch.signature)
  flipped[3]! ^= 1
  assert.equal((await phone.catalogue.admit([encodeBatch(batch.records, flipped).bytes])).added, 0)
  assert.equal((await phone.catalogue.admit([bytes])).added, 1)
})

test('bodies that somebody left out are taken in from whoever has them', async (t) => {
  const world = worldOf(t, 61)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  await world.sync()
  await founder.put('a.txt')
  const batches = await founder.batches()
  const stripped = batches.map((bytes) => {
    const { records, signature } = decodeBatch(bytes)
    const isVersion = ({ head }: (typeof records)[0]): boolean => head.kind === recordKinds.version
    return encodeBatch(
      records.map((record) => (isVersion(record) ? { ...record, body: undefined } : record)),
      signature,
    ).bytes
  })
  await phone.catalogue.admit(stripped)
  assert.equal(phone.shown('a.txt'), undefined)
  const last = decodeBatch(stripped.at(-1)!).records.at(-1)!.hash
  assert.ok(phone.store.read.isPartialBatch(last))
  await phone.catalogue.admit(batches)
  await phone.catalogue.admit(stripped)
  assert.equal(phone.view(), founder.view())
  assert.ok(!phone.store.read.isPartialBatch(last))
  assert.equal((await phone.catalogue.bodyOf(last)).path, 'a.txt')
})

test('batches wait for their certificate and their chain, unstored, and then come in', async (t) => {
  const world = worldOf(t, 7)
  const founder = await world.found()
  const late = await founder.invite('device', 'late')
  const early = await founder.batches()
  await late.put('a.txt')
  await late.put('b.txt')
  const own = (await late.batches()).slice(early.length)
  const stranger = await new PoolDevice(world, { ...late.keys, genesis: [] }).open()
  let report = await stranger.catalogue.admit(own.toReversed())
  assert.deepEqual([report.added, report.waiting], [0, own.length])
  assert.equal(stranger.store.read.lastChange(), 0)
  report = await stranger.catalogue.admit(early.toReversed())
  assert.equal(report.waiting, 0)
  assert.equal(stranger.view(), late.view())
  await stranger.close()
})

test('what waits is bounded', async (t) => {
  const world = worldOf(t, 8)
  const founder = await world.found()
  const orphans = Array.from({ length: 30 }, () => {
    const record = makeRecord({
      kind: recordKinds.version,
      device: idOf(world.random.bytes(32)),
      incarnation: idOf(world.random.bytes(16)),
      seq: 0,
      time: { ms: now(world), counter: 0 },
    })
    return signBatch([record], newSigningKey(world.random), founder.keys.pool).bytes
  })
  const report = await founder.catalogue.admit(orphans)
  assert.equal(report.waiting, 30)
  // Whoever sends something else is not asked for it again on their account.
  assert.equal((await founder.catalogue.admit([founder.keys.genesis[0]!])).waiting, 0)
  assert(limits.waitingBatches < 10_000)
})

test('unknown kinds are kept and forwarded, never acted upon', async (t) => {
  const world = worldOf(t, 9)
  const founder = await world.found()
  const phone = await founder.invite()
  await world.sync()
  const { record, bytes } = await forge(founder, { kind: 4711 }, { body: Buffer.from('a future thing') })
  assert.equal((await phone.catalogue.admit([bytes])).added, 1)
  assert(phone.store.read.hasRecord(record.hash))
  assert((await phone.batches()).some((batch) => Buffer.from(batch).equals(Buffer.from(bytes))))
})

test('a batch that repeats known records and adds one is taken in', async (t) => {
  const world = worldOf(t, 22)
  const founder = await world.found()
  const phone = await founder.invite()
  await phone.catalogue.admit(await founder.batches())
  const entry = newEntry(world)
  const first = await forge(
    founder,
    { kind: recordKinds.version, folder: founder.files, entry },
    { seal: versionPlaintext('one.txt') },
  )
  const { incarnation, time } = first.record.head
  const next = { incarnation, seq: 1, previous: first.record.hash, parents: [first.record.hash] }
  const second = await forge(
    founder,
    { kind: recordKinds.version, folder: founder.files, entry, time: { ...time, ms: time.ms + 1 }, ...next },
    { seal: versionPlaintext('two.txt') },
  )
  const { record: key } = founder.keys.secrets
  const both = signBatch([first.record, second.record], key, founder.keys.pool)
  await phone.catalogue.admit([first.bytes])
  await phone.catalogue.admit([both.bytes, first.bytes])
  assert.equal(phone.shown('two.txt')?.versions, 2)
  await founder.catalogue.admit([both.bytes, first.bytes])
  assert.equal(founder.view(), phone.view())
})

test('equivocation and clones raise alarms; both records are kept', async (t) => {
  const world = worldOf(t, 10)
  const founder = await world.found()
  const phone = await founder.invite()
  await world.sync()
  const alarms: string[] = []
  founder.catalogue.on((event) => {
    if (event.type === 'alarm') alarms.push(`${event.kind} ${event.device}`)
  })
  const incarnation = idOf<Incarnation>(world.random.bytes(16))
  const entry = (): Partial<RecordHead> & { kind: number } => ({
    kind: recordKinds.version,
    folder: founder.files,
    entry: newEntry(world),
    incarnation,
  })
  const one = await forge(phone, entry(), { seal: versionPlaintext('one.txt') })
  const two = await forge(phone, entry(), { seal: versionPlaintext('two.txt') })
  await founder.catalogue.admit([one.bytes])
  assert.equal(alarms.length, 0)
  await founder.catalogue.admit([two.bytes])
  assert.deepEqual(alarms, [`equivocation ${phone.id}`])
  await phone.put('the copied disk goes on.txt')
  await founder.catalogue.admit(await phone.batches())
  assert(alarms.includes(`cloned ${phone.id}`))
  const forkShown = (): unknown => founder.catalogue.devices().find(({ device }) => device === phone.id)?.fork
  assert.equal(forkShown(), 'equivocation')
  await founder.openCatalogue()
  assert.equal(forkShown(), 'equivocation', 'after a restart too')
  for (const path of ['one.txt', 'two.txt', 'the copied disk goes on.txt']) assert(founder.shown(path), path)
})

test('a number used twice is equivocation, also without a new end of the chain', async (t) => {
  const world = worldOf(t, 28)
  const founder = await world.found()
  const phone = await founder.invite()
  await world.sync()
  const alarms: string[] = []
  founder.catalogue.on((event) => {
    if (event.type === 'alarm') alarms.push(event.kind)
  })
  const twice = idOf<Incarnation>(world.random.bytes(16))
  const between = idOf<Incarnation>(world.random.bytes(16))
  for (const incarnation of [twice, between, twice]) {
    const head = { kind: recordKinds.version, folder: founder.files, entry: newEntry(world), incarnation }
    const batch = await forge(phone, head, { seal: versionPlaintext(`${alarms.length}.txt`) })
    await phone.catalogue.admit([batch.bytes])
    await founder.catalogue.admit([batch.bytes])
  }
  assert.deepEqual(alarms, ['equivocation'])
  await founder.openCatalogue()
  assert.equal(founder.catalogue.devices().find(({ device }) => device === phone.id)?.fork, 'equivocation')
})

test('a device that goes on beside a copy of its disk learns of it by its own writing', async (t) => {
  const world = worldOf(t, 29)
  const founder = await world.found()
  const phone = await founder.invite()
  await world.sync()
  const alarms: string[] = []
  phone.catalogue.on((event) => {
    if (event.type === 'alarm') alarms.push(`${event.kind} ${event.device === phone.id}`)
  })
  const incarnation = idOf<Incarnation>(world.random.bytes(16))
  const head = { kind: recordKinds.version, folder: founder.files, entry: newEntry(world), incarnation }
  const copy = await forge(phone, head, { seal: versionPlaintext('of the copy.txt') })
  await phone.catalogue.admit([copy.bytes])
  assert.deepEqual(alarms, [])
  await phone.put('of the device.txt')
  assert.deepEqual(alarms, ['cloned true'])
})

test('what a device writes after its clock was set back shows when its time has come', async (t) => {
  const world = worldOf(t, 30)
  const device = await world.found()
  const folder = device.files
  await device.put('before.txt')
  world.clock.jump(-20 * 60_000)
  const { version } = await device.put('after.txt', { folder })
  assert.equal(device.store.read.version(version)?.status, 'future')
  await world.clock.advance(16 * 60_000)
  assert.equal(device.store.read.version(version)?.status, 'counted')
})

test('records of a removed device are held back, and adopted by a writer', async (t) => {
  const world = worldOf(t, 11)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const tablet = await founder.invite('device', 'tablet')
  const kept = await phone.put('kept.txt')
  await world.sync()
  const fallen = await founder.catalogue.revoke([phone.id])
  assert.deepEqual(
    fallen.map(({ device, role }) => [device, role]),
    [[phone.id, 'ex-member']],
  )
  const late = await phone.put('late.txt')
  await world.sync()
  for (const device of [founder, tablet]) {
    assert.equal(device.shown('kept.txt')?.version, kept.version)
    assert.equal(device.shown('late.txt'), undefined)
    assert.deepEqual(
      device.store.read.held(founder.files).map(({ version }) => version),
      [late.version],
    )
  }
  await assert.rejects(phone.put('never.txt'), (thrown) => isCode(thrown, 'FORBIDDEN'))
  await tablet.catalogue.adopt([late.version])
  await world.sync()
  assert.equal(founder.shown('late.txt')?.version, late.version)
  await founder.close()
  await founder.open()
  assert.equal(founder.shown('late.txt')?.version, late.version)
})

test('after a removal the removed device can open nothing new', async (t) => {
  const world = worldOf(t, 12)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const epoch = (await founder.catalogue.writeKeys(founder.files)).epoch
  await founder.catalogue.revoke([phone.id])
  const secret = await founder.put('secret.txt')
  assert.notEqual((await founder.catalogue.writeKeys(founder.files)).epoch, epoch)
  await phone.catalogue.admit(await founder.batches())
  assert.equal(phone.shown('secret.txt'), undefined)
  assert.throws(
    () => keysOf(phone, secret.version),
    (thrown) => isCode(thrown, 'KEY_UNAVAILABLE'),
  )
  const tablet = await founder.invite('device', 'tablet')
  assert.equal(tablet.shown('secret.txt')?.version, secret.version, 'an added device reads the past')
})

test('a device that retires keeps all it wrote, and no more', async (t) => {
  const world = worldOf(t, 21)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const kept = await phone.put('kept.txt')
  await phone.catalogue.revoke([phone.id])
  assert.equal(phone.catalogue.roleOf(phone.catalogue.peer), 'ex-member')
  await world.sync()
  assert.equal(founder.catalogue.roleOf(phone.catalogue.peer), 'ex-member')
  assert.equal(founder.shown('kept.txt')?.version, kept.version)
  const { epoch } = await founder.catalogue.writeKeys(founder.files)
  assert.notEqual(epoch, phone.store.read.record(kept.version)!.head.epoch, 'it was given the old one')
  const late = await forge(
    phone,
    { kind: recordKinds.version, folder: founder.files, entry: newEntry(world), epoch },
    { body: world.random.bytes(400) },
  )
  await founder.catalogue.admit([late.bytes])
  assert.equal(founder.store.read.totals(founder.files).files, 1)
})

test('two writers meet a removal at once: both go on, one view, one epoch in the end', async (t) => {
  const world = worldOf(t, 13)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const tablet = await founder.invite('device', 'tablet')
  const gone = await founder.invite('device', 'gone')
  await world.sync()
  await founder.catalogue.revoke([gone.id])
  await phone.catalogue.revoke([gone.id])
  await founder.put('from the founder.txt')
  await phone.put('from the phone.txt')
  await world.sync([founder, phone, tablet])
  for (const device of [founder, phone, tablet]) {
    assert(device.shown('from the founder.txt') && device.shown('from the phone.txt'))
    assert.equal(device.view(), founder.view())
  }
  const epochs: EpochId[] = []
  for (const device of [founder, phone, tablet])
    epochs.push((await device.catalogue.writeKeys(founder.files)).epoch)
  assert.equal(new Set(epochs).size, 1)
})

test('two joins at once by different inviters: all read all', async (t) => {
  const world = worldOf(t, 14)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  await world.sync()
  const one = await founder.invite('device', 'one')
  const two = await phone.invite('device', 'two')
  await one.put('one.txt')
  await two.put('two.txt')
  await world.sync()
  for (const device of world.devices) assert.equal(device.view(), founder.view())
  await one.put('again.txt')
  await world.sync()
  assert(two.shown('again.txt'))
})

test('versions that arrive before their folder is known show once it is', async (t) => {
  const world = worldOf(t, 20)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const tablet = await founder.invite('device', 'tablet')
  const gone = await founder.invite('device', 'gone')
  await world.sync()
  const { id: folder } = await phone.catalogue.createFolder('made by the phone')
  await world.sync()
  const reader = await new PoolDevice(world, tablet.keys).open()
  await founder.catalogue.revoke([gone.id])
  const { version } = await founder.put('early.txt', { folder })
  const all = await founder.batches()
  await reader.catalogue.admit(
    all.filter((bytes) => decodeBatch(bytes).records[0]!.head.device === founder.id),
  )
  assert.equal(reader.store.read.version(version)?.status, 'held')
  await reader.catalogue.admit(all)
  assert.equal(reader.store.read.version(version)?.status, 'counted')
  await reader.close()
})

test('a garbage wrap is reported once and wrapped again by another member', async (t) => {
  const world = worldOf(t, 15)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const evil = await founder.invite('device', 'evil')
  await world.sync()
  const { state } = evil.catalogue
  const readers = state.readersOf(founder.files)
  const some = new Map([...readers.recipients].filter(([device]) => device !== phone.id))
  const { drafts, keys } = state.ring.newEpoch(founder.files, { ...readers, recipients: some })
  const garbage = encode(wrapBody, { recipient: phone.id, wrap: world.random.bytes(80) })
  const { folder, epoch } = keys
  await evil.catalogue.append([...drafts, { kind: 'wrap', folder, epoch, body: garbage }])
  const written = await evil.put('under the new epoch.txt')
  assert.equal(evil.store.read.record(written.version)!.head.epoch, epoch)
  await phone.catalogue.admit(await evil.batches())
  assert.equal(phone.shown('under the new epoch.txt'), undefined)
  assert.equal(phone.store.read.recordsOf(['wrapRefused']).length, 1)
  await world.sync()
  assert.equal(phone.shown('under the new epoch.txt')?.version, written.version)
  const after = await phone.put('by the phone.txt')
  assert.equal(phone.store.read.record(after.version)!.head.epoch, epoch)
  assert.equal(phone.store.read.recordsOf(['wrapRefused']).length, 1)
})

test('a storage-only device holds all records and learns no name', async (t) => {
  const world = worldOf(t, 16)
  const founder = await world.found()
  const box = await founder.invite('storage', 'attic box')
  await founder.catalogue.createFolder('holiday pictures')
  const { version } = await founder.put('very secret name.txt')
  await world.sync()
  assert.equal(box.catalogue.roleOf(box.catalogue.peer), 'storage')
  assert(box.store.read.hasRecord(version))
  assert.throws(
    () => keysOf(box, version),
    (thrown) => isCode(thrown, 'KEY_UNAVAILABLE'),
  )
  assert.deepEqual(
    box.catalogue.folders().map(({ name, open }) => [name, open]),
    [
      [undefined, false],
      [undefined, false],
    ],
  )
  await assert.rejects(box.catalogue.writeKeys(founder.files), (thrown) => isCode(thrown, 'FORBIDDEN'))
  const home = await mkdtemp(join(tmpdir(), 'peerstor-access-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const place = { disk: realDisk, folder: join(home, 'segments'), database: join(home, 'peerstor.db') }
  const real = await new PoolDevice(world, box.keys).open(place)
  await real.catalogue.admit(await founder.batches())
  assert(real.store.read.hasRecord(version))
  await real.close()
  const names = await readdir(home, { recursive: true, withFileTypes: true })
  const files = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name))
  assert(files.length >= 2)
  for (const file of files)
    for (const name of ['very secret name', 'holiday pictures', 'attic box'])
      assert.equal((await readFile(file)).includes(name), false, `${name} in ${file}`)
})

test('records from the future lose until their time and do not move our clock', async (t) => {
  const world = worldOf(t, 17)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  await world.sync()
  const first = await founder.put('a.txt')
  await world.sync()
  const ahead = { ms: now(world) + 60 * 60_000, counter: 0 }
  const head = { kind: recordKinds.version, folder: founder.files, entry: first.entry, time: ahead }
  const { record, bytes } = await forge(phone, head, { seal: versionPlaintext('a.txt') })
  await founder.catalogue.admit([bytes])
  assert.equal(founder.shown('a.txt')?.version, first.version)
  assert.equal(founder.store.read.version(record.hash)?.status, 'future')
  const { version } = await founder.put('b.txt')
  assert(founder.store.read.record(version)!.head.time.ms <= now(world))
  await world.clock.advance(60 * 60_000)
  await founder.catalogue.admit([])
  assert.equal(founder.shown('a.txt')?.version, record.hash)
})

test('statements: the later counts, others are refused', async (t) => {
  const world = worldOf(t, 18)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  await world.sync()
  const state = {
    contributed: 100,
    used: 1,
    full: false,
    retiring: false,
    client: false,
    addresses: ['/ip4/127.0.0.1/tcp/1'],
    version: '1',
  }
  const one = phone.catalogue.makeStatement(state)
  const two = phone.catalogue.makeStatement({ ...state, used: 2, zone: '0011223344556677' })
  assert.equal((await founder.catalogue.admitStatement(two))?.used, 2)
  assert.equal(await founder.catalogue.admitStatement(one), undefined)
  assert.equal(founder.catalogue.stateOf(phone.id)?.zone, '0011223344556677')
  const forged = phone.catalogue.makeStatement({ ...state, used: 3 })
  forged[forged.length - 3]! ^= 1
  await assert.rejects(founder.catalogue.admitStatement(forged), (thrown) => isCode(thrown, 'RECORD_INVALID'))
  const names = Array.from({ length: 20 }, (_, index) => `/dns4/${'n'.repeat(240)}${index}/tcp/1`)
  const long = phone.catalogue.makeStatement({ ...state, addresses: names })
  assert.ok(long.length <= limits.statementBytes)
  assert.deepEqual((await founder.catalogue.admitStatement(long))?.addresses, names.slice(0, 7))
})

test('policies are an admin matter, folders have one name, removed ones are gone', async (t) => {
  const world = worldOf(t, 19)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const folder = await founder.catalogue.createFolder('docs', { copies: 4, factor: 0.25 })
  assert.deepEqual([folder.policy.copies, folder.policy.factor], [4, 0.25])
  await assert.rejects(founder.catalogue.createFolder('docs'), (thrown) => isCode(thrown, 'ALREADY_EXISTS'))
  await assert.rejects(founder.catalogue.setPolicy(folder.id, { copies: 9 }), (thrown) =>
    isCode(thrown, 'BAD_INPUT'),
  )
  for (const name of ['a/b', '..', '']) await assert.rejects(founder.catalogue.createFolder(name))
  await world.sync()
  assert.equal(phone.catalogue.folderNamed('docs')?.policy.copies, 4)
  await phone.catalogue.removeFolder(folder.id)
  await phone.catalogue.setDeviceName(phone.id, 'new name')
  await world.sync()
  assert.equal(founder.catalogue.folderNamed('docs'), undefined)
  assert.equal(founder.catalogue.deviceOf(phone.catalogue.peer)?.name, 'new name')
})
