import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Author,
  newEntry,
  newFolder,
  StoreHome,
  versionRow,
  withoutFacts,
  withoutSearch,
} from '../../test/store-fixture.ts'
import type { RecordHash } from '../base/words.ts'
import type { SignedRecord } from '../codec/record.ts'
import type { IndexReader, SearchFilter, SearchOrder } from './index-reader.ts'
import type { LocalStore } from './local-store.ts'
import { fold, soughtWords, wordsOf } from './search-text.ts'
import { Sqlite } from './sqlite.ts'
import type { VersionRow } from './view.ts'

class Shelf {
  readonly author = new Author()
  readonly folder = newFolder()
  readonly home: StoreHome
  store: LocalStore

  static async open(): Promise<Shelf> {
    const home = await StoreHome.make()
    return new Shelf(home, await home.open())
  }

  constructor(home: StoreHome, store: LocalStore) {
    this.home = home
    this.store = store
  }

  get read(): IndexReader {
    return this.store.read
  }

  async write(path: string, more: Partial<VersionRow> = {}, parent?: SignedRecord): Promise<SignedRecord> {
    const parents: RecordHash[] = parent === undefined ? [] : [parent.hash]
    const record = this.author.version(this.folder, parent?.head.entry ?? newEntry(), parents)
    await this.store.commit({
      batches: [this.author.batch(record)],
      index: [{ op: 'version', row: versionRow(record, path, more) }],
    })
    return record
  }

  /** Moves all waiting rows into the index of groups. */
  async tend(): Promise<void> {
    while (this.read.searchWaiting() > 0) await this.store.index([{ op: 'search', limit: 3 }])
  }

  /** Paths in their order, `limit` at a time. */
  find(text: string, filter: Partial<SearchFilter> = {}, limit = 100, order: SearchOrder = 'rank'): string[] {
    const found: string[] = []
    const search = { words: soughtWords(text), filter: { folders: [this.folder], ...filter }, order }
    let cursor: string | undefined
    do {
      const page = this.read.find(search, cursor, limit)
      assert(page.entries.length <= limit)
      found.push(...page.entries.map(({ path }) => path))
      cursor = page.next
    } while (cursor !== undefined)
    return found
  }

  async close(): Promise<void> {
    await this.store.close()
    await this.home.remove()
  }
}

function shelfTest(name: string, run: (shelf: Shelf) => Promise<void>): void {
  test(name, async () => {
    const shelf = await Shelf.open()
    try {
      await run(shelf)
    } finally {
      await shelf.close()
    }
  })
}

/** As seconds, so that each file has a time of its own. */
const at = (seconds: number): Partial<VersionRow> => ({ modified: seconds * 1000 })

test('text is compared without case, accents and forms of writing', () => {
  const alike: [string, string][] = [
    ['ÉCOLE', 'e\u0301cole'],
    ['Straße', 'STRASSE'],
    ['ﬁnal', 'FINAL'],
    ['Ødegård', 'odegard'],
    ['ΟΔΟΣ', 'οδος'],
    ['İstanbul', 'istanbul'],
    ['ＡＢＣ', 'abc'],
    ['Łódź', 'lodz'],
  ]
  for (const [a, b] of alike) assert.equal(fold(a), fold(b), `${a} and ${b}`)
  assert.notEqual(fold('a'), fold('b'))
  assert.equal(wordsOf('img_0042 (1).jpg'), 'img 0042 1 jpg')
  assert.equal(wordsOf('年度报告'), '年 度 报 告')
})

