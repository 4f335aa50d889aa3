/**
 * Records that rot leave holes in chains; what fills them later must mean the same at once as after the
 * next start. After every arrival the state in memory is compared with one made anew from the store.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { naming, PoolDevice, PoolWorld } from '../../test/catalogue-fixture.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { decodeBatch } from '../codec/record-bytes.ts'
import { CatalogueState } from './catalogue-state.ts'
import type { Written } from './chain.ts'
import { ForkWatch } from './forks.ts'
import { HybridClock } from './hybrid-clock.ts'
import { loadedKinds } from './record-bodies.ts'
import { isVersion, statusOf } from './versions.ts'

const first = Number(process.env['SEED'] ?? 1)

/** A pool with a past: writes, names, folders and revocations on several devices that met now and then. */
async function pool(world: PoolWorld, random: SeededRandom): Promise<void> {
  const founder = await world.found()
  await founder.invite('device', 'phone')
  await founder.invite('device', 'tablet')
  for (let step = 0; step < 24; step++) {
    const [one, other] = random.shuffled(world.devices)
    if (!isMember(one!)) continue
    await random.pick(acts)(one!, other!, step)
    const held = one!.store.read.held(one!.files)
    if (isMember(one!) && held.length > 0 && random.chance(0.5))
      await one!.catalogue.adopt(held.slice(0, 2).map(({ version }) => version))
  }
  await world.sync()
}

type Act = (one: PoolDevice, other: PoolDevice, step: number) => Promise<unknown>
const put: Act = (one, _, step) => one.put(`${step}.txt`)
const meet: Act = (one, other) => one.world.sync([one, other])
const acts: readonly Act[] = [
  put,
  put,
  put,
  meet,
  meet,
  (one, _, step) => one.catalogue.createFolder(`folder ${step}`),
  (one, other, step) => one.catalogue.setDeviceName(other.id, `name ${step}`),
  (one, _, step) => one.catalogue.setPolicy(one.files, { keepMs: step * 1000 + 1 }),
  async (one, _, step) => (one.world.devices.length < 6 ? one.invite('device', `guest ${step}`) : undefined),
  (one, other) => one.catalogue.revoke([other.id]).catch(() => undefined),
]

function isMember({ catalogue }: PoolDevice): boolean {
  return ['member', 'admin'].includes(catalogue.roleOf(catalogue.peer))
}

/** What a state says of everything that people see. */
function sayings(state: CatalogueState, { store }: PoolDevice): string[] {
  const { authority, book } = state
  const devices = authority.devices().map((judged) => {
    const name = book.nameOf(judged.device, judged.user)
    return `device ${JSON.stringify([judged, authority.roleOf(judged), name], sorted)}`
  })
  const folders = book.born().map((id) => {
    const said = book.folders().find((folder) => folder.id === id)
    const epoch = state.writing(id)?.epoch
    return `folder ${JSON.stringify([id, book.ownerOf(id), said, book.policyOf(id), epoch])}`
  })
  const versions = store.read
    .devices()
    .flatMap((device) => store.read.recordsOfDevice(device))
    .filter(({ head }) => isVersion(head))
    .map((record) => `version ${record.hash} ${statusOf(state, record)}`)
  return [...devices, ...folders, ...versions].toSorted()
}

function sorted(_key: string, value: unknown): unknown {
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.toSorted() : value
}

/** The records of a store as a start takes them in. */
async function heldIn({ store }: PoolDevice): Promise<Written[]> {
  const held: Written[] = []
  for (const { hash, batch, position } of store.read.recordsOf(loadedKinds)) {
    const record = (await store.batch(batch)).records.find((record) => record.hash === hash)!
    held.push({ record, position })
  }
  return held
}

async function compare(device: PoolDevice): Promise<void> {
  const { keys, store, catalogue, world } = device
  const time = new HybridClock(world.clock)
  const fresh = new CatalogueState(keys, store.read, time, naming, world.random)
  fresh.begin(await heldIn(device))
  assert.deepEqual(sayings(catalogue.state, device), sayings(fresh, device))
  for (const one of store.read.devices())
    for (const record of store.read.recordsOfDevice(one)) {
      const row = isVersion(record.head) ? store.read.version(record.hash) : undefined
      if (row !== undefined) assert.equal(row.status, statusOf(fresh, record), `status of ${row.path}`)
    }
  const forks = new ForkWatch(store.read)
  forks.begin()
  for (const { device, fork } of catalogue.devices()) assert.equal(fork, forks.forkOf(device))
}

for (let seed = first; seed < first + 5; seed++)
  test(`records that fill holes mean at once what they mean after a start (seed ${seed})`, async (t) => {
    const world = new PoolWorld(seed)
    const random = new SeededRandom(seed * 7919)
    t.after(() => world.close())
    await pool(world, random)
    const [founder, phone] = world.devices
    const all = await founder!.batches()
    const missing = new Set(random.shuffled(all).slice(0, random.between(1, Math.ceil(all.length / 2))))
    const device = await new PoolDevice(world, { ...phone!.keys, genesis: [] }).open()
    await device.store.commit({
      batches: all.filter((one) => !missing.has(one)).map((one) => decodeBatch(Buffer.from(one))),
    })
    await device.catalogue.close()
    await device.openCatalogue()
    t.after(() => device.close())
    await compare(device)
    for (const batch of random.shuffled([...missing])) {
      await device.catalogue.admit([batch])
      await compare(device)
    }
    // Whoever made them may wait for what was forgotten meanwhile.
    await device.catalogue.admit(all)
    await compare(device)
    for (const record of all.flatMap((one) => decodeBatch(Buffer.from(one)).records))
      assert.ok(device.store.read.hasRecord(record.hash))
  })
