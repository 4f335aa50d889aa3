/** Devices that leave their pool, or are lost for ever, with real processes. */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  codeOf,
  connectedTo,
  devicesOf,
  eventually,
  numbered,
  Peers,
  refusal,
  safeFiles,
  statusOf,
} from './peers.ts'

test('a device that leaves has a new, empty pool, and nothing of the old one', async (t) => {
  const peers = await Peers.make(t)
  const [a, b] = await peers.pool('a', 'b')
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(400_000))
  await a!.run(['put', file, '--to', 'files/a-telling-name'])
  await safeFiles(b!, 1)
  await a!.kill()
  await refusal('LEAVE_UNHEARD', b!, 'pool', 'leave')
  await writeFile(file, numbered(400_001))
  await b!.run(['put', file, '--to', 'files/only-here'])
  const refused = await refusal('LAST_COPIES', b!, 'pool', 'leave')
  assert.match(refused.message, /^1 of the files/)
  await a!.start()
  await safeFiles(b!, 2)
  const { pool } = await statusOf(b!)
  await b!.run(['pool', 'leave'])
  const after = await statusOf(b!)
  assert.notEqual(after.pool.id, pool.id)
  assert.deepEqual([after.pool.peers, after.files.count, after.warnings], [1, 0, []])
  await refusal('NOT_FOUND', b!, 'info', 'files/a-telling-name')
  await eventually('a sees that b has left', async () =>
    (await devicesOf(a!)).some(({ name, state }) => name === 'b' && state === 'revoked'),
  )
  await b!.stop()
  for (const name of await readdir(b!.home, { recursive: true, withFileTypes: true }))
    if (name.isFile()) {
      const bytes = await readFile(join(name.parentPath, name.name))
      assert.equal(bytes.includes('a-telling-name'), false, name.name)
      if (name.name.startsWith('seg-')) assert.equal(bytes.includes(Buffer.from(pool.id, 'hex')), false)
    }
  await b!.start()
  await b!.run(['join', await codeOf(a!)])
  await connectedTo(a!, 2)
  await safeFiles(a!, 2)
})

test('the second device invites, revokes and writes after the founder is lost for ever', async (t) => {
  const peers = await Peers.make(t)
  const [a, b] = await peers.pool('a', 'b')
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(500_000))
  await a!.run(['put', file, '--to', 'files/one'])
  await safeFiles(b!, 1)
  await a!.kill()
  const c = await peers.started('c', undefined, await codeOf(b!))
  const d = await peers.started('d', undefined, await codeOf(b!, '--storage-only'))
  await b!.run(['device', 'revoke', 'a']).catch((thrown: unknown) => assert.fail(String(thrown)))
  await b!.run(['put', file, '--to', 'files/two'])
  await safeFiles(b!, 2)
  assert.equal((await c.json<{ copies: { want: number } }>(['info', 'files/two'])).copies.want, 3)
  assert.equal((await statusOf(d)).pool.role, 'storage')
})
