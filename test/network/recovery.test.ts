/** The paper recovery key, with real processes: every device of the owner is gone, and everything comes back. */
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  codeOf,
  connectedTo,
  devicesOf,
  eventually,
  isThere,
  makeTree,
  numbered,
  Peers,
  refusal,
  refusedStart,
  safeFiles,
  statusOf,
  treeOf,
} from './peers.ts'

test('with paper and a storage-only device everything is read again, and the lost device revoked', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  const b = await peers.started('b', undefined, await codeOf(a, '--storage-only'))
  const tree = join(peers.folder, 'tree')
  await makeTree(tree)
  await a.run(['put', '-r', tree])
  const count = (await statusOf(a)).files.count

  await eventually('all copies are made', async () => {
    const { copies } = await a.json<{ copies: { have: number } }>(['info', 'files/tree/deep/er/large'])
    return copies.have === 2
  })
  const { safety } = await statusOf(a)
  assert.deepEqual([safety.safe, safety.lost], [0, 0], 'the keys are on one device only')
  assert.match(safety.statement, /^not safe yet: the keys are on one device only.*peerstor recovery print/)
  const { code } = await a.json<{ code: string }>(['recovery', 'print'])
  assert.equal(
    (await a.run(['recovery', 'print'])).replaceAll(/[\s]/g, '').includes(code.replaceAll(' ', '')),
    true,
  )
  await refusal('RECOVERY_INVALID', a, 'recovery', 'confirm', code.replace(/^../, 'zz'))
  await a.run(['recovery', 'confirm', ...code.split(' ')])
  await safeFiles(a, count)
  assert.equal((await readFile(join(a.home, 'keys/pool.json'), 'utf8')).includes('recoverySeed'), false)
  await refusal('RECOVERY_GONE', a, 'recovery', 'print')
  await refusal('FORBIDDEN', b, 'recovery', 'print', '--new')

  await a.kill()
  await rm(a.home, { recursive: true })
  await refusedStart('RECOVERY_INVALID', peers.home('wrong'), '--recover', code.slice(0, -2))
  assert.equal(await isThere(peers.home('wrong')), false)
  const c = peers.peer('c')
  await c.start(undefined, code, '--recover')
  await eventually('every file is known', async () => (await statusOf(c)).files.count === count)
  const back = join(peers.folder, 'back')
  await c.run(['get', '-r', 'files/tree', '-o', back])
  assert.deepEqual(await treeOf(back), await treeOf(tree))

  await c.run(['device', 'revoke', 'a'])
  await eventually('b takes a for revoked', async () =>
    (await devicesOf(b)).some(({ kind, state }) => kind === 'device' && state === 'revoked'),
  )
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(400_000))
  await c.run(['put', file, '--to', 'files/new'])
  await safeFiles(c, count + 1)
  // The key that was typed stays until its owner says that all is back.
  assert.match((await statusOf(c)).warnings.join(), /peerstor recovery confirm/)
  await c.run(['recovery', 'confirm'])
  assert.deepEqual((await statusOf(c)).warnings, [])
  await c.stop()
  await c.start(undefined, code, '--recover')
  await connectedTo(c, 2)
  await safeFiles(c, count + 1)

  // A further paper works as the first did.
  const { code: second } = await c.json<{ code: string }>(['recovery', 'print', '--new'])
  await c.run(['recovery', 'confirm', second])
  await eventually(
    'b knows of it',
    async () => (await devicesOf(b)).filter(({ printed }) => printed).length === 2,
  )
  await c.kill()
  const d = peers.peer('d')
  await d.start(undefined, second, '--recover')
  await eventually('d knows every file', async () => (await statusOf(d)).files.count === count + 1)
  assert.equal(Buffer.from(await d.run(['cat', 'files/tree/small.txt'])).toString(), 'small\n')
})

test('a device killed while it recovers goes on with the same code, once; the second device needs no paper', async (t) => {
  const peers = await Peers.make(t)
  const [a, b] = await peers.pool('a', 'b')
  const file = join(peers.folder, 'file')
  await writeFile(file, numbered(300_000))
  await a!.run(['put', file, '--to', 'files/one'])
  await safeFiles(b!, 1)
  const { code } = await a!.json<{ code: string }>(['recovery', 'print'])
  await refusal('RECOVERY_GONE', b!, 'recovery', 'confirm')
  for (const [index, place] of ['keys/joining.json', 'keys/pool.json'].entries()) {
    const c = peers.peer(`c${index}`)
    const first = c.start(undefined, code, '--recover').then(
      () => 'ready',
      () => 'killed',
    )
    await eventually(`${place} is there`, () => isThere(join(c.home, place)))
    await c.kill()
    await first
    await c.start(undefined, code, '--recover')
    await connectedTo(c, 3 + index)
    const devices = (await devicesOf(a!)).filter(({ kind }) => kind === 'device')
    assert.equal(devices.length, 3 + index)
    assert.equal(await isThere(join(c.home, 'keys/joining.json')), false)
  }
})
