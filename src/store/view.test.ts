import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkOf, pinOf } from '../../test/conformance/chunk-store.ts'
import { Author, newEntry, newFolder, peer, StoreHome, versionRow } from '../../test/store-fixture.ts'
import type { EntryId, PeerId, RecordHash } from '../base/words.ts'
import type { SignedRecord } from '../codec/record.ts'
import type { LocalStore } from './local-store.ts'
import type { IndexReader, Listed, Page } from './index-reader.ts'
import { priorityTag, type VersionRow } from './view.ts'

/** A store in memory alone, one folder, and short ways to write versions into it. */
class View {
  readonly author = new Author()
  readonly folder = newFolder()
  readonly home: StoreHome
  readonly store: LocalStore
  readonly read: IndexReader

  static async open(): Promise<View> {
    const home = await StoreHome.make({ database: ':memory:' })
    return new View(home, await home.open())
  }

  constructor(home: StoreHome, store: LocalStore) {
    this.home = home
    this.store = store
    this.read = store.read
  }

  /** Commits a version of an entry at `path`. */
  async write(
    path: string,
    more: Partial<VersionRow> = {},
    parents: SignedRecord[] = [],
    entry?: EntryId,
  ): Promise<SignedRecord> {
    const id = entry ?? parents[0]?.head.entry ?? newEntry()
    const record = this.author.version(
      this.folder,
      id,
      parents.map(({ hash }) => hash),
    )
    await this.store.commit({
      batches: [this.author.batch(record)],
      index: [{ op: 'version', row: versionRow(record, path, more) }],
    })
    return record
  }

  /** A listing as short text, page by page. */
  list(path: string, limit = 100): string[] {
    const lines: string[] = []
    let cursor: string | undefined
    do {
      const { entries, next }: Page<Listed> = this.read.list(this.folder, path, cursor, limit, [])
      assert(entries.length <= limit)
      lines.push(...entries.map(lineOf))
      cursor = next
    } while (cursor !== undefined)
    return lines
  }

  async close(): Promise<void> {
    await this.store.close()
    await this.home.remove()
  }
}

function lineOf(listed: Listed): string {
  return listed.kind === 'folder' ? `${listed.path}/ ${listed.files} ${listed.bytes}` : listed.entry.path
}

function viewTest(name: string, run: (view: View) => Promise<void>): void {
  test(name, async () => {
    const view = await View.open()
    try {
      await run(view)
    } finally {
      await view.close()
    }
  })
}

viewTest('folders are implied by paths, with the sums of all below, page by page', async (view) => {
  for (const path of ['b.txt', 'a/1', 'a/2', 'a/deep/er/3', 'a.b', 'a', 'z/only', 'Ω', '𝄞', 'é'])
    await view.write(path, { size: 100 })
  await view.write('empty', { kind: 'folder', size: 0 })
  await view.write('a/deep', { kind: 'folder', size: 0 })
  const top = ['a', 'a/ 3 300', 'a.b', 'b.txt', 'empty/ 0 0', 'z/ 1 100', 'é', 'Ω', '𝄞']
  for (const limit of [1, 2, 3, 100]) {
    assert.deepEqual(view.list('', limit).toSorted(), top.toSorted())
    assert.deepEqual(view.list('a', limit), ['a/1', 'a/2', 'a/deep/ 1 100'])
  }
  assert.deepEqual(view.list('a/deep'), ['a/deep/er/ 1 100'])
  assert.deepEqual(view.list('none'), [])
  assert.deepEqual(view.read.totals(view.folder), { files: 10, bytes: 1000 })
  const below = view.read.tree(view.folder, 'a', undefined, 3)
  assert.deepEqual(
    below.entries.map(({ path }) => path),
    ['a/1', 'a/2', 'a/deep'],
  )
  const rest = view.read.tree(view.folder, 'a', below.next, 3)
  assert.deepEqual([rest.entries.map(({ path }) => path), rest.next], [['a/deep/er/3'], undefined])
  assert.equal(view.read.tree(view.folder, '', undefined, 100).entries.length, 12)
})