shelfTest('ranked: the name, its beginning, words, parts, each newest first', async (shelf) => {
  const files: [string, number, Partial<VersionRow>?][] = [
    ['a/Report.pdf', 10],
    ['b/report.pdf', 20],
    ['report', 5],
    ['reporting plan.txt', 40],
    ['report-2.txt', 30],
    ['the report of May.txt', 50],
    ['tagged.txt', 60, { tags: ['Report'] }],
    ['myreports.txt', 70],
    ['report/notes.txt', 80],
    ['told.txt', 90, { description: 'what the reporter said' }],
    ['other.txt', 100],
  ]
  for (const [path, seconds, more] of files) await shelf.write(path, { ...at(seconds), ...more })
  const ranked = [
    'b/report.pdf',
    'a/Report.pdf',
    'report',
    'reporting plan.txt',
    'report-2.txt',
    'tagged.txt',
    'the report of May.txt',
    'told.txt',
    'report/notes.txt',
    'myreports.txt',
  ]
  for (const limit of [1, 3, 100])
    assert.deepEqual(shelf.find('REPORT', {}, limit), ranked, `waiting, ${limit}`)
  await shelf.tend()
  for (const limit of [1, 3, 100])
    assert.deepEqual(shelf.find('Réport', {}, limit), ranked, `indexed, ${limit}`)
  assert.deepEqual(shelf.find('report.pdf'), ['b/report.pdf', 'a/Report.pdf'])
  assert.deepEqual(shelf.find('may report'), ['the report of May.txt'])
  assert.deepEqual(shelf.find('port pd'), ['b/report.pdf', 'a/Report.pdf'])
  assert.deepEqual(shelf.find('no such'), [])
  assert.deepEqual(shelf.find('report', {}, 100, 'newest'), ranked.toSorted(newestFirst(files)))
  assert.deepEqual(shelf.find('report', {}, 2, 'oldest'), ranked.toSorted(newestFirst(files)).reverse())
})

const newestFirst =
  (files: readonly [string, number, unknown?][]) =>
  (a: string, b: string): number =>
    files.find(([path]) => path === b)![1] - files.find(([path]) => path === a)![1]

shelfTest('short words, signs and words without spaces between them are found', async (shelf) => {
  await shelf.write('x.txt', at(1))
  await shelf.write('plan b.txt', at(2))
  await shelf.write('年度报告.txt', at(3))
  await shelf.write('v1.2-final.txt', at(4))
  await shelf.write('100%.txt', at(5))
  await shelf.write('__init__.py', at(6))
  for (const state of ['waiting', 'indexed']) {
    assert.deepEqual(shelf.find('b'), ['plan b.txt'], state)
    assert.deepEqual(shelf.find('报告'), ['年度报告.txt'], state)
    assert.deepEqual(shelf.find('度'), ['年度报告.txt'], state)
    assert.deepEqual(shelf.find('1.2'), ['v1.2-final.txt'], state)
    assert.deepEqual(shelf.find('%'), ['100%.txt'], state)
    assert.deepEqual(shelf.find('__'), ['__init__.py'], state)
    assert.deepEqual(shelf.find('"'), [], state)
    assert.deepEqual(shelf.find('nal'), ['v1.2-final.txt'], state)
    await shelf.tend()
  }
})

shelfTest('search follows moves, new versions, removal and hiding', async (shelf) => {
  const first = await shelf.write('old name.txt', at(1))
  await shelf.tend()
  const moved = await shelf.write('new name.txt', { ...at(1), tags: ['blue'] }, first)
  assert.deepEqual(shelf.find('old'), [])
  assert.deepEqual(shelf.find('name'), ['new name.txt'])
  await shelf.tend()
  assert.deepEqual([shelf.find('old'), shelf.find('blue')], [[], ['new name.txt']])
  const touched = await shelf.write('new name.txt', at(9), moved)
  assert.deepEqual([shelf.find('name'), shelf.find('blue')], [['new name.txt'], []])
  const removed = await shelf.write('new name.txt', { ...at(9), kind: 'removed' }, touched)
  assert.deepEqual(shelf.find('name'), [])
  await shelf.tend()
  await shelf.write('new name.txt', at(9), removed)
  assert.deepEqual(shelf.find('name'), ['new name.txt'])
  await shelf.write('new name.txt', at(9))
  await shelf.tend()
  assert.deepEqual(shelf.find('name'), ['new name.txt'])
  assert.deepEqual(shelf.read.categories(shelf.folder), [{ category: 'document', files: 1, bytes: 10 }])
})

