import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Author, newFolder, StoreHome, withoutSearch } from '../../test/store-fixture.ts'
import type { RecordHash } from '../base/words.ts'
import type { SignedRecord } from '../codec/record.ts'
import type { LocalStore } from './local-store.ts'
import { Sqlite } from './sqlite.ts'

/** Two chains of one device: the second goes on from the middle of the first. */
function forked(author: Author): { records: SignedRecord[]; ends: RecordHash[] } {
  const folder = newFolder()
  const first = Array.from({ length: 5 }, () => author.version(folder))
  const from = first[2]!.hash
  const one = author.version(folder, undefined, [], { previous: from })
  const two = author.version(folder, undefined, [], { previous: one.hash })
  return { records: [...first, one, two], ends: [first[4]!.hash, two.hash].sort() }
}

const headsOf = (store: LocalStore, author: Author): RecordHash[] =>
  store.read
    .heads(author.device)
    .map(({ hash }) => hash)
    .sort()

test('the ends of a forked chain are known whatever came first', async (t) => {
  for (const reversed of [false, true]) {
    const home = await StoreHome.make({ database: ':memory:' })
    t.after(() => home.remove())
    const store = await home.open()
    const author = new Author()
    const { records, ends } = forked(author)
    for (const record of reversed ? records.toReversed() : records)
      await store.commit({ batches: [author.batch(record)] })
    assert.deepEqual(headsOf(store, author), ends)
    assert.equal(Math.max(...store.read.heads(author.device).map(({ position }) => position)), 4)
    await store.close()
  }
})

test('an index of the first format learns its heads when it is opened', async (t) => {
  const home = await StoreHome.make()
  t.after(() => home.remove())
  const store = await home.open()
  const author = new Author()
  const { records, ends } = forked(author)
  for (const record of records) await store.commit({ batches: [author.batch(record)] })
  await store.close()
  const old = new Sqlite(home.options.database, { synchronous: 'NORMAL' })
  old.db.exec(`DROP TABLE heads; DROP INDEX batches_partial; ALTER TABLE batches DROP COLUMN whole;
    ${withoutSearch} PRAGMA user_version = 1;`)
  old.close()
  const again = await home.open()
  assert.deepEqual(headsOf(again, author), ends)
  await again.close()
})
