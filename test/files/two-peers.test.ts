/** Two and three peers over real sockets: joining, copies, reading what a stopped peer wrote, changing pools. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { createPeer } from '../../src/peer/create-peer.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const invite = async (peer: Peer, storageOnly = false): Promise<string> =>
  (await peer.pool.invite({ storageOnly })).code

const haveCopies = (peer: Peer, folder: string, files: number, copies: number) => async () => {
  const { entries } = await peer.files.list(folder, { recursive: true })
  return entries.length === files && entries.every((entry) => (entry.copies?.have ?? 0) >= copies)
}

test('a second device joins, both keep copies, and it reads everything when the first is gone', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a'), settings: { name: 'desk' } })
  const before = randomBytes(7_000_000)
  await a.files.put('files/before', sourceOf(before))
  const b = await startPeer(t, { home: join(folder, 'b'), settings: { name: 'lap' }, join: await invite(a) })
  const after = randomBytes(3_000_000)
  const put = await a.files.put('files/after', sourceOf(after), { durability: 2 })
  assert.equal(put.copies, 2)
  await b.files.put('files/of-b', text('b'))
  const properties = { '{u:}x': '<x xmlns="u:"/>', 'x-amz-meta-ä': '日本 "\n' }
  await a.files.change('files/after', { properties })
  await eventually('copies on b', haveCopies(b, 'files', 3, 2))
  await eventually('copies on a', haveCopies(a, 'files', 3, 2))
  await eventually('properties on b', () => b.files.look('files/after')?.properties !== undefined)
  assert.deepEqual((await b.files.get('files/after')).properties, properties)
  assert.deepEqual((await a.pool.devices()).devices.map(({ name }) => name).sort(), [
    'desk',
    'lap',
    'recovery key',
  ])
  assert.equal((await b.status()).pool.peers, 2)
  assert.match(
    (await a.status()).safety.statement,
    /all 3 files have a copy on each of 2 devices, 3 copies are asked for/,
  )
  const counted = () => b.metrics().json() as { network: { received_bytes: number; peers: number } }
  const received = counted().network.received_bytes
  assert.ok(received > before.length)
  await a.stop()
  await eventually('the end of the connection', () => counted().network.peers === 0)
  assert.ok(counted().network.received_bytes >= received)
  assert.ok((await contentOf(b, 'files/before')).equals(before))
  assert.ok((await contentOf(b, 'files/after')).equals(after))
  const { holders, have } = (await b.files.info('files/before')).copies
  assert.equal(have, 2)
  assert.deepEqual(holders.map(({ name, state }) => `${name} ${state}`).sort(), [
    'desk offline',
    'lap online',
  ])
})

test('a used, mistyped or unreachable code is refused and leaves no home', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const code = await invite(a)
  await startPeer(t, { home: join(folder, 'b'), join: code })
  const refused = async (name: string, given: string, error: string) => {
    const home = join(folder, name)
    const settings = { host: '127.0.0.1', 'peer-port': 0, mdns: false }
    const peer = await createPeer({ home, settings, join: given, onLog: () => undefined })
    await assert.rejects(peer.start(), { code: error })
    assert.equal(existsSync(home), false)
  }
  await refused('used', code, 'INVITE_USED')
  const letter = code[9] === 'A' ? 'B' : 'A'
  await refused('mistyped', code.slice(0, 9) + letter + code.slice(10), 'INVITE_INVALID')
  await refused('nonsense', 'hello', 'INVITE_INVALID')
})

test('a storage-only device keeps copies and opens nothing', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const content = randomBytes(2_000_000)
  await a.files.put('files/secret-name', sourceOf(content))
  const s = await startPeer(t, { home: join(folder, 's'), join: await invite(a, true) })
  await eventually('copies', haveCopies(a, 'files', 1, 2))
  assert.equal((await s.status()).pool.role, 'storage')
  await assert.rejects(s.files.list(''), { code: 'STORAGE_ONLY' })
  await assert.rejects(s.files.get('files/secret-name'), { code: 'STORAGE_ONLY' })
  await assert.rejects(s.pool.invite({ storageOnly: true }), { code: 'FORBIDDEN' })
})

test('a running peer joins: an empty pool is replaced, one with files only with them', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const empty = await startPeer(t, { home: join(folder, 'e') })
  const code = await invite(a)
  const joined = await empty.pool.join(code)
  assert.equal(joined.pool, (await a.status()).pool.id)
  assert.deepEqual(await empty.pool.join(code), { ...joined, peers: 2 })

  const b = await startPeer(t, { home: join(folder, 'b') })
  const content = randomBytes(6_000_000)
  await b.folders.create('photos', {})
  await b.files.put('photos/2026/pic', sourceOf(content), { mode: 0o640 })
  await b.files.put('files/note', text('note'))
  await a.files.put('files/note', text('note of a'))
  const second = await invite(a)
  await assert.rejects(b.pool.join(second), { code: 'POOL_NOT_EMPTY' })
  assert.ok((await contentOf(b, 'photos/2026/pic')).equals(content))
  const { pool } = await b.pool.join(second, { bringFiles: true })
  assert.equal(pool, joined.pool)
  await eventually('the files of b on a', async () =>
    a.files.list('photos', { recursive: true }).then(
      ({ entries }) => entries.length === 1 && (entries[0]?.copies?.have ?? 0) >= 2,
      () => false,
    ),
  )
  assert.ok((await contentOf(a, 'photos/2026/pic')).equals(content))
  assert.equal((await a.files.info('photos/2026/pic')).mode, 0o640)
  assert.equal(existsSync(join(folder, 'b', 'keys', 'before', 'keys', 'pool.json')), false)
})

test('a device that leaves begins a pool of its own; a restarted one goes on in its pool', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const b = await startPeer(t, { home: join(folder, 'b'), join: await invite(a) })
  await a.files.put('files/x', text('x'))
  await eventually('copies', haveCopies(b, 'files', 1, 2))
  const { id } = (await b.status()).pool
  await b.stop()
  const again = await startPeer(t, { home: join(folder, 'b'), join: undefined })
  assert.equal((await again.status()).pool.id, id)
  assert.equal((await contentOf(again, 'files/x')).toString(), 'x')
  await eventually('the other is met again', async () =>
    (await again.pool.peers()).peers.some(({ state }) => state === 'online'),
  )
  await again.pool.leave()
  assert.notEqual((await again.status()).pool.id, id)
  assert.deepEqual(
    (await again.files.list('')).entries.map(({ path, files }) => [path, files]),
    [['files', 0]],
  )
  await again.files.put('files/mine', text('mine'))
  await eventually('the other sees it gone', async () => (await a.status()).pool.peers === 1)
})

test('a revoked device is cut off', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const b = await startPeer(t, { home: join(folder, 'b'), settings: { name: 'lost' }, join: await invite(a) })
  await a.files.put('files/x', text('x'))
  await eventually('copies', haveCopies(b, 'files', 1, 2))
  const { devices } = await a.pool.revoke(['lost'])
  assert.deepEqual(
    devices.map(({ name, state }) => [name, state]),
    [['lost', 'revoked']],
  )
  await a.files.put('files/after', text('after'))
  assert.equal((await a.status()).pool.peers, 1)
  assert.equal((await a.files.info('files/x')).copies.want, 1)
  await assert.rejects(a.pool.revoke(['nobody']), { code: 'DEVICE_UNKNOWN' })
  assert.deepEqual(
    (await b.files.list('files')).entries.map(({ path }) => path),
    ['files/x'],
  )
})

test('files put while a code is redeemed come along', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  const b = await startPeer(t, { home: join(folder, 'b') })
  const code = await invite(a)
  const joined = new AbortController()
  const joining = b.pool.join(code).finally(() => joined.abort())
  const acknowledged: string[] = []
  for (let number = 0; !joined.signal.aborted; number++) {
    const put = b.files.put(`files/${number}`, text(`${number}`))
    await put.then(
      ({ path }) => acknowledged.push(path),
      () => undefined,
    )
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await joining
  assert.ok(acknowledged.length > 0)
  for (const path of acknowledged)
    assert.equal((await contentOf(b, path)).toString(), path.slice('files/'.length))
})