shelfTest('filters, and categories with their totals', async (shelf) => {
  const image = { type: 'image/png', category: 'image' }
  await shelf.write('a/one.png', { ...at(10), ...image, size: 100, tags: ['Holiday', 'sea'] })
  await shelf.write('a/b/two.png', { ...at(20), ...image, size: 200, tags: ['holiday'] })
  await shelf.write('three.txt', { ...at(30), size: 300, tags: ['holidays'] })
  await shelf.write('place', {
    ...at(40),
    kind: 'folder',
    type: 'inode/directory',
    category: 'other',
    size: 0,
  })
  for (const state of ['waiting', 'indexed']) {
    const all = (filter: Partial<SearchFilter>): string[] => shelf.find('', filter, 100, 'newest')
    assert.deepEqual(all({}), ['place', 'three.txt', 'a/b/two.png', 'a/one.png'], state)
    assert.deepEqual(all({ tags: ['HOLIDAY'] }), ['a/b/two.png', 'a/one.png'], state)
    assert.deepEqual(all({ tags: ['holiday', 'sea'] }), ['a/one.png'], state)
    assert.deepEqual(all({ category: 'image' }), ['a/b/two.png', 'a/one.png'], state)
    assert.deepEqual(all({ type: 'text/' }), ['three.txt'], state)
    assert.deepEqual(all({ below: 'a' }), ['a/b/two.png', 'a/one.png'], state)
    assert.deepEqual(all({ larger: 100, smaller: 300 }), ['a/b/two.png'], state)
    assert.deepEqual(all({ newer: 10_000, older: 30_000 }), ['a/b/two.png'], state)
    assert.deepEqual(all({ folders: [] }), [], state)
    assert.deepEqual(shelf.find('png', { tags: ['sea'] }), ['a/one.png'], state)
    await shelf.tend()
  }
  assert.deepEqual(shelf.read.categories(shelf.folder), [
    { category: 'document', files: 1, bytes: 300 },
    { category: 'image', files: 2, bytes: 300 },
  ])
})

shelfTest('an index from before there was search learns it when it is opened', async (shelf) => {
  await shelf.write('dir/first.txt', at(1))
  await shelf.write('gone.txt', { ...at(2), kind: 'removed' })
  await shelf.store.close()
  const old = new Sqlite(shelf.home.options.database, { synchronous: 'NORMAL' })
  old.db.exec(`${withoutSearch} PRAGMA user_version = 4;`)
  old.close()
  shelf.store = await shelf.home.open()
  assert.deepEqual(shelf.find('first'), ['dir/first.txt'])
  assert.deepEqual(shelf.find('gone'), [])
  assert.deepEqual(shelf.read.categories(shelf.folder), [{ category: 'document', files: 1, bytes: 10 }])
})

shelfTest('facts that an older program left out are made later, whatever comes meanwhile', async (shelf) => {
  const moved = await shelf.write('dir/moved.txt', at(1))
  const gone = await shelf.write('gone.txt', at(2))
  for (const n of [3, 4, 5]) await shelf.write(`kept ${n}.txt`, { ...at(n), size: 10 * n })
  await shelf.tend()
  await shelf.store.close()
  const old = new Sqlite(shelf.home.options.database, { synchronous: 'NORMAL' })
  old.db.exec(`${withoutFacts} PRAGMA user_version = 16;`)
  old.close()
  shelf.store = await shelf.home.open()
  assert.equal(shelf.read.isSearchFilled(), false)
  await shelf.store.index([{ op: 'search', limit: 2 }])
  await shelf.write('gone.txt', { ...at(2), kind: 'removed' }, gone)
  await shelf.write('dir/moved away.txt', { ...at(9), size: 90 }, moved)
  await shelf.write('kept 0.txt', { ...at(0), size: 5 })
  while (!shelf.read.isSearchFilled()) await shelf.store.index([{ op: 'search', limit: 2 }])
  const largest = ['dir/moved away.txt', 'kept 5.txt', 'kept 4.txt', 'kept 3.txt', 'kept 0.txt']
  for (const state of ['waiting', 'indexed']) {
    assert.deepEqual(shelf.find('', {}, 2, 'largest'), largest, state)
    assert.deepEqual(shelf.find('kept', { larger: 5 }), largest.slice(1, 4), state)
    assert.deepEqual(shelf.find('gone'), [], state)
    await shelf.tend()
  }
})
