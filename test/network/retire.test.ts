/** A device that goes moves all that it keeps to others first, and says when it is safe to unplug. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { isCode } from '../../src/base/errors.ts'
import type { Peer, RetireLine } from '../../src/peer/peer.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder } from '../peer-fixture.ts'

const waitMs = 180_000

const inviteTo = async (peer: Peer): Promise<string> => (await peer.pool.invite({ storageOnly: false })).code

async function retired(peer: Peer, name: string): Promise<RetireLine> {
  let line = await peer.pool.retire(name, 'look')
  await eventually(
    `${name} is safe to unplug`,
    async () => {
      line = await peer.pool.retire(name, 'look')
      return line.phase === 'safe'
    },
    waitMs,
  )
  return line
}

test('a device retires at the word of another, and its files are whole without it', async (t) => {
  const folder = await temporaryFolder(t)
  const start = (name: string, code?: string): Promise<Peer> =>
    startPeer(t, { home: join(folder, name), settings: { name }, ...(code !== undefined && { join: code }) })
  const a = await start('a')
  await assert.rejects(a.pool.retire('a', 'begin'), (error) => isCode(error, 'RETIRE_ALONE'))
  const b = await start('b', await inviteTo(a))
  const c = await start('c', await inviteTo(a))
  // With two copies of each chunk, most of what lies on b lies on one other device only.
  await a.folders.set('files', { copies: 2, min: 2, max: 2 })
  const files = new Map<string, Buffer>()
  for (let index = 0; index < 12; index++) {
    const content = randomBytes(900_000)
    const path = `files/${index}`
    files.set(path, content)
    await [a, b, c][index % 3]!.files.put(path, sourceOf(content), { durability: 2 })
  }
  const begun = await a.pool.retire('b', 'begin')
  assert.ok(begun.phase !== 'active')
  const line = await retired(a, 'b')
  assert.match(line.statement, /^safe to unplug/)
  assert.ok(line.chunks > 0)
  assert.deepEqual([line.left, line.checked, line.reason], [0, line.chunks, undefined])
  assert.match((await b.status()).warnings.join(), /this device is retiring: safe to unplug/)
  assert.deepEqual((await c.pool.retire('b', 'begin')).phase, 'safe')

  // What people still store there is moved too.
  const late = randomBytes(700_000)
  files.set('files/late', late)
  await b.files.put('files/late', sourceOf(late))
  assert.equal((await b.pool.retire('b', 'look')).phase, 'moving')
  await retired(b, 'b')

  await eventually(
    'a knows all files',
    async () => (await a.files.list('files')).entries.length === files.size,
    waitMs,
  )
  await eventually(
    'a lists b as retiring',
    async () =>
      (await a.pool.devices()).devices.some(({ name, state }) => name === 'b' && state === 'retiring'),
    waitMs,
  )
  await b.stop()
  for (const [path, content] of files) {
    assert.ok((await contentOf(a, path)).equals(content), path)
    const { have, want, holders } = (await c.files.info(path)).copies
    assert.deepEqual([have, want, holders.some(({ name }) => name === 'b')], [2, 2, false], path)
  }
})

test('a device that is told to stay keeps files again', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a'), settings: { name: 'a' } })
  const code = await inviteTo(a)
  const b = await startPeer(t, { home: join(folder, 'b'), settings: { name: 'b' }, join: code })
  await a.files.put('files/one', sourceOf(randomBytes(300_000)), { durability: 2 })
  await a.pool.retire('b', 'begin')
  await eventually(
    'one copy is wanted',
    async () => (await a.files.info('files/one')).copies.want === 1,
    waitMs,
  )
  assert.equal((await a.pool.retire('b', 'cancel')).phase, 'active')
  await eventually(
    'both keep it',
    async () => {
      const { have, want } = (await a.files.info('files/one')).copies
      return have === 2 && want === 2
    },
    waitMs,
  )
  assert.equal((await b.pool.retire('b', 'look')).phase, 'active')
})