viewTest('a newer version replaces, moves and removes; the sums follow', async (view) => {
  const first = await view.write('dir/a', { size: 5 })
  const second = await view.write('dir/a', { size: 7 }, [first])
  assert.equal(view.read.entryAt(view.folder, 'dir/a')?.size, 7)
  assert.equal(view.read.entryAt(view.folder, 'dir/a')?.versions, 2)
  assert.deepEqual(view.list(''), ['dir/ 1 7'])
  const moved = await view.write('other/b', { size: 7 }, [second])
  assert.equal(view.read.entryAt(view.folder, 'dir/a'), undefined)
  assert.deepEqual(view.list(''), ['other/ 1 7'])
  assert.deepEqual(
    view.read.entriesAt(view.folder, 'dir/a').map(({ path }) => path),
    ['other/b'],
  )
  const removed = await view.write('other/b', { kind: 'removed', size: 0 }, [moved])
  assert.deepEqual(view.list(''), [])
  assert.deepEqual(view.read.totals(view.folder), { files: 0, bytes: 0 })
  assert.deepEqual(
    view.read.trash(view.folder, undefined, 10).entries.map(({ version }) => version),
    [removed.hash],
  )
  assert.deepEqual(
    view.read.versions(view.folder, first.head.entry!).map(({ version }) => version),
    [removed, moved, second, first].map(({ hash }) => hash),
  )
  await view.write('dir/a', { size: 9 }, [removed])
  assert.deepEqual(view.read.trash(view.folder, undefined, 10), { entries: [] })
  assert.deepEqual(view.list(''), ['dir/ 1 9'])
})

viewTest('the trash is listed page by page, the newest first', async (view) => {
  const removed: RecordHash[] = []
  for (let n = 0; n < 5; n += 1) {
    const file = await view.write(`f${n}`)
    removed.unshift((await view.write(`f${n}`, { kind: 'removed' }, [file])).hash)
  }
  const found: RecordHash[] = []
  let cursor: string | undefined
  do {
    const { entries, next } = view.read.trash(view.folder, cursor, 2)
    found.push(...entries.map(({ version }) => version))
    cursor = next
  } while (cursor !== undefined)
  assert.deepEqual(found, removed)
})

viewTest(
  'concurrent versions of one entry: the later shows, the other is a conflict, in any order',
  async (view) => {
    const first = await view.write('a')
    const left = view.author.version(view.folder, first.head.entry, [first.hash])
    const right = view.author.version(view.folder, first.head.entry, [first.hash])
    for (const record of [right, left])
      await view.store.commit({
        batches: record === right ? [view.author.batch(left, right)] : [],
        index: [{ op: 'version', row: versionRow(record, 'a') }],
      })
    const shown = view.read.entryAt(view.folder, 'a')!
    assert.deepEqual([shown.version, shown.conflicts, shown.versions], [right.hash, [left.hash], 3])
    const merged = await view.write('a', {}, [left, right])
    assert.deepEqual(view.read.entryAt(view.folder, 'a')?.conflicts, [])
    assert.equal(view.read.entryAt(view.folder, 'a')?.version, merged.hash)
  },
)

viewTest('two entries with one path: the later shows, the other is shadowed and comes back', async (view) => {
  const old = await view.write('same', { size: 3 })
  const late = await view.write('same', { size: 4 })
  assert.equal(view.read.entryAt(view.folder, 'same')?.version, late.hash)
  assert.deepEqual(
    view.read.entriesAt(view.folder, 'same').map(({ version, shadowed }) => [version, shadowed]),
    [
      [late.hash, false],
      [old.hash, true],
    ],
  )
  assert.deepEqual(
    view.read.shadowedAt(view.folder, 'same').map(({ version }) => version),
    view.read.entriesAt(view.folder, 'same').flatMap(({ version, shadowed }) => (shadowed ? [version] : [])),
  )
  assert.deepEqual(view.read.totals(view.folder), { files: 1, bytes: 4 })
  const hiding = (): unknown[] =>
    view.read.below(view.folder, '', undefined, 10, []).entries.map(({ path, hides }) => [path, hides])
  assert.deepEqual(hiding(), [['same', true]])
  await view.write('elsewhere', { size: 4 }, [late])
  assert.deepEqual(hiding(), [
    ['elsewhere', false],
    ['same', false],
  ])
  assert.equal(view.read.entryAt(view.folder, 'same')?.version, old.hash)
  assert.deepEqual(view.read.totals(view.folder), { files: 2, bytes: 7 })
})

