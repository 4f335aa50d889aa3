/** `lock` and `unlock`: a locked device keeps chunks and opens nothing; a kill leaves one state or the other. */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import type { LockState, Peer } from '../../src/peer/peer.ts'
import { codeOf, Peers } from '../network/peers.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const waitMs = 120_000
const secret = { passphrase: 'correct horse battery' }
const name = 'very-secret-plans'

/** Files of a home, but not its segments, that hold these bytes. */
async function filesWith(home: string, bytes: string | Buffer): Promise<string[]> {
  const found = []
  for (const file of await readdir(home))
    if (/^peerstor|^config|^run/.test(file) && (await readFile(join(home, file))).includes(bytes))
      found.push(file)
  return found
}

async function copies(peer: Peer, path: string): Promise<number> {
  return peer.files.has(path) ? (await peer.files.info(path)).copies.have : 0
}

test('a locked device keeps and gives chunks, shows nothing, and is what it was when unlocked', async (t) => {
  const home = await temporaryFolder(t)
  const a = await startPeer(t, { home })
  const { code } = await a.pool.invite({ storageOnly: false })
  const b = await startPeer(t, { home: await temporaryFolder(t), join: code })
  const content = Buffer.alloc(900_000, 'x')
  await a.files.put(`files/${name}`, sourceOf(content))
  await eventually('both have the file', async () => (await copies(b, `files/${name}`)) === 2, waitMs)
  assert.notDeepEqual(await filesWith(home, name), [], 'an unlocked index holds names')

  await assert.rejects(a.lock.lock(), { code: 'BAD_INPUT' })
  await assert.rejects(a.lock.lock({ passphrase: 'short' }), { code: 'BAD_INPUT' })
  assert.deepEqual(await a.lock.lock(secret), { locked: true, kind: 'passphrase' } satisfies LockState)
  const status = await a.status()
  assert.deepEqual([status.locked, status.pool.role, status.files.count], [true, 'storage', 0])
  assert.match(status.warnings.join(), /locked.*peerstor unlock/)
  await assert.rejects(a.files.list('files'), { code: 'PEER_LOCKED' })
  await assert.rejects(a.files.put('files/new', text('x')), { code: 'PEER_LOCKED' })
  await assert.rejects(a.folders.create('more', {}), { code: 'PEER_LOCKED' })
  await assert.rejects(a.pool.invite({ storageOnly: false }))
  await assert.rejects(a.pool.leave(), { code: 'PEER_LOCKED' })
  await assert.rejects(a.recovery.print({ renew: true }))
  assert.deepEqual(await filesWith(home, name), [])
  const { folders } = await a.folders.list()
  assert.deepEqual(
    folders.map((folder) => folder.name),
    [undefined],
  )

  // It still takes what others write, and gives it back.
  await b.files.put('files/by b', sourceOf(Buffer.alloc(500_000, 'y')))
  await eventually(
    'the locked device keeps it too',
    async () => (await copies(b, 'files/by b')) === 2,
    waitMs,
  )
  await a.stop()

  const again = await startPeer(t, { home })
  assert.equal((await again.status()).locked, true, 'it stays locked over a restart')
  await assert.rejects(again.lock.unlock({ passphrase: 'correct horse batterz' }), { code: 'LOCK_WRONG' })
  await assert.rejects(again.lock.unlock({ keyFile: Buffer.alloc(64) }), { code: 'LOCK_WRONG' })
  assert.deepEqual(await again.lock.unlock(secret), { locked: false, kind: 'passphrase' } satisfies LockState)
  assert.deepEqual(await contentOf(again, `files/${name}`), content)
  await eventually('what b wrote is there too', () => again.files.has('files/by b'), waitMs)
  await again.files.put('files/after', text('after'))
  const next = { keyFile: Buffer.alloc(100, 3) }
  assert.equal((await again.lock.change(secret, next)).kind, 'key file')
  await assert.rejects(again.lock.lock(next), { code: 'LOCK_SET' })
  await again.stop()
  assert.deepEqual(await filesWith(home, name), [], 'nothing of it lies there while nothing runs')

  const third = await startPeer(t, { home })
  await assert.rejects(third.lock.unlock(secret), { code: 'LOCK_WRONG' })
  assert.deepEqual(await third.lock.remove(next), { locked: false, kind: null })
  assert.equal((await contentOf(third, 'files/after')).toString(), 'after')
  await assert.rejects(third.lock.unlock(next), { code: 'LOCK_NONE' })
})

test('killed while it locks or unlocks, a peer is locked or not, and every file is there', async (t) => {
  const seed = Number(process.env['PEERSTOR_SEED'] ?? Date.now() % 1000)
  t.diagnostic(`seed ${seed}`)
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  const key = join(peers.folder, 'key')
  const file = join(peers.folder, 'file')
  await writeFile(key, Buffer.alloc(64, 9))
  await writeFile(file, 'kept')
  await a.run(['put', file])
  for (const [round, act] of ['lock', 'unlock'].entries()) {
    const running = a.run([act, '--key-file', key]).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 150 + ((seed * 7919 * (round + 1)) % 400)))
    await a.kill()
    await running
    await a.start()
    const { locked, kind } = await a.json<LockState>(['lock', '--state'])
    assert.equal(locked, kind !== null, 'after a start keys that have a lock are locked')
    if (locked && act === 'unlock') await a.run(['lock', '--remove', '--key-file', key])
    else if (!locked && act === 'lock') await a.run(['lock', '--key-file', key])
  }
  assert.equal(await a.run(['cat', 'files/file']), 'kept')
  assert.ok(await codeOf(a))
})
