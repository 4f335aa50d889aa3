/** The brake and the order of collection, over a store on a disk and a clock that a test moves. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { chunkOf, pinOf } from '../../test/conformance/chunk-store.ts'
import { ManualClock } from '../../test/manual-clock.ts'
import { StoreHome } from '../../test/store-fixture.ts'
import { silentLog } from '../base/log.ts'
import { limits } from '../base/limits.ts'
import { systemRandom } from '../base/random.ts'
import type { LocalStore } from '../store/local-store.ts'
import { Collect } from './collect.ts'
import type { CollectionParts } from './collection.ts'

const day = 86_400_000
const never = new AbortController().signal
const pin = pinOf('a')

interface Scene {
  store: LocalStore
  clock: ManualClock
  collect: Collect
  /** Pages of a pass rest in virtual time. */
  pass: (options?: Parameters<Collect['pass']>[1]) => ReturnType<Collect['pass']>
}

async function sceneOf(t: TestContext, more: Partial<CollectionParts> = {}): Promise<Scene> {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  const store = await home.open()
  t.after(() => store.close())
  const clock = new ManualClock()
  const parts = {
    store,
    clock,
    random: systemRandom,
    log: silentLog,
    pool: { health: () => [] },
    membership: { folders: () => [{ id: pin.folder }] },
    times: () => ({ firstMs: 1, everyMs: 1, quarantineMs: limits.quarantineMs }),
    inUse: () => false,
    onDropped: () => undefined,
    ...more,
  } as unknown as CollectionParts
  const collect = new Collect(parts)
  const pass: Scene['pass'] = (options) => {
    const result = collect.pass(never, options)
    const state = { ended: false }
    result.then(
      () => (state.ended = true),
      () => (state.ended = true),
    )
    const turn = async (): ReturnType<Collect['pass']> => {
      while (!state.ended) await clock.advance(1)
      return result
    }
    return turn()
  }
  return { store, clock, collect, pass }
}

test('many chunks that nobody released are asked for first, and go by one word', async (t) => {
  const { store, clock, collect, pass } = await sceneOf(t)
  const strays = Array.from({ length: 1100 }, () => chunkOf(304))
  await store.chunks.put([...strays, chunkOf(304, pin)])
  assert.equal((await pass()).removed, 0)
  clock.jump(8 * day)
  const { removed, waiting } = await pass()
  assert.equal(removed, 0)
  assert.match(waiting[0]!, /1 folder was not compared/)
  await store.index([{ op: 'reconciled', folder: pin.folder, at: clock.now() }])
  assert.equal((await pass()).removed, 0)
  const [held] = collect.held()
  assert.equal(held?.chunks, 1100)
  assert.deepEqual((await pass()).held, [held], 'the same question stays')
  await assert.rejects(async () => pass({ confirm: 'ffffffff' }), { code: 'NOT_FOUND' })
  assert.equal((await pass({ dry: true, confirm: held.id })).removed, 1100)
  assert.equal((await pass({ confirm: held.id })).removed, 1100)
  assert.deepEqual(collect.held(), [])
  assert.equal((await store.use()).chunks, 1)
})

test('what was released goes without a word, few strays too, and a dry run only counts', async (t) => {
  const used = new Set<string>()
  const { store, clock, pass } = await sceneOf(t, { inUse: (id) => used.has(id) })
  const released = Array.from({ length: 1200 }, () => chunkOf(304, pin))
  const stray = chunkOf(304)
  await store.chunks.put([...released, stray])
  await store.index([{ op: 'reconciled', folder: pin.folder, at: clock.now() }])
  const at = clock.now()
  const ids = released.map(({ id }) => id)
  const [soon, late] = [at + 7 * day, at + 30 * day]
  const upTo = store.read.lastChange()
  await store.index([{ op: 'release', folder: pin.folder, ids, upTo, devices: [pin.device], soon, late, at }])
  assert.equal((await pass()).removed, 0)
  clock.jump(7 * day - 60_000)
  assert.equal((await pass()).removed, 0)
  clock.jump(120_000)
  used.add(ids[0]!)
  assert.equal((await pass({ dry: true })).removed, 1199, 'the stray waits for a member')
  await store.index([{ op: 'reconciled', folder: pin.folder, at: clock.now() }])
  assert.deepEqual(await pass({ dry: true }), { removed: 1200, bytes: 1200 * 304, held: [], waiting: [] })
  assert.equal((await pass()).removed, 1200, 'all but what an upload relies on')
  assert.deepEqual(await Array.fromAsync(store.chunks.list('')), [ids[0]])
})

test('nothing is dropped while the clocks of others differ', async (t) => {
  const health = [{ connected: true, clockAheadMs: -2 * day }]
  const pool = { health: () => health } as unknown as CollectionParts['pool']
  const { store, clock, pass } = await sceneOf(t, { pool })
  await store.chunks.put([chunkOf(304)])
  clock.jump(8 * day)
  assert.match((await pass()).waiting[0]!, /clocks/)
  health.length = 0
  await pass()
  clock.jump(8 * day)
  await store.index([{ op: 'reconciled', folder: pin.folder, at: clock.now() }])
  assert.equal((await pass()).removed, 1)
})