viewTest('of several paths those where files show', async (view) => {
  await view.write('a/b', { kind: 'folder' })
  await view.write('a/file')
  await view.write('gone', { kind: 'removed' })
  assert.deepEqual(view.read.filesAmong(view.folder, ['a', 'a/b', 'a/file', 'gone', 'never']), ['a/file'])
})

viewTest('a removed entry shadows nothing and is not shadowed, whatever came first', async (view) => {
  const old = await view.write('same', { size: 3 })
  await view.write('same', { size: 4 })
  assert.equal(view.read.entriesAt(view.folder, 'same')[1]?.shadowed, true)
  await view.write('same', { kind: 'removed' }, [old])
  const removed = view.read.entriesAt(view.folder, 'same').filter(({ kind }) => kind === 'removed')
  assert.deepEqual(
    removed.map(({ shadowed }) => shadowed),
    [false],
  )
})

viewTest('held versions do not show, future ones lose every comparison', async (view) => {
  const first = await view.write('a', { size: 1 })
  const cut = await view.write('a', { size: 2 }, [first])
  await view.store.index([{ op: 'status', versions: [cut.hash], status: 'held' }])
  assert.equal(view.read.entryAt(view.folder, 'a')?.version, first.hash)
  assert.deepEqual(
    view.read.held(view.folder).map(({ version }) => version),
    [cut.hash],
  )
  await view.store.index([{ op: 'status', versions: [cut.hash], status: 'counted' }])
  assert.equal(view.read.entryAt(view.folder, 'a')?.version, cut.hash)
  await view.store.index([{ op: 'status', versions: [first.hash, cut.hash], status: 'held' }])
  assert.equal(view.read.entryAt(view.folder, 'a'), undefined)
  assert.deepEqual(view.read.totals(view.folder), { files: 0, bytes: 0 })
  await view.store.index([{ op: 'status', versions: [first.hash], status: 'counted' }])
  const now = await view.write('a', { size: 3 }, [first])
  const future = await view.write('a', { size: 4, status: 'future' }, [first])
  assert.deepEqual(view.read.entryAt(view.folder, 'a')?.conflicts, [future.hash])
  assert.deepEqual(
    view.read.future(10).map(({ version }) => version),
    [future.hash],
  )
  await view.store.index([{ op: 'status', versions: [future.hash], status: 'counted' }])
  assert.equal(view.read.entryAt(view.folder, 'a')?.version, future.hash)
  assert.deepEqual(view.read.entryAt(view.folder, 'a')?.conflicts, [now.hash])
})

viewTest('a version cannot replace one of another entry', async (view) => {
  const victim = await view.write('victim')
  await view.write('thief', {}, [victim], newEntry())
  assert.equal(view.read.entryAt(view.folder, 'victim')?.version, victim.hash)
  const concurrent = await view.write('victim', {}, [], victim.head.entry!)
  const shown = view.read.entryAt(view.folder, 'victim')
  assert.deepEqual([shown?.version, shown?.conflicts], [concurrent.hash, [victim.hash]])
})

