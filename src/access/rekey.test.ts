import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { bodyOf, PoolDevice, PoolWorld } from '../../test/catalogue-fixture.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { isCode } from '../base/errors.ts'
import { idOf, type ChunkId, type EpochId, type RecordHash } from '../base/words.ts'
import { isOneSecret } from '../codec/folder-keys.ts'
import { decodeContent, type VersionContent } from '../codec/version-body.ts'

function worldOf(t: TestContext, seed: number): PoolWorld {
  const world = new PoolWorld(seed)
  t.after(() => world.close())
  return world
}

/** Content as if it had been sealed just now; `n` names its only chunk. */
function content(n: number, size: number): { content: VersionContent; chunks: ChunkId[] } {
  const id = idOf<ChunkId>(Buffer.alloc(32, n))
  return {
    content: { form: 'inline', chunks: [{ id, ck: Buffer.alloc(32, n), length: size, level: 0 }] },
    chunks: [id],
  }
}

async function putFile(device: PoolDevice, path: string, n: number, sealed?: EpochId) {
  const { content: references, chunks } = content(n, 100)
  const body = { ...bodyOf(path), size: 100, content: references }
  const [written] = await device.catalogue.write([
    { folder: device.files, parents: [], body, chunks, sealed },
  ])
  return written!.version
}

/** What a device takes for the content of a version: the number of its chunk, those of the index, and the keys. */
function contentAt(device: PoolDevice, version: RecordHash) {
  const row = device.store.read.version(version)!
  const found = decodeContent(row.content)
  const ids = device.store.read.contentOf(version)
  assert(found.form === 'inline')
  const named = found.chunks.map(({ id }) => id)
  // Where another content came to hold, the room above lists its chunks later (files/chunks-of.ts).
  if (ids !== undefined) assert.deepEqual(ids, named)
  return {
    n: Buffer.from(named[0]!, 'hex')[0]!,
    hash: row.hash,
    keys: device.catalogue.keysOf(device.files, row.sealed ?? row.epoch),
  }
}

const reseal = (device: PoolDevice, version: RecordHash, n: number) =>
  device.catalogue.reseal(device.files, [{ version, hash: Buffer.alloc(32, n), ...content(n, 100) }])

test('a rekeyed folder has another secret at a higher generation, that no removed device gets', async (t) => {
  const world = worldOf(t, 1)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const thief = await founder.invite('device', 'thief')
  await world.sync()
  const before = await phone.catalogue.writeKeys(phone.files)
  assert.deepEqual(phone.catalogue.rekeying(phone.files)?.generation, 0)
  await founder.catalogue.revoke([thief.id])
  await founder.catalogue.rekey(founder.files)
  await world.sync()
  const after = await phone.catalogue.writeKeys(phone.files)
  assert.equal(after.epoch, (await founder.catalogue.writeKeys(founder.files)).epoch)
  assert.equal(isOneSecret(before, after), false)
  assert.deepEqual(phone.catalogue.rekeying(phone.files), { generation: 1, device: founder.id })
  const secret = await putFile(founder, 'secret', 1)
  await thief.catalogue.admit(await founder.batches())
  assert.equal(thief.store.read.version(secret), undefined)
  assert.throws(
    () => thief.catalogue.keysOf(thief.files, after.epoch),
    (thrown) => isCode(thrown, 'KEY_UNAVAILABLE'),
  )
  // A later removal keeps the secret of the highest generation, a new device gets past and present.
  await founder.catalogue.revoke([phone.id])
  const third = await founder.catalogue.writeKeys(founder.files)
  assert.equal(isOneSecret(after, third), true)
  assert.notEqual(after.epoch, third.epoch)
  const tablet = await founder.invite('device', 'tablet')
  assert.equal(isOneSecret(await tablet.catalogue.writeKeys(tablet.files), after), true)
  assert.equal(isOneSecret(tablet.catalogue.keysOf(tablet.files, before.epoch), before), true)
})

