/** Files that go to the trash by themselves: what says so, who does it, and that all devices agree. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Peer } from '../../src/peer/peer.ts'
import { eventually, startPeer, temporaryFolder, text } from '../peer-fixture.ts'
import { drawProfile } from '../sim/profile.ts'
import { Scene } from '../sim/scene.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import type { SimPeer } from '../sim/sim-peer.ts'

const hour = 3_600_000
const day = 24 * hour

const listed = async (p: Peer): Promise<Record<string, string | undefined>> => {
  const { entries } = await p.files.list('files')
  return Object.fromEntries(entries.map(({ path, expires }) => [path.slice('files/'.length), expires]))
}

test('a time of its own, that of its folder, never: shown, changed, taken back', async (t) => {
  const p = await startPeer(t, { home: await temporaryFolder(t) })
  const at = Date.now() + day
  await p.files.put('files/own', text('x'), { expires: at })
  await p.files.put('files/never', text('x'), { expires: 'never' })
  const { version } = await p.files.put('files/plain', text('x'))
  assert.deepEqual(await listed(p), { own: new Date(at).toISOString(), never: undefined, plain: undefined })
  await p.folders.set('files', { expireMs: 2 * day })
  const [written] = (await p.files.versions('files/plain')).map(({ written }) => Date.parse(written))
  const byFolder = new Date(written! + 2 * day).toISOString()
  assert.deepEqual(await listed(p), { own: new Date(at).toISOString(), never: undefined, plain: byFolder })
  assert.equal((await p.files.info('files/plain')).expires, byFolder)
  assert.equal((await p.files.list('files/plain')).entries[0]?.expires, byFolder)
  const found = await p.files.find({ words: 'plain' })
  assert.equal(found.entries[0]?.expires, byFolder)

  const later = await p.files.describe('files/own', { expires: at + day, addTags: ['draft'] })
  assert.deepEqual([later.expires, later.tags], [new Date(at + day).toISOString(), ['draft']])
  assert.equal((await p.files.describe('files/own', { expires: 'never' })).expires, undefined)
  assert.notEqual((await p.files.describe('files/own', { expires: null })).expires, undefined)
  // What is said of it otherwise leaves its time alone; new content has none of its own.
  await p.files.describe('files/never', { description: 'kept' })
  await p.files.move('files/never', 'files/moved')
  assert.equal((await p.files.info('files/moved')).expires, undefined)
  await p.files.put('files/moved', text('new'))
  assert.notEqual((await p.files.info('files/moved')).expires, undefined)
  await p.folders.set('files', { expireMs: undefined })
  assert.deepEqual(await listed(p), { own: undefined, moved: undefined, plain: undefined })
  assert.equal((await p.files.info('files/plain')).version, version)
})

test('what is over goes to the trash, and comes back to stay', async (t) => {
  const p = await startPeer(t, { home: await temporaryFolder(t) })
  await p.files.put('files/d/over', text('x'), { expires: Date.now() - 1 })
  await p.files.put('files/d/stays', text('x'), { expires: Date.now() + hour })
  await p.files.makeFolder('files/empty')
  await p.steerWorker('expiry', 'run')
  await eventually('it is in the trash', () => !p.files.has('files/d/over'), 60_000)
  const [gone] = (await p.files.trash('files')).entries
  assert.deepEqual([gone?.path, p.files.has('files/d/stays')], ['files/d/over', true])
  const back = await p.files.restore('files/d/over')
  assert.equal((await p.files.info('files/d/over')).expires, undefined)
  assert.equal(back.size, 1)
  assert.match(p.workers().find(({ name }) => name === 'expiry')!.status, /^1 files/)
  await p.folders.set('files', { expireMs: 0 })
  await eventually('it is again', () => !p.files.has('files/d/over'), 60_000)
  assert.deepEqual([p.files.has('files/empty'), p.files.has('files/d/stays')], [true, true])
})

/** Who wrote the newest version of a path, and how many tombstones it has. */
async function endOf(peer: SimPeer, path: string): Promise<{ author: string; tombstones: number }> {
  const versions = await peer.core!.files.versions(path)
  const tombstones = versions.filter(({ kind }) => kind === 'removed')
  return { author: tombstones[0]?.author ?? '', tombstones: tombstones.length }
}

test('one device does it, another takes over while it is away, and all agree', async () => {
  const random = new SeededRandom(11)
  const scene = new Scene({ ...drawProfile(random, { peers: 3 }), storageShare: 0, smallEvery: 0 }, random)
  await scene.begin()
  const put = async (peer: SimPeer, name: string, ms: number): Promise<void> => {
    const expires = scene.clock.now() + ms
    const work = peer.core!.files.put(`files/${name}`, text(name), { expires })
    await scene.clock.until(work, 60_000)
  }
  const agree = async (path: string, peers: readonly SimPeer[]): Promise<string> => {
    const ends = await Promise.all(peers.map((peer) => endOf(peer, path)))
    for (const end of ends) assert.deepEqual(end, { author: ends[0]!.author, tombstones: 1 })
    return ends[0]!.author
  }
  for (const [index, peer] of scene.peers.entries()) await put(peer, `a${index}`, hour)
  await scene.clock.advance(2.5 * hour)
  const authors = await Promise.all([0, 1, 2].map((index) => agree(`files/a${index}`, scene.peers)))
  assert.equal(new Set(authors).size, 1)

  const responsible = scene.peers.find(
    ({ core }) => core!.catalogue.deviceOf(core!.catalogue.peer)?.name === authors[0],
  )!
  responsible.crash({ power: false })
  const others = scene.peers.filter((peer) => peer !== responsible)
  for (const peer of others) await put(peer, `b-${peer.name}`, hour)
  await scene.clock.advance(5 * hour)
  const second = await Promise.all(others.map((peer) => agree(`files/b-${peer.name}`, others)))
  assert.equal(new Set(second).size, 1)
  assert.notEqual(second[0], authors[0])

  await scene.clock.until(responsible.start(), 60_000)
  await scene.clock.advance(hour)
  for (const peer of others) await agree(`files/b-${peer.name}`, scene.peers)
  assert.equal(scene.broken, undefined)
  for (const one of scene.peers) one.crash({ power: false })
  await scene.clock.advance(0)
  for (const one of scene.peers) one.release()
})
