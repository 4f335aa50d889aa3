/** Devices that are renamed, revoked, come back, or only store, with real processes. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  codeOf,
  connectedTo,
  devicesOf,
  eventually,
  numbered,
  Peers,
  peersOf,
  refusal,
  safeFiles,
  statusOf,
} from './peers.ts'

test('a revoked device is refused at once, is told so, and comes back with a new code', async (t) => {
  const peers = await Peers.make(t)
  const [a, b, c] = await peers.pool('a', 'b', 'c')
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(1_500_000))
  await b!.run(['put', file, '--to', 'files/one'])
  await safeFiles(a!, 1)
  await a!.run(['device', 'rename', 'b', 'old phone'])
  await eventually('c knows the new name', async () =>
    (await devicesOf(c!)).some(({ name }) => name === 'old phone'),
  )

  const { next } = await refusal('REVOKE_SELF', a!, 'device', 'revoke', 'a')
  assert.match(next, /pool leave/)
  const fallen = await a!.json<{ devices: { name: string; state: string }[] }>([
    'device',
    'revoke',
    'old phone',
  ])
  assert.deepEqual(
    fallen.devices.map(({ name, state }) => [name, state]),
    [['old phone', 'revoked']],
  )
  await eventually('c takes b for revoked', async () =>
    (await devicesOf(c!)).some(({ name, state }) => name === 'old phone' && state === 'revoked'),
  )
  await eventually('b is told', async () => {
    const { warnings } = await statusOf(b!)
    return warnings.some((text) => text.includes('was revoked from its pool (says '))
  })
  assert.equal((await statusOf(b!)).pool.role, 'ex-member')
  await eventually('b sees itself refused by both', async () =>
    (await peersOf(b!)).every(({ state }) => state === 'self' || state === 'refuses'),
  )
  const seen = await peersOf(a!)
  assert.equal(seen.find(({ name }) => name === 'old phone')?.role ?? 'ex-member', 'ex-member')
  // What it writes now stays with it, and what the others write does not reach it.
  await b!.run(['put', file, '--to', 'files/late'])
  await a!.run(['put', file, '--to', 'files/after'])
  await safeFiles(a!, 2)
  await eventually('copies are wanted from two only', async () => {
    const { copies } = await a!.json<{ copies: { have: number; want: number } }>(['info', 'files/one'])
    return copies.have === 2 && copies.want === 2
  })
  await refusal('NOT_FOUND', b!, 'info', 'files/after')
  await refusal('NOT_FOUND', c!, 'info', 'files/late')
  assert.equal((await b!.run(['cat', 'files/one'])).length > 0, true, 'its files remain')

  const joined = await b!.json<{ peers: number }>(['join', await codeOf(c!)])
  assert.equal(joined.peers, 3)
  for (const peer of [a!, b!, c!]) await connectedTo(peer, 3)
  assert.deepEqual((await statusOf(b!)).warnings, [])
  await safeFiles(a!, 2)
  await eventually('b reads what came meanwhile', async () => (await statusOf(b!)).files.count === 2)
  await b!.run(['put', file, '--to', 'files/again'])
  await safeFiles(a!, 3)
  await b!.kill()
  await b!.start()
  await connectedTo(b!, 3)
})

test('a storage-only device keeps copies, reads nothing, and says so', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  const b = await peers.started('b', undefined, await codeOf(a, '--storage-only'))
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(400_000))
  await a.run(['put', file, '--to', 'files/one'])
  // One device of one's own is safe with a recovery key on paper.
  await a.run(['recovery', 'confirm'])
  await safeFiles(a, 1)
  const status = await statusOf(b)
  assert.equal(status.pool.role, 'storage')
  assert.ok(status.storage.used > 400_000)
  await b.run(['status'])
  await b.run(['peers'])
  await b.run(['device', 'list'])
  for (const args of [
    ['ls'],
    ['ls', 'files'],
    ['get', 'files/one', '-o', '-'],
    ['put', file],
    ['cat', 'files/one'],
    ['rm', 'files/one'],
  ])
    await refusal('STORAGE_ONLY', b, ...args)
  for (const args of [['invite'], ['folder', 'create', 'x'], ['device', 'revoke', a.started.peer]])
    await refusal('FORBIDDEN', b, ...args)
})

test('what a revoked device wrote unseen is held back, listed, and adopted by a writer', async (t) => {
  const peers = await Peers.make(t)
  const [a, b, c] = await peers.pool('a', 'b', 'c')
  for (const peer of [a!, b!, c!]) await connectedTo(peer, 3)
  await a!.stop()
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(300_000))
  await b!.run(['put', file, '--to', 'files/late/one'])
  await b!.run(['put', file, '--to', 'files/other'])
  for (const path of ['files/late/one', 'files/other'])
    await eventually(`${path} is on c`, async () => {
      const info = await c!.json<{ copies: { have: number } }>(['info', path]).catch(() => undefined)
      return info?.copies.have === 2
    })
  await b!.kill()
  await c!.stop()
  // It does not know what b wrote last, so its revocation keeps none of it.
  await a!.start()
  await a!.run(['device', 'revoke', 'b'])
  await c!.start()
  // Both came back at other ports.
  await c!.run(['peers', 'add', (await statusOf(a!)).addresses[0]!])
  const held = async (peer: typeof a): Promise<string[]> =>
    (await peer!.json<{ held: { path: string }[] }>(['adopt', 'b', '--list'])).held.map(({ path }) => path)
  for (const peer of [a, c])
    await eventually('both are held back', async () => (await held(peer)).length === 2)
  await refusal('NOT_FOUND', a!, 'cat', 'files/late/one')
  await refusal('NOT_FOUND', a!, 'adopt', 'b', 'files/nothing')
  const done = await a!.json<{ adopted: { path: string }[] }>(['adopt', 'b', 'files/late'])
  assert.deepEqual(
    done.adopted.map(({ path }) => path),
    ['files/late/one'],
  )
  for (const peer of [a, c])
    await eventually('one is left', async () => (await held(peer)).join() === 'files/other')
  await a!.run(['get', 'files/late/one', '-o', join(peers.folder, 'back')])
  assert.deepEqual(await readFile(join(peers.folder, 'back')), numbered(300_000))
})
