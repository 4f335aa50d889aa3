/** That every way to search finds the same, whatever is gathered, walked or looked up, and none goes through all rows. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { SQLInputValue } from 'node:sqlite'
import { Author, newEntry, newFolder, StoreHome, versionRow } from '../../test/store-fixture.ts'
import type { FolderId, RecordHash } from '../base/words.ts'
import type { IndexReader, Search, SearchFilter, SearchOrder } from './index-reader.ts'
import { searchOrders } from './index-reader.ts'
import type { LocalStore } from './local-store.ts'
import type { SearchBounds } from './sqlite-search-reader.ts'
import { fold, searchTexts, sortKey, soughtWords } from './search-text.ts'
import { Sqlite, type Row } from './sqlite.ts'
import { SqliteViewReader } from './sqlite-view-reader.ts'
import type { EntryRow, VersionRow } from './view.ts'

/** So few that every bound is met. */
const tiny: SearchBounds = { listed: 4, few: 6, gathered: 9, tried: 3, walked: 11, walkedTexts: 5 }

type Chance = (below: number) => number

function chance(seed: number): Chance {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return Math.floor((state / 0x8000_0000) * below)
  }
}

const pick = <T>(list: readonly T[], random: Chance): T => list[random(list.length)]!

const words = ['img', 'Image', 'ima', 'b', 'été', 'ab', '年度', 'x1', '10', '2', 'photos', 'The', 'a.b']
const joints = [' ', '_', '-', '.', '']
const folders = ['', '', 'photos/', 'photos/img/', 'a/b/', '%/', 'été/']
const types: [string, string][] = [
  ['image/png', 'image'],
  ['image/jpeg', 'image'],
  ['audio/mpeg', 'audio'],
  ['text/plain', 'document'],
  ['text/plain', 'code'],
]

function randomRow(n: number, random: Chance): { path: string; more: Partial<VersionRow> } {
  const name = Array.from({ length: 1 + random(3) }, () => pick(words, random) + pick(joints, random)).join(
    '',
  )
  const [type, category] = pick(types, random)
  const isFolder = random(12) === 0
  const path = `${pick(folders, random)}${random(9) === 0 ? '%' : ''}${name}${random(3)}`
  const tags = random(4) === 0 ? [pick(words, random)] : []
  const description = random(5) === 0 ? `${pick(words, random)} ${pick(words, random)}` : ''
  const more = { type, category, tags, description, size: random(2) * random(3000), modified: n * 1500 }
  const folder = { ...more, kind: 'folder' as const, type: 'inode/directory', category: 'other', size: 0 }
  return { path, more: isFolder ? folder : more }
}

/** Entries that came, changed, moved and went; some of them not in the index of groups yet. */
async function fill(store: LocalStore, folders: readonly FolderId[], random: Chance): Promise<void> {
  const author = new Author()
  const made: { folder: FolderId; record: ReturnType<Author['version']> }[] = []
  for (let n = 1; n <= 260; n += 1) {
    const old = n > 100 && random(3) === 0 ? pick(made, random) : undefined
    const folder = old?.folder ?? pick(folders, random)
    const parents: RecordHash[] = old === undefined ? [] : [old.record.hash]
    const record = author.version(folder, old?.record.head.entry ?? newEntry(), parents)
    const { path, more } = randomRow(n, random)
    const removed = old !== undefined && random(4) === 0 ? { kind: 'removed' as const } : {}
    const row = versionRow(record, path, { ...more, ...removed })
    await store.commit({ batches: [author.batch(record)], index: [{ op: 'version', row }] })
    if (old === undefined) made.push({ folder, record })
    else old.record = record
    if (n % 40 === 0) await store.index([{ op: 'search', limit: 35 }])
  }
}

