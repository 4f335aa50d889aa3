/** `export` and `start --restore`: a device made again from one file, and what happens when the first one still runs. */
import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { RunningHash } from '../../src/codec/hash.ts'
import type { LockSecret, Peer } from '../../src/peer/peer.ts'
import { isThere } from '../network/peers.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const waitMs = 120_000
const secret = { passphrase: 'correct horse battery' }

async function exported(peer: Peer, path: string, sealed?: LockSecret): Promise<string> {
  await writeFile(path, Buffer.concat(await Array.fromAsync(await peer.recovery.export(sealed))))
  return path
}

async function copies(peer: Peer, path: string): Promise<number> {
  return peer.files.has(path) ? (await peer.files.info(path)).copies.have : 0
}

/** What all versions of a file hold, as far as it is to be had now. */
const contents = async (peer: Peer, path: string): Promise<string> => {
  const read = (await peer.files.versions(path)).map(async ({ version }) =>
    contentOf(peer, path, { version }).then(String, () => 'not yet'),
  )
  return (await Promise.all(read)).sort().join()
}

test('a device is made again from its export; a copy that goes on beside it loses nothing and is seen', async (t) => {
  const folder = await temporaryFolder(t)
  const home = (name: string): string => join(folder, name)
  const a = await startPeer(t, { home: home('a') })
  const { code } = await a.pool.invite({ storageOnly: false })
  const b = await startPeer(t, { home: home('b'), join: code })
  const content = Buffer.alloc(700_000, 'z')
  const { peer: peerId } = await a.status()
  await a.files.put('files/large', sourceOf(content))
  await a.files.put('files/note', text('at first'))
  await a.settings.set('zone', 'home')
  await a.settings.set('alert.command', 'never-run-this')
  for (const path of ['files/large', 'files/note'])
    await eventually(`both have ${path}`, async () => (await copies(b, path)) === 2, waitMs)
  const file = await exported(a, join(folder, 'export'), secret)
  await assert.rejects(startPeer(t, { home: home('a2'), restore: join(folder, 'nothing') }), {
    code: 'EXPORT_INVALID',
  })

  // The first device goes on; nobody hears of it. Its copy begins elsewhere, from the export.
  await b.stop()
  await a.files.put('files/note', text('from the first'))
  await a.stop()
  await assert.rejects(startPeer(t, { home: home('a'), restore: file }), { code: 'HOME_NOT_EMPTY' })
  const c = await startPeer(t, { home: home('c'), restore: file })
  assert.equal((await c.status()).locked, true, 'its keys are sealed')
  await c.lock.unlock(secret)
  assert.deepEqual([(await c.status()).peer, c.settings.get('zone')], [peerId, 'home'])
  assert.equal(c.settings.get('alert.command'), undefined, 'an export chooses no program')
  assert.deepEqual(await readdir(join(home('c'), 'tmp')), [], 'no second file of keys')
  await c.files.put('files/note', text('from the copy'))
  await c.stop()

  const b2 = await startPeer(t, { home: home('b') })
  const a2 = await startPeer(t, { home: home('a') })
  const has = (text: string) => async (): Promise<boolean> =>
    (await contents(b2, 'files/note')).includes(text)
  await eventually(
    'b hears of the first',
    async () => (await b2.files.versions('files/note')).length === 2,
    waitMs,
  )
  await eventually('b has its content', has('from the first'), waitMs)
  await a2.stop()
  const c2 = await startPeer(t, { home: home('c') })
  await c2.lock.unlock(secret)
  for (const peer of [b2, c2])
    await eventually(
      'both versions are there',
      async () =>
        (await peer.files.versions('files/note')).filter(({ state }) => state !== 'old').length === 2,
      waitMs,
    )
  const all = 'at first,from the copy,from the first'
  await eventually(
    'everything can be read on b',
    async () => (await contents(b2, 'files/note')) === all,
    waitMs,
  )
  assert.deepEqual(await contentOf(c2, 'files/large'), content, 'the content comes from the other device')
  for (const peer of [b2, c2]) {
    const { devices } = await peer.pool.devices()
    assert.deepEqual(
      devices.flatMap(({ fork }) => fork ?? []),
      ['cloned'],
    )
  }
})

test('an export that was changed anywhere, or is not whole, makes no device', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  await a.files.put('files/note', text('note'))
  const whole = await readFile(await exported(a, join(folder, 'export')))
  const home = join(folder, 'never')
  const refused = async (bytes: Uint8Array, what: string): Promise<void> => {
    const file = join(folder, 'wrong')
    await writeFile(file, bytes)
    await assert.rejects(startPeer(t, { home, restore: file }), { code: 'EXPORT_INVALID' }, what)
    assert.equal(await isThere(home), false, what)
  }
  for (const at of [3, 20, 300, whole.length >> 1, whole.length - 40, whole.length - 1]) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 1
    await refused(changed, `byte ${at}`)
  }
  for (const length of [0, 7, 100, whole.length - 33, whole.length - 1])
    await refused(whole.subarray(0, length), `${length} bytes`)
  await refused(Buffer.concat([whole, Buffer.alloc(1)]), 'something behind')
  // Whoever makes a new sum cannot make new signatures.
  const forged = Buffer.from(whole)
  forged[forged.length - 2000]! ^= 1
  new RunningHash()
    .add(forged.subarray(0, -32))
    .digest()
    .copy(forged, forged.length - 32)
  await refused(forged, 'a changed record')
})

test('an export of a locked device needs no keys, and its file is for its owner alone', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a') })
  await a.files.put('files/note', text('note'))
  await a.lock.lock(secret)
  await assert.rejects(exported(a, join(folder, 'x'), secret), { code: 'LOCK_SET' })
  const file = await exported(a, join(folder, 'export'))
  await a.stop()
  const b = await startPeer(t, { home: join(folder, 'b'), restore: file })
  await b.lock.unlock(secret)
  assert.equal(b.files.has('files/note'), true)
  assert.equal((await stat(join(folder, 'b/keys/pool.json'))).mode & 0o777, 0o600)
})
