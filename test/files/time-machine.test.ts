/** Whole folders as they were at a time: shown, brought back, and that taken back. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, eventually, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const peer = async (t: TestContext) => startPeer(t, { home: await temporaryFolder(t) })

/** A time that everything so far lies before, and everything from now on behind. */
async function moment(): Promise<number> {
  const now = Date.now()
  await eventually('the next millisecond', () => Date.now() > now + 1)
  return now + 1
}

/** Everything in a folder with its content. */
async function tree(p: Peer, folder = 'files', at?: number): Promise<Record<string, string>> {
  const { entries } = await p.files.list(folder, { recursive: true, at })
  const found: Record<string, string> = {}
  for (const { path, kind, version } of entries)
    found[path] = kind === 'folder' ? '/' : (await contentOf(p, path, { version })).toString()
  return found
}

const actions = ({ entries }: { entries: { path: string; action: string }[] }): string[] =>
  entries.map(({ path, action }) => `${action} ${path}`).toSorted()

test('a folder becomes what it was, no bytes move, and that can be taken back', async (t) => {
  const p = await peer(t)
  await p.files.makeFolder('files/d/empty')
  for (const name of ['same', 'd/changed', 'd/moved', 'd/gone', 'd/out'])
    await p.files.put(`files/${name}`, text(`${name} then`))
  const then = await moment()
  const asItWas = await tree(p)
  await p.files.put('files/d/changed', text('changed since'))
  await p.files.describe('files/d/changed', { description: 'since' })
  await p.files.move('files/d/moved', 'files/d/elsewhere')
  await p.files.move('files/d/out', 'files/out')
  await p.files.remove('files/d/gone')
  await p.files.remove('files/d/empty')
  await p.files.put('files/d/later', text('later'))
  await p.files.put('files/d/moved/in', text('where a file was'))
  const since = await tree(p)
  const used = (await p.quota()).used

  const wanted = [
    'change files/d/changed',
    'change files/d/moved',
    'remove files/d/later',
    'remove files/d/moved/in',
    'return files/d/empty',
    'return files/d/gone',
    'return files/d/out',
  ]
  const dry = await p.files.restoreAt('files/d', then, { dryRun: true })
  assert.deepEqual(actions(dry), wanted)
  assert.equal(dry.undo, undefined)
  assert.deepEqual(await tree(p), since)

  const seen: number[] = []
  const done = await p.files.restoreAt('files/d', then, { onProgress: ({ done }) => seen.push(done) })
  assert.deepEqual(actions(done), wanted)
  assert.deepEqual([done.returned, done.changed, done.removed, done.unchanged], [3, 2, 2, 0])
  assert.deepEqual(seen, [7])
  // What was moved out of the folder stays where it is.
  assert.deepEqual(await tree(p), { ...asItWas, 'files/out': 'd/out then' })
  assert.equal((await p.files.info('files/d/changed')).description, '')
  assert.equal((await p.quota()).used, used)
  const trash = (await p.files.trash('files')).entries.map(({ path }) => path)
  assert.ok(trash.includes('files/d/later') && trash.includes('files/d/moved/in'))

  const again = await p.files.restoreAt('files/d', then)
  assert.deepEqual([again.unchanged, again.entries.length, again.undo], [5, 0, undefined])

  await p.files.restoreAt('files/d', Date.parse(done.undo!))
  assert.deepEqual(await tree(p), since)
  assert.equal((await p.files.info('files/d/changed')).description, 'since')
})

test('one file, a removed folder, and a place that was not there yet', async (t) => {
  const p = await peer(t)
  const before = await moment()
  await p.files.put('files/note', text('1'))
  for (const name of ['a', 'b/c']) await p.files.put(`files/album/${name}`, text(name))
  const then = await moment()
  await p.files.put('files/note', text('22'))
  await p.files.remove('files/album', { recursive: true })
  await p.files.put('files/album', text('a file at its place'))
  const last = await moment()

  assert.equal((await p.files.restoreAt('files/note', then)).changed, 1)
  assert.equal((await contentOf(p, 'files/note')).toString(), '1')
  const album = await p.files.restoreAt('files/album', then)
  assert.deepEqual([album.returned, album.removed], [2, 1])
  assert.deepEqual(await tree(p, 'files/album'), { 'files/album/a': 'a', 'files/album/b/c': 'b/c' })
  await p.files.restoreAt('files', last)
  assert.deepEqual(await tree(p), { 'files/album': 'a file at its place', 'files/note': '22' })

  await assert.rejects(p.files.restoreAt('files/note', before), { code: 'NOT_FOUND' })
  await assert.rejects(p.files.restoreAt('files/never', then), { code: 'NOT_FOUND' })
  await assert.rejects(p.files.restoreAt('nothing', then), { code: 'NOT_FOUND' })
  assert.deepEqual(await tree(p), { 'files/album': 'a file at its place', 'files/note': '22' })
})

test('what a file was then but is no longer kept: it stays as it is', async (t) => {
  const p = await peer(t)
  const old = await p.files.put('files/old', text('1'))
  await p.files.put('files/kept', text('1'))
  const then = await moment()
  await p.files.put('files/old', text('22'))
  await p.files.put('files/kept', text('22'))
  await p.files.put('files/later', text('x'))
  await p.files.discardVersions('files/old', [old.version])
  const done = await p.files.restoreAt('files', then)
  assert.deepEqual([done.changed, done.removed, done.notKept], [1, 1, 1])
  assert.deepEqual(await tree(p), { 'files/kept': '1', 'files/old': '22' })
})

test('many files in batches, stopped on the way and gone on with; other devices follow', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const { code } = await a.pool.invite({ storageOnly: false })
  const names = Array.from({ length: 600 }, (_, n) => `files/many/${String(n).padStart(3, '0')}`)
  const put = async (content: string) =>
    Promise.all(names.map((name) => a.files.put(name, text(`${name} ${content}`))))
  await put('then')
  const then = await moment()
  await put('since')
  await a.files.remove(names[7]!)
  const stop = new AbortController()
  const stopped = a.files.restoreAt('files/many', then, {
    signal: stop.signal,
    onProgress: () => stop.abort(),
  })
  await assert.rejects(stopped, { name: 'AbortError' })
  const rest = await a.files.restoreAt('files/many', then)
  assert.equal(rest.unchanged, 250)
  assert.equal(rest.changed + rest.returned, 350)
  const b = await startPeer(t, { home: join(folder, 'b'), join: code })
  const isSame = async (): Promise<boolean> => {
    const at = async (p: Peer) =>
      (await p.files.list('files/many', { limit: 1000 })).entries.map(({ hash, path }) => `${path} ${hash}`)
    return JSON.stringify(await at(a)) === JSON.stringify(await at(b))
  }
  await eventually('the same on the other device', isSame, 60_000)
  assert.equal((await contentOf(b, names[7]!)).toString(), `${names[7]} then`)
})