function randomSearch(folders: readonly FolderId[], random: Chance): Search {
  const some = <T>(value: () => T): T | undefined => (random(5) === 0 ? value() : undefined)
  const part = (): string => {
    const word = pick(words, random)
    const from = random(3) === 0 ? random(word.length) : 0
    return word.slice(from, from + 1 + random(4))
  }
  const texts = Array.from(
    { length: random(3) },
    () => part() + (random(4) === 0 ? pick(joints, random) : ''),
  )
  const filter: SearchFilter = {
    folders: pick([folders, folders, folders.slice(0, 1), []], random),
    below: some(() => pick(['photos', 'photos/img', 'a', '%', 'été'], random)),
    tags: some(() => [pick(words, random)]),
    type: some(() => pick(['image/', 'text/plain', 'audio/mpeg', 'inode/', 'no'], random)),
    category: some(() => pick(['image', 'audio', 'other', 'archive'], random)),
    larger: some(() => random(2500)),
    smaller: some(() => random(3500)),
    newer: some(() => random(390_000)),
    older: some(() => random(390_000)),
  }
  return { words: soughtWords(texts.join(' ')), filter, order: pick(searchOrders, random) }
}

/** What must be found, by looking at every entry. */
function expected(all: readonly EntryRow[], search: Search): string[] {
  const found = all.filter((entry) => matches(entry, search.filter) && stageOf(entry, search) !== undefined)
  return found.toSorted(sorting(search)).map(({ version }) => version)
}

function matches(entry: EntryRow, filter: SearchFilter): boolean {
  const { folders, below, tags = [], type = '', category, larger, smaller, newer, older } = filter
  return (
    folders.includes(entry.folder) &&
    (below === undefined || entry.path.startsWith(`${below}/`)) &&
    tags.every((tag) => entry.tags.some((one) => fold(one) === fold(tag))) &&
    entry.type.startsWith(type) &&
    (category === undefined || (entry.category === category && entry.kind !== 'folder')) &&
    entry.size > (larger ?? -1) &&
    entry.size < (smaller ?? Infinity) &&
    entry.modified > (newer ?? -1) &&
    entry.modified < (older ?? Infinity)
  )
}

function stageOf(entry: EntryRow, { words: { phrase, words } }: Search): number | undefined {
  const { name, label, rest } = searchTexts(entry.path, entry.tags, entry.description)
  if (name === phrase || name.startsWith(`${phrase}.`)) return 0
  if (name.startsWith(phrase)) return 1
  if (words.every(({ plain }) => plain !== '' && label.includes(` ${plain} `))) return 2
  const holds = (text: string, plain: string): boolean =>
    name.includes(text) || (plain !== '' && (label.includes(plain) || rest.includes(plain)))
  return words.every(({ text, plain }) => holds(text, plain)) ? 3 : undefined
}

function sorting(search: Search): (a: EntryRow, b: EntryRow) => number {
  const keyOf = ({ path }: EntryRow): string => sortKey(fold(path.slice(path.lastIndexOf('/') + 1)))
  const newest = (a: EntryRow, b: EntryRow): number => b.modified - a.modified
  const ranked = (a: EntryRow, b: EntryRow): number =>
    (stageOf(a, search) ?? 0) - (stageOf(b, search) ?? 0) || newest(a, b)
  const orders: Record<SearchOrder, (a: EntryRow, b: EntryRow) => number> = {
    rank: search.words.words.length === 0 ? newest : ranked,
    newest,
    oldest: (a, b) => newest(b, a),
    largest: (a, b) => b.size - a.size || newest(a, b),
    smallest: (a, b) => a.size - b.size || newest(b, a),
    name: (a, b) => Buffer.compare(Buffer.from(keyOf(a)), Buffer.from(keyOf(b))) || newest(a, b),
  }
  return orders[search.order]
}

/** All looks, or the first of them. */
function found(
  read: IndexReader | SqliteViewReader,
  search: Search,
  limit: number,
  looks = Infinity,
): string[] {
  const versions: string[] = []
  let cursor: string | undefined
  let left = looks
  do {
    left -= 1
    const page = read.find(search, cursor, limit)
    versions.push(...page.entries.map(({ version }) => version))
    cursor = page.next
  } while (cursor !== undefined && left > 0)
  return versions
}