viewTest('random histories in any order of arrival give one view', async (view) => {
  const records: { record: SignedRecord; row: VersionRow }[] = []
  const paths = ['a', 'b', 'd/a', 'd/b', 'd/e/f']
  const seed = 20
  let state = seed
  const random = (below: number): number => (state = (state * 1103515245 + 12345) % 2 ** 31) % below
  for (let n = 0; n < 80; n += 1) {
    const parent = random(3) === 0 ? undefined : records[random(records.length || 1)]?.record
    const record = view.author.version(
      view.folder,
      parent?.head.entry ?? newEntry(),
      parent === undefined ? [] : [parent.hash],
    )
    const kind = (['file', 'file', 'file', 'removed', 'folder', 'link'] as const)[random(6)]!
    const status = (['counted', 'counted', 'counted', 'held', 'future'] as const)[random(5)]!
    records.push({
      record,
      row: versionRow(record, paths[random(paths.length)]!, { kind, status, size: random(100) }),
    })
  }
  const batches = [view.author.batch(...records.map(({ record }) => record))]
  const pictures: unknown[] = []
  for (const order of [
    records,
    records.toReversed(),
    records.toSorted((a, b) => (a.record.hash < b.record.hash ? -1 : 1)),
  ]) {
    const home = await StoreHome.make({ database: ':memory:' })
    const store = await home.open()
    await store.commit({ batches })
    for (const { row } of order) await store.index([{ op: 'version', row }])
    const { read } = store
    pictures.push({
      tree: read.tree(view.folder, '', undefined, 1000),
      folders: ['', 'd', 'd/e'].map((path) => read.list(view.folder, path, undefined, 100, [])),
      totals: read.totals(view.folder),
      entries: records.map(({ record }) => read.entry(view.folder, record.head.entry!)),
    })
    const shown = read.tree(view.folder, '', undefined, 1000).entries.filter(({ kind }) => kind !== 'folder')
    const bytes = shown.reduce((sum, { size }) => sum + size, 0)
    assert.deepEqual(read.totals(view.folder), { files: shown.length, bytes })
    await store.close()
    await home.remove()
  }
  assert.deepEqual(pictures[1], pictures[0])
  assert.deepEqual(pictures[2], pictures[0])
})

viewTest('copies are the lowest count over the chunks; safety counts files', async (view) => {
  const peers = [peer, 'p2' as PeerId, 'p3' as PeerId]
  const [one, two] = [chunkOf(400, { ...pinOf('a'), folder: view.folder }), chunkOf(400)]
  await view.store.chunks.put([one])
  const file = await view.write('file')
  const empty = await view.write('empty')
  const unknown = await view.write('unknown')
  await view.write('folder', { kind: 'folder' })
  await view.store.index([
    { op: 'content', version: file.hash, ids: [one.id, two.id] },
    { op: 'content', version: empty.hash, ids: [] },
    { op: 'held', peer: peers[1]!, ids: [one.id, two.id] },
    { op: 'held', peer: 'p9' as PeerId, ids: [one.id, two.id] },
  ])
  assert.deepEqual(
    view.read.copies([file.hash, empty.hash, unknown.hash], peers),
    new Map([
      [file.hash, 1],
      [empty.hash, 3],
    ]),
  )
  assert.deepEqual(view.read.contentOf(file.hash)?.toSorted(), [one.id, two.id].toSorted())
  assert.equal(view.read.contentOf(unknown.hash), undefined)
  assert.deepEqual(
    view.read.withoutContent(10).map(({ path }) => path),
    ['unknown', 'folder'],
  )
  assert.deepEqual(view.read.safety(view.folder, 1, peers, 0, 10), { safe: 2, degraded: 1, lost: 0 })
  assert.deepEqual(view.read.safety(view.folder, 2, peers, 0, 10), { safe: 1, degraded: 2, lost: 0 })
  const { next, ...firstTwo } = view.read.safety(view.folder, 1, peers, 0, 2)
  assert.deepEqual(firstTwo, { safe: 2, degraded: 0, lost: 0 })
  assert.deepEqual(view.read.safety(view.folder, 1, peers, next!, 2), { safe: 0, degraded: 1, lost: 0 })
  const before = view.read.generation()
  assert.equal(view.read.generation(), before)
  assert.deepEqual(view.read.lacking(view.folder, 3, peers, undefined, 10), [
    { id: one.id, holders: [peer, 'p2'] },
  ])
  await view.store.index([{ op: 'dropped', peer: peers[1]!, ids: [two.id] }])
  assert.notEqual(view.read.generation(), before)
  assert.deepEqual(view.read.safety(view.folder, 1, peers, 0, 10), { safe: 1, degraded: 1, lost: 1 })
  await view.store.index([{ op: 'forget-holdings', peer: 'p9' as PeerId }])
  assert.deepEqual(view.read.countHeldBy('p9' as PeerId), { chunks: 0 })
  // What this peer holds is known from its disk alone.
  await view.store.index([
    { op: 'forget-holdings', peer },
    { op: 'held', peer, ids: [two.id] },
  ])
  assert.deepEqual([...view.read.holders([one.id, two.id]).values()], [[peer, 'p2'], []])
})

