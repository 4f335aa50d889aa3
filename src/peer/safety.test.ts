import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Author, newFolder, peer, StoreHome, versionRow } from '../../test/store-fixture.ts'
import { realClock, type Clock } from '../base/clock.ts'
import type { IndexWrite } from '../store/store.ts'
import { Safety } from './safety.ts'

/** A store in memory with `count` empty files, and a way to add one. */
async function filesIn(count: number) {
  const home = await StoreHome.make({ database: ':memory:' })
  const store = await home.open()
  const author = new Author()
  const folder = newFolder()
  const add = async (names: readonly string[]): Promise<void> => {
    const records = names.map(() => author.version(folder))
    const index: IndexWrite[] = records.flatMap((record, at) => [
      { op: 'version', row: versionRow(record, names[at]!) },
      { op: 'content', version: record.hash, ids: [] },
    ])
    await store.commit({ batches: [author.batch(...records)], index })
  }
  for (let at = 0; at < count; at += 100)
    await add(Array.from({ length: 100 }, (_, index) => `${at + index}`))
  const safety = (clock: Clock): Safety =>
    new Safety({
      read: store.read,
      clock,
      folders: () => [{ id: folder, want: 1, wantMost: 1 }],
      peers: () => [peer],
    })
  return { add, safety, close: () => store.close().then(() => home.remove()) }
}

test('all files are counted, step by step, again after each change', async (t) => {
  const files = await filesIn(700)
  t.after(() => files.close())
  const safety = files.safety({ ...realClock, monotonicMs: () => 0 })
  assert.deepEqual(await safety.count(), { safe: 700, degraded: 0, lost: 0 })
  assert.deepEqual(await safety.countAmong([], 1), { safe: 0, degraded: 700, lost: 0 })
  await files.add(['one more'])
  const asked = await Promise.all([safety.count(), safety.count()])
  assert.deepEqual(
    asked.map(({ safe }) => safe),
    [701, 701],
  )
})

test('what took long to count is used for a while, and no longer', async (t) => {
  const files = await filesIn(300)
  t.after(() => files.close())
  let now = 0
  const slow: Clock = {
    now: () => now,
    monotonicMs: () => now,
    sleep: async () => void (now += 1000),
    after: () => () => undefined,
  }
  const safety = files.safety(slow)
  assert.equal((await safety.count()).safe, 300)
  await files.add(['one more'])
  now += 9_000
  assert.equal((await safety.count()).safe, 300)
  now += 2_000
  assert.equal((await safety.count()).safe, 301)
})