async function filled(
  t: TestContext,
  random: Chance,
): Promise<{ store: LocalStore; path: string; folders: FolderId[] }> {
  const home = await StoreHome.make()
  const store = await home.open()
  t.after(async () => {
    await store.close()
    await home.remove()
  })
  const folders = [newFolder(), newFolder()]
  await fill(store, folders, random)
  return { store, path: home.options.database, folders }
}

test('random searches find what looking at every entry finds, in order, whatever the bounds', async (t) => {
  const seed = Number(process.env['SEED'] ?? 1 + Math.floor(Math.random() * 1_000_000))
  t.diagnostic(`SEED=${seed}`)
  const random = chance(seed)
  const { store, path, folders } = await filled(t, random)
  const sql = new Sqlite(path, { synchronous: 'NORMAL', readOnly: true })
  t.after(() => sql.close())
  const tight = new SqliteViewReader(sql, tiny)
  const all = folders.flatMap((folder) => store.read.tree(folder, '', undefined, 1000).entries)
  for (let n = 0; n < 150; n += 1) {
    const search = randomSearch(folders, random)
    const right = expected(all, search)
    const limit = pick([1, 3, 100], random)
    const what = `SEED=${seed}, search ${n}: ${JSON.stringify(search)}`
    assert.deepEqual(found(store.read, search, limit), right, what)
    assert.deepEqual(found(tight, search, limit), right, `${what}, tight`)
  }
})

/** Keeps how each query is answered. */
class Explained extends Sqlite {
  readonly plans = new Map<string, string[]>()

  override get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    this.#explain(sql, values)
    return super.get(sql, ...values)
  }

  override all(sql: string, ...values: SQLInputValue[]): Row[] {
    this.#explain(sql, values)
    return super.all(sql, ...values)
  }

  #explain(sql: string, values: readonly SQLInputValue[]): void {
    if (this.plans.has(sql)) return
    const rows = super.all(`EXPLAIN QUERY PLAN ${sql}`, ...values)
    this.plans.set(
      sql,
      rows.map((row) => String(row['detail'])),
    )
  }
}

/** What a search of words asks of is no table that grows with the files, but a few rows, or an index by its words. */
const mayBeScanned =
  /^SCAN (json_each|\d+-ROW|CONSTANT ROW|\(subquery|search_classes|search_new|(w|search_words) VIRTUAL TABLE INDEX \d+:\S+|search_terms VIRTUAL)/

test('no search goes through all rows, and the orders that are promised are not sorted', async (t) => {
  const random = chance(7)
  const { path, folders } = await filled(t, random)
  const filters: Partial<SearchFilter>[] = [
    {},
    { type: 'image/' },
    { category: 'audio' },
    { larger: 100 },
    { smaller: 2000 },
    { newer: 1000, older: 300_000 },
    { tags: ['img'] },
    { below: 'photos' },
    { type: 'text/plain', larger: 10, newer: 1000, below: 'photos/img' },
  ]
  // Rows of few, rows of many.
  const many: SearchBounds = { listed: 4, few: 0, gathered: 1000, tried: 3, walked: 11, walkedTexts: 5 }
  for (const bounds of [undefined, tiny, many, { ...many, gathered: 0 }]) {
    const sql = new Explained(path, { synchronous: 'NORMAL', readOnly: true })
    t.after(() => sql.close())
    const read = new SqliteViewReader(sql, bounds)
    for (const order of searchOrders)
      for (const filter of filters)
        for (const text of ['', 'img', 'im', 'the img'])
          found(read, { words: soughtWords(text), filter: { folders, ...filter }, order }, 50, 6)
    for (const [query, plan] of sql.plans)
      for (const line of plan)
        assert.ok(!line.startsWith('SCAN') || mayBeScanned.test(line), `${line}: ${query}`)
  }
  const sql = new Explained(path, { synchronous: 'NORMAL', readOnly: true })
  t.after(() => sql.close())
  for (const order of searchOrders)
    found(new SqliteViewReader(sql), { words: soughtWords(''), filter: { folders }, order }, 50)
  for (const [query, plan] of sql.plans)
    assert.ok(!plan.some((line) => line.startsWith('USE TEMP')), `${plan.join('; ')}: ${query}`)
})