viewTest('files with priority ask for more copies until a later version takes it away', async (view) => {
  const chunk = chunkOf(400, { ...pinOf('a'), folder: view.folder })
  const other = chunkOf(401, { ...pinOf('a'), folder: view.folder })
  await view.store.chunks.put([chunk, other])
  const first = await view.write('thesis')
  await view.store.index([{ op: 'content', version: first.hash, ids: [chunk.id] }])
  const lacking = (): string[] =>
    view.read.lacking(view.folder, 2, [peer], undefined, 10, undefined, true).map(({ id }) => id)
  assert.deepEqual([view.read.priorities(view.folder), lacking()], [0, []])
  const asked = await view.write('thesis', { tags: ['draft', priorityTag] }, [first])
  await view.store.index([{ op: 'content', version: asked.hash, ids: [chunk.id] }])
  assert.deepEqual([view.read.priorities(view.folder), lacking()], [1, [chunk.id]])
  assert.deepEqual(view.read.safety(view.folder, 1, [peer], 0, 10), { safe: 1, degraded: 0, lost: 0 })
  assert.deepEqual(view.read.safety(view.folder, 1, [peer], 0, 10, 2), { safe: 0, degraded: 1, lost: 0 })
  const last = await view.write('thesis', {}, [asked])
  await view.store.index([{ op: 'content', version: last.hash, ids: [chunk.id] }])
  assert.deepEqual([view.read.priorities(view.folder), lacking()], [0, []])
  assert.deepEqual(view.read.safety(view.folder, 1, [peer], 0, 10, 2), { safe: 1, degraded: 0, lost: 0 })
})

viewTest('facts about peers and devices: the latest stays', async (view) => {
  const database = '44'.repeat(16) as never
  await view.store.index([
    { op: 'feed', peer, database, change: 5 },
    { op: 'feed', peer, database, change: 9 },
    { op: 'statement', device: view.author.device, bytes: Buffer.from('old') },
    { op: 'statement', device: view.author.device, bytes: Buffer.from('new') },
    { op: 'seen', peer, at: 1_700_000_000_000, addresses: ['/ip4/127.0.0.1'] },
    {
      op: 'known',
      folder: view.folder,
      p: Buffer.alloc(32, 7),
      ref: { id: chunkOf(400).id, ck: Buffer.alloc(32, 1), length: 9, level: 0 },
    },
  ])
  assert.deepEqual(view.read.feedPosition(peer), { database, change: 9 })
  assert.equal(view.read.feedPosition('nobody' as PeerId), undefined)
  assert.deepEqual(
    view.read.statements().map(({ bytes }) => Buffer.from(bytes).toString()),
    ['new'],
  )
  assert.deepEqual(view.read.seen(), [{ peer, at: 1_700_000_000_000, addresses: ['/ip4/127.0.0.1'] }])
  assert.equal(view.read.known(view.folder, Buffer.alloc(32, 7))?.length, 9)
  assert.equal(view.read.known(newFolder(), Buffer.alloc(32, 7)), undefined)
})

viewTest('heads and chains of a device, forks included', async (view) => {
  const { author } = view
  const [a, b] = [author.version(view.folder), author.version(view.folder)]
  const fork = author.version(view.folder, newEntry(), [], { seq: 1, previous: a.hash })
  await view.store.commit({ batches: [author.batch(a, b)] })
  await view.store.commit({ batches: [author.batch(fork)] })
  assert.deepEqual(
    view.read.heads(author.device).map(({ hash }) => hash),
    [b.hash, fork.hash],
  )
  assert.deepEqual(
    view.read.recordsOfDevice(author.device).map(({ position }) => position),
    [0, 1, 1],
  )
  assert.deepEqual(view.read.devices(), [author.device])
  assert.deepEqual(
    view.read.recordsOf(['version']).map(({ hash }) => hash),
    [a.hash, b.hash, fork.hash],
  )
})
