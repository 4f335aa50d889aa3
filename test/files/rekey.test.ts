/** `folder rekey` with whole peers: everything is sealed anew, and nobody sees a difference but the keys. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const waitMs = 120_000

function noise(seed: number, bytes: number): Buffer {
  const content = Buffer.alloc(bytes)
  let state = seed
  for (let at = 0; at < bytes; at += 4)
    content.writeUInt32LE((state = (state * 1_103_515_245 + 12_345) >>> 0), at)
  return content
}

async function finished(peer: Peer): Promise<void> {
  await eventually(
    'everything is sealed anew',
    async () => {
      const [folder] = (await peer.folders.list()).folders
      return folder?.rekey === undefined && (await peer.files.info('files/d/large')).rekey === undefined
    },
    waitMs,
  )
}

/** All that people see of these files, without what new keys change: hash, root. */
async function seen(peer: Peer, paths: readonly string[]): Promise<unknown[]> {
  const all = []
  for (const path of paths) {
    const { versions, ...facts } = await peer.files.info(path)
    const others = Object.entries(facts).filter(
      ([name]) => !['hash', 'root', 'copies', 'rekey'].includes(name),
    )
    all.push(
      others,
      versions.map((version) => ({ ...version, hash: '' })),
    )
  }
  return all
}

const chunkIds = async (peer: Peer, path: string): Promise<string[]> =>
  ((await peer.files.info(path, { chunks: true })).chunks ?? []).map(({ id }) => id)

async function start(t: TestContext, home?: string): Promise<Peer> {
  return startPeer(t, { home: home ?? (await temporaryFolder(t)) })
}

test('everything is sealed anew, old versions and trash too; nothing else changes, and two devices agree', async (t) => {
  const a = await start(t)
  const { code } = await a.pool.invite({ storageOnly: false })
  const b = await startPeer(t, { home: await temporaryFolder(t), join: code })
  const large = noise(7, 6_000_000)
  await a.files.put('files/d/large', sourceOf(large), { modified: 1_000_000 })
  await a.files.put('files/note', text('one'))
  await a.files.put('files/note', text('two'), { tags: ['blue'] })
  await b.files.put('files/by b', text('written by b'))
  await a.files.put('files/gone', text('in the trash'))
  await a.files.remove('files/gone')
  const paths = ['files/d/large', 'files/note', 'files/by b']
  for (const peer of [a, b])
    await eventually(
      'both have everything',
      async () =>
        (
          await Promise.all(
            paths.map(
              async (path) => peer.files.has(path) && (await peer.files.info(path)).copies.have === 2,
            ),
          )
        ).every(Boolean),
      waitMs,
    )
  const before = await seen(a, paths)
  const chunks = await chunkIds(a, 'files/d/large')
  const old = (await a.files.versions('files/note'))[1]!.version

  const told = await a.folders.rekey('files')
  assert.equal(told.name, 'files')
  await finished(a)
  const after = await chunkIds(a, 'files/d/large')
  assert.deepEqual(
    after.filter((id) => chunks.includes(id)),
    [],
    'every chunk is another one',
  )
  assert.deepEqual(await seen(a, paths), before)
  assert.deepEqual(await contentOf(a, 'files/d/large'), large)
  assert.equal((await contentOf(a, 'files/note', { version: old })).toString(), 'one')
  await a.files.restore('files/gone')
  assert.equal((await contentOf(a, 'files/gone')).toString(), 'in the trash')
  assert.equal((await a.files.info('files/gone')).rekey, undefined, 'the trash was sealed anew too')

  await eventually(
    'b has the same chunks',
    async () => (await chunkIds(b, 'files/d/large')).join() === after.join(),
    waitMs,
  )
  assert.equal((await b.files.info('files/d/large')).hash, (await a.files.info('files/d/large')).hash)
  assert.deepEqual(await contentOf(b, 'files/d/large'), large)
  for (const path of paths)
    await eventually(
      `${path} has its copies`,
      async () => (await b.files.info(path)).copies.have === 2,
      waitMs,
    )
  // Equal content is found equal again, under the new keys alone.
  const again = await a.files.put('files/again', sourceOf(large))
  assert.equal(again.sentBytes, 0)
  const alarms: string[] = []
  a.events(undefined, ({ event }) => void (event.type === 'alarm' && alarms.push(event.data.kind)))
  for (const path of paths) await contentOf(a, path)
  assert.deepEqual(alarms, [])
})

test('an upload from before the fresh secret goes on, and what is moved or sealed halfway stays readable', async (t) => {
  const home = await temporaryFolder(t)
  const a = await start(t, home)
  const content = noise(3, 3_000_000)
  const half = await a.files.uploads.begin({ path: 'files/d/large', size: content.length })
  await a.files.uploads.append(half.id, 0, sourceOf(content.subarray(0, 1_700_000)))
  await a.files.put('files/small', text('small'))
  await a.steerWorker('rekey', 'pause')
  await a.folders.rekey('files')
  // Not sealed anew yet: facts change all the same.
  await a.files.move('files/small', 'files/moved')
  assert.equal((await contentOf(a, 'files/moved')).toString(), 'small')
  await a.files.uploads.append(half.id, 1_700_000, sourceOf(content.subarray(1_700_000)))
  assert.deepEqual(await contentOf(a, 'files/d/large'), content)
  assert.equal((await a.files.info('files/d/large')).rekey, 'waiting')
  assert.deepEqual((await a.files.info('files/d/large')).tags, [])
  await a.stop()

  // Paused work stays paused over a restart, and goes on when it is told to.
  const again = await start(t, home)
  assert.equal((await again.files.info('files/d/large')).rekey, 'waiting')
  const alarms: string[] = []
  again.events(undefined, ({ event }) => void (event.type === 'alarm' && alarms.push(event.data.kind)))
  await again.steerWorker('rekey', 'resume')
  await finished(again)
  assert.deepEqual(await contentOf(again, 'files/d/large'), content)
  assert.equal((await contentOf(again, 'files/moved')).toString(), 'small')
  assert.equal(
    (await again.files.info('files/moved')).copies.have,
    1,
    'small files have their new chunks too',
  )
  assert.equal((await again.files.put('files/copy', sourceOf(content))).sentBytes, 0)
  assert.deepEqual(alarms, [])
})
