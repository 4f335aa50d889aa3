/** What was replaced or removed: how long it stays, how it comes back, how it goes for good. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, eventually, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const peer = async (t: TestContext) => startPeer(t, { home: await temporaryFolder(t) })

const versionsAt = async (p: Peer, path: string): Promise<string[]> =>
  (await p.files.versions(path)).map(({ state, kind, size }) => `${state} ${kind} ${size}`)

const trashed = async (p: Peer): Promise<string[]> =>
  (await p.files.trash('files')).entries.map(({ path }) => path).sort()

test('a single version goes for good; the current one never', async (t) => {
  const p = await peer(t)
  const one = await p.files.put('files/note', text('1'))
  const two = await p.files.put('files/note', text('22'))
  const three = await p.files.put('files/note', text('333'))
  await assert.rejects(p.files.discardVersions('files/note', [three.version]), { code: 'BAD_INPUT' })
  assert.deepEqual(await p.files.discardVersions('files/note', [one.version]), { removed: 1 })
  assert.deepEqual(await versionsAt(p, 'files/note'), ['current file 3', 'old file 2'])
  await assert.rejects(p.files.get('files/note', { version: one.version }), { code: 'NOT_FOUND' })
  await assert.rejects(p.files.restore('files/note', { version: one.version }), { code: 'NOT_FOUND' })
  await assert.rejects(p.files.discardVersions('files/note', [one.version]), { code: 'NOT_FOUND' })
  await p.files.put('files/other', text('x'))
  await assert.rejects(p.files.discardVersions('files/other', [two.version]), { code: 'NOT_FOUND' })
  await p.files.restore('files/note', { version: two.version })
  assert.equal((await contentOf(p, 'files/note')).toString(), '22')
})

test('the trash gives a whole folder back, and is emptied whole or in part', async (t) => {
  const p = await peer(t)
  for (const name of ['d/a', 'd/e/b', 'x', 'y']) await p.files.put(`files/${name}`, text(name))
  await p.files.remove('files/d', { recursive: true })
  await p.files.remove('files/x')
  await p.files.remove('files/y')
  await p.files.put('files/d/a', text('there meanwhile'))
  assert.equal((await p.files.restore('files/d')).restored, 1)
  assert.equal((await contentOf(p, 'files/d/e/b')).toString(), 'd/e/b')
  assert.equal((await contentOf(p, 'files/d/a')).toString(), 'there meanwhile')
  assert.deepEqual(await trashed(p), ['files/d/a', 'files/x', 'files/y'])
  assert.deepEqual(await p.files.emptyTrash('files/x'), { removed: 1 })
  assert.deepEqual(await trashed(p), ['files/d/a', 'files/y'])
  await assert.rejects(p.files.restore('files/x'), { code: 'NOT_FOUND' })
  await assert.rejects(p.files.emptyTrash('files/x'), { code: 'NOT_FOUND' })
  assert.deepEqual(await p.files.emptyTrash('files'), { removed: 2 })
  assert.deepEqual(await trashed(p), [])
  assert.deepEqual(await p.files.emptyTrash('files'), { removed: 0 })
  await p.files.put('files/x', text('again'))
  assert.equal((await contentOf(p, 'files/x')).toString(), 'again')
})

test('a folder is listed as it was at a time', async (t) => {
  const p = await peer(t)
  const pause = async (): Promise<number> => {
    const now = Date.now()
    await eventually('the next millisecond', () => Date.now() > now + 1)
    return now + 1
  }
  const before = await pause()
  await p.files.makeFolder('files/d')
  for (const name of ['a', 'd.', 'd/b', 'd/e/c']) await p.files.put(`files/${name}`, text(name))
  const first = await pause()
  await p.files.put('files/a', text('longer'))
  await p.files.move('files/d/b', 'files/d/moved')
  await p.files.remove('files/d/e/c')
  await pause()
  const at = async (time: number, path = 'files', recursive = false): Promise<string> => {
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await p.files.list(path, { at: time, recursive, limit: 1, cursor })
      found.push(...page.entries.map((entry) => `${entry.path} ${entry.size}`))
      cursor = page.next
    } while (cursor !== undefined)
    return found.join(', ')
  }
  assert.equal(await at(before), '')
  assert.equal(await at(first), 'files/a 1, files/d. 2, files/d 0')
  assert.equal(await at(first, 'files/d'), 'files/d/b 3, files/d/e 0')
  assert.equal(await at(first, 'files', true), 'files/a 1, files/d 0, files/d. 2, files/d/b 3, files/d/e/c 5')
  assert.equal(await at(Date.now(), 'files', true), 'files/a 6, files/d 0, files/d. 2, files/d/moved 3')
  const [line] = (await p.files.list('files', { at: first })).entries
  const version = line?.version
  assert.equal((await contentOf(p, 'files/a', { version })).toString(), 'a')
})

test('what a folder keeps no longer is not listed; a longer time brings it back', async (t) => {
  const p = await peer(t)
  const old = await p.files.put('files/note', text('1'))
  await p.files.put('files/note', text('22'))
  await p.files.put('files/gone', text('x'))
  await p.files.remove('files/gone')
  await p.folders.set('files', { keepMs: 0 })
  await eventually('the end of old versions', async () => (await versionsAt(p, 'files/note')).length === 1)
  await eventually('the end of removed files', async () => (await trashed(p)).length === 0)
  await assert.rejects(p.files.get('files/note', { version: old.version }), { code: 'NOT_FOUND' })
  assert.equal((await contentOf(p, 'files/note')).toString(), '22')
  await p.folders.set('files', { keepMs: 3_600_000 })
  await eventually('old versions', async () => (await versionsAt(p, 'files/note')).length === 2)
  await eventually('removed files', async () => (await trashed(p)).length === 1)
  assert.equal((await contentOf(p, 'files/note', { version: old.version })).toString(), '1')
})

test('a conflict is kept and shown, and ends when its version is given up; other devices follow', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const { code } = await a.pool.invite({ storageOnly: false })
  const b = await startPeer(t, { home: join(folder, 'b'), join: code })
  const first = await a.files.put('files/plan', text('first'))
  await eventually('the file on b', () => b.files.has('files/plan'))
  // Both replace the same version, neither has seen the other's.
  await Promise.all([a.files.put('files/plan', text('of a')), b.files.put('files/plan', text('of b..'))])
  const states = async (p: Peer): Promise<string> => {
    const lines = (await p.files.versions('files/plan')).map(({ version, state }) => `${version} ${state}`)
    return lines.toSorted().join()
  }
  const settled = async (): Promise<boolean> => {
    const [onA, onB] = [await states(a), await states(b)]
    return onA === onB && onA.split(',').length === 3
  }
  await eventually('all three versions everywhere', settled)
  // On a slow machine the second writer may have seen the first; then there is no conflict to end.
  const conflict = (await b.files.versions('files/plan')).find(({ state }) => state === 'conflict')
  if (conflict === undefined) return t.diagnostic('the writers met: no conflict this time')
  assert.equal((await a.files.list('files')).entries[0]?.conflict, true)
  await b.files.discardVersions('files/plan', [conflict.version])
  assert.equal((await b.files.list('files')).entries[0]?.conflict, undefined)
  const isGone = async (p: Peer): Promise<boolean> => {
    const versions = await p.files.versions('files/plan')
    return versions.every(({ version, state }) => version !== conflict.version && state !== 'conflict')
  }
  await eventually('the end of the conflict on a', () => isGone(a))
  assert.equal((await contentOf(a, 'files/plan', { version: first.version })).toString(), 'first')
})