test('of two fresh secrets made at once every device writes under the same one', async (t) => {
  const world = worldOf(t, 2)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  await world.sync()
  await founder.catalogue.rekey(founder.files)
  await phone.catalogue.rekey(phone.files)
  await world.sync()
  const one = await founder.catalogue.writeKeys(founder.files)
  const two = await phone.catalogue.writeKeys(phone.files)
  assert.equal(one.epoch, two.epoch)
  assert.deepEqual(founder.catalogue.rekeying(founder.files), phone.catalogue.rekeying(phone.files))
})

test('content sealed anew shows on every device, whatever came first, and nothing else of a version changes', async (t) => {
  const seed = Number(process.env['PEERSTOR_SEED'] ?? Date.now() % 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const world = worldOf(t, seed)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const first = await putFile(founder, 'a', 1)
  const second = await putFile(phone, 'b', 2)
  await world.sync()
  await founder.catalogue.rekey(founder.files)
  await reseal(founder, first, 11)
  await reseal(founder, second, 12)
  await world.sync()
  // Sealed twice: the later holds. What is larger or smaller than the version says nothing of it.
  await reseal(phone, first, 21)
  const wrong = { version: second, hash: Buffer.alloc(32, 99), ...content(99, 101) }
  await phone.catalogue.reseal(phone.files, [wrong])
  await world.sync()
  const keys = await founder.catalogue.writeKeys(founder.files)
  const check = (device: PoolDevice, label: string): void => {
    for (const [version, n] of [
      [first, 21],
      [second, 12],
    ] as const) {
      const found = contentAt(device, version)
      assert.deepEqual([found.n, found.hash], [n, Buffer.alloc(32, n).toString('hex')], label)
      assert.equal(isOneSecret(found.keys, keys), true, label)
    }
    assert.equal(device.shown('a')?.version, first)
    assert.equal(
      device.store.read.version(first)?.written?.hash,
      idOf(bodyOf('a').hash),
      'what it said itself stays known',
    )
  }
  check(founder, 'founder')
  check(phone, 'phone')
  const batches = await founder.batches()
  const random = new SeededRandom(seed)
  for (let round = 0; round < 6; round++) {
    const device = await new PoolDevice(world, phone.keys).open()
    for (const batch of random.shuffled([...batches])) await device.catalogue.admit([batch])
    for (const batch of batches) await device.catalogue.admit([batch])
    check(device, `round ${round}`)
    await device.close()
  }
  await founder.close()
  await founder.open()
  check(founder, 'a database made anew')
})

test('what a revoked device sealed anew after its cut does not hold', async (t) => {
  const world = worldOf(t, 4)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  const version = await putFile(founder, 'a', 1)
  await founder.catalogue.rekey(founder.files)
  await world.sync()
  await founder.catalogue.revoke([phone.id])
  await reseal(phone, version, 9)
  assert.equal(contentAt(phone, version).n, 9)
  await world.sync()
  for (const device of [founder, phone]) assert.equal(contentAt(device, version).n, 1)
})

test('a version of content from before the fresh secret says so, without a tag that people see', async (t) => {
  const world = worldOf(t, 5)
  const founder = await world.found()
  const phone = await founder.invite('device', 'phone')
  await world.sync()
  const { epoch } = await founder.catalogue.writeKeys(founder.files)
  assert.equal(founder.store.read.version(await putFile(founder, 'same', 1, epoch))?.sealed, undefined)
  await founder.catalogue.rekey(founder.files)
  const version = await putFile(founder, 'moved', 1, epoch)
  await world.sync()
  for (const device of [founder, phone]) {
    const row = device.store.read.version(version)!
    assert.deepEqual([row.sealed, row.tags], [epoch, []])
    assert.deepEqual((await device.catalogue.bodyOf(version)).tags, [])
  }
  await reseal(founder, version, 5)
  assert.deepEqual(founder.store.read.version(version)?.written?.sealed, epoch)
  // A record that rotted here is made again as it was written, with what was sealed at first.
  const { batch } = founder.store.read.record(version)!
  assert.equal(await founder.catalogue.mend(batch), true)
})
