/** Deleting much is told, with the command that brings it back; and deletes reach whoever was away, for good. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { isMass } from '../../src/files/deletions.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { eventually, startPeer, temporaryFolder, text } from '../peer-fixture.ts'
import { drawProfile } from '../sim/profile.ts'
import { Scene } from '../sim/scene.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import type { SimPeer } from '../sim/sim-peer.ts'

const day = 86_400_000

test('what counts as much', () => {
  const cases: [files: number, of: number, much: boolean][] = [
    [49, 49, false],
    [50, 50, true],
    [50, 250, true],
    [50, 251, false],
    [1000, 1_000_000, false],
    [1001, 1_000_000, true],
  ]
  for (const [files, of, much] of cases) assert.equal(isMass(files, of), much, `${files} of ${of}`)
})

const told = async (p: Peer) => (await p.doctor()).filter(({ kind }) => kind === 'mass-deletion')

test('much that is deleted is told with the one command that brings back just that', async (t) => {
  const p = await startPeer(t, { home: await temporaryFolder(t) })
  const events: string[] = []
  p.events(undefined, ({ event }) => {
    if (event.type === 'alert') events.push(`${event.data.kind} ${event.data.state}`)
  })
  const names = Array.from({ length: 120 }, (_, n) => `files/${n % 2 === 0 ? 'even' : 'odd'}/${n}`)
  await Promise.all(names.map((name) => p.files.put(name, text(name))))
  await p.files.put('files/before', text('x'))
  await p.files.remove('files/before')
  const before = Date.now()
  await eventually('the next millisecond', () => Date.now() > before)
  for (const name of names.slice(0, 30)) await p.files.remove(name)
  await p.steerWorker('deletions', 'run')
  assert.deepEqual(await told(p), [])
  await p.files.remove('files/even', { recursive: true })
  await eventually('it is told', async () => (await told(p)).length === 1, 60_000)
  const [problem] = await told(p)
  assert.match(problem!.what, /^\d+ of 121 files in files were deleted within an hour, /)
  assert.equal(problem!.severity, 'warning')
  assert.ok((await p.status()).warnings.some((line) => line.endsWith(problem!.next)))
  await eventually('the alert', () => events.includes('mass-deletion noticed'), 60_000)
  // The first that went within that hour goes into the command.
  const [, since] = /^peerstor trash restore files --since (\S+)$/.exec(problem!.next)!
  await p.files.put('files/even/0', text('there meanwhile'))
  const back = await p.files.restore('files', { since: Date.parse(since!) })
  assert.equal(back.restored, 75)
  await eventually('it is over', async () => (await told(p)).length === 0, 60_000)
  for (const name of names) assert.ok(p.files.has(name), name)
})

test('what expires is no deletion', async (t) => {
  const p = await startPeer(t, { home: await temporaryFolder(t) })
  const names = Array.from({ length: 60 }, (_, n) => `files/${n}`)
  const expires = Date.now() - 1
  await Promise.all(names.map((name) => p.files.put(name, text(name), { expires })))
  await p.steerWorker('expiry', 'run')
  await eventually('all are gone', async () => (await p.files.list('files')).entries.length === 0, 60_000)
  await p.steerWorker('deletions', 'run')
  await eventually(
    'a look',
    () => p.workers().some(({ name, steps }) => name === 'deletions' && steps > 1),
    60_000,
  )
  assert.deepEqual(await told(p), [])
})

test('a device that was away for weeks learns what was deleted, and brings nothing of it back', async () => {
  const random = new SeededRandom(23)
  const scene = new Scene({ ...drawProfile(random, { peers: 3 }), storageShare: 0, smallEvery: 0 }, random)
  await scene.begin()
  const [first, second, away] = scene.peers as [SimPeer, SimPeer, SimPeer]
  const names = Array.from({ length: 60 }, (_, n) => `files/${n}`)
  for (const name of names) await scene.clock.until(first.core!.files.put(name, text(name)), 60_000)
  await scene.clock.advance(60_000)
  for (const peer of scene.peers) assert.ok(peer.core!.files.has(names[0]!))
  away.crash({ power: false })
  for (const [index, name] of names.slice(0, 50).entries())
    await scene.clock.until((index % 2 === 0 ? first : second).core!.files.remove(name), 60_000)
  await scene.clock.advance(60_000)
  // Past the retention too: tombstones are kept for ever. Nobody runs meanwhile.
  for (const weeks of [3, 5]) {
    first.crash({ power: false })
    second.crash({ power: false })
    await scene.clock.advance(weeks * 7 * day)
    for (const peer of [first, second]) await scene.clock.until(peer.start(), 60_000)
    await scene.clock.advance(60_000)
  }
  await scene.clock.until(away.start(), 60_000)
  assert.ok(away.core!.files.has(names[0]!))
  await scene.clock.advance(10 * 60_000)
  for (const peer of scene.peers) {
    const { entries } = await peer.core!.files.list('files')
    assert.deepEqual(entries.map(({ path }) => path).toSorted(), names.slice(50), peer.name)
  }
  assert.equal(scene.broken, undefined)
  for (const one of scene.peers) one.crash({ power: false })
  await scene.clock.advance(0)
  for (const one of scene.peers) one.release()
})
