/** Becoming a device of a pool, with real processes: what works, what is refused, and how clearly. */
import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  codeOf,
  connectedTo,
  devicesOf,
  eventually,
  isThere,
  makeTree,
  Peers,
  refusal,
  refusedStart,
  safeFiles,
  statusOf,
  treeOf,
} from './peers.ts'

test('a second and a third device join at their start; a code is good once, a mistyped one never', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  const code = await codeOf(a)
  const b = await peers.started('b', undefined, code)
  const c = await peers.started('c', undefined, await codeOf(b))
  for (const peer of [a, b, c]) await connectedTo(peer, 3)
  const pools = await Promise.all([a, b, c].map(async (peer) => (await statusOf(peer)).pool.id))
  assert.equal(new Set(pools).size, 1)

  const used = await refusedStart('INVITE_USED', peers.home('late'), '--join', code)
  assert.match(used.next, /peerstor invite/)
  for (const at of [0, 20, code.length - 1]) {
    const letter = code[at] === 'x' ? 'y' : 'x'
    const wrong = code.slice(0, at) + letter + code.slice(at + 1)
    await refusedStart('INVITE_INVALID', peers.home('late'), '--join', wrong)
  }
  await refusedStart('INVITE_INVALID', peers.home('late'), '--join', code.slice(0, -1))
  assert.equal(await isThere(peers.home('late')), false, 'a refused code makes no home')
  await refusal('INVITE_INVALID', c, 'join', `${code}x`)
  // A home that is in that pool already: --join is ignored, and the code stays good.
  const unused = await codeOf(a)
  await b.stop()
  await b.start(undefined, unused)
  await connectedTo(b, 3)
  await peers.started('d', undefined, unused)
  assert.equal((await devicesOf(a)).filter(({ kind }) => kind === 'device').length, 4)
})

test('a running, empty peer joins; its lone pool goes', async (t) => {
  const peers = await Peers.make(t)
  const [a, b] = await Promise.all([peers.started('a'), peers.started('b')])
  const before = (await statusOf(b)).pool.id
  const joined = await b.json<{ pool: string; peers: number }>(['join', await codeOf(a)])
  assert.equal(joined.pool, (await statusOf(a)).pool.id)
  assert.equal(joined.peers, 2)
  assert.notEqual((await statusOf(b)).pool.id, before)
  await connectedTo(a, 2)
  const already = await b.json<{ peers: number }>(['join', await codeOf(a)])
  assert.equal(already.peers, 2, 'a second code of the same pool changes nothing')
  assert.equal((await devicesOf(a)).filter(({ kind }) => kind === 'device').length, 2)
  assert.deepEqual(
    (await readdir(b.home)).filter((name) => name.includes('aside')),
    [],
  )
  assert.equal((await readdir(join(b.home, 'segments'))).length, 1, 'the old segments are gone')
  await refusal('POOL_OTHER', b, 'join', await codeOf(await peers.started('c')))
})

test('a peer with files says what to do, and takes them along when told', async (t) => {
  const peers = await Peers.make(t)
  const [a, b] = await Promise.all([peers.started('a'), peers.started('b')])
  const tree = join(peers.folder, 'tree')
  await makeTree(tree)
  await b.run(['put', '-r', tree])
  await writeFile(join(tree, 'small.txt'), 'a second version\n')
  await b.run(['put', join(tree, 'small.txt'), '--to', 'files/tree/small.txt'])
  await b.run(['folder', 'create', 'photos'])
  await b.run(['put', join(tree, 'small.txt'), '--to', 'photos/small.txt'])
  // The same name with other content, and the very same file, are in the new pool already.
  const other = join(peers.folder, 'other')
  await writeFile(other, 'of another device\n')
  await a.run(['put', other, '--to', 'files/tree/empty'])
  await a.run(['put', join(tree, 'deep/file-3'), '--to', 'files/tree/deep/file-3'])

  const code = await codeOf(a)
  const before = await statusOf(b)
  const refused = await refusal('POOL_NOT_EMPTY', b, 'join', code)
  assert.match(refused.next, /--bring-files/)
  assert.deepEqual((await statusOf(b)).pool, before.pool)
  assert.deepEqual((await statusOf(b)).files, before.files)
  await refusal('INVITE_REFUSED', b, 'join', await codeOf(a, '--storage-only'), '--bring-files')
  await b.run(['join', code, '--bring-files'])

  const out = join(peers.folder, 'out')
  await eventually('a lists what b brought', async () => (await statusOf(a)).files.count === 26)
  await a.run(['get', '-r', 'files/tree', '-o', out])
  const [expected, found] = [await treeOf(tree), await treeOf(out)]
  assert.equal(found.get('empty'), Buffer.from('of another device\n').toString('base64'))
  assert.equal(found.get('from b'), undefined)
  for (const [name, content] of expected) if (name !== 'empty') assert.equal(found.get(name), content, name)
  assert.equal(await a.run(['cat', 'files/from b/tree/empty']), '')
  assert.equal(await a.run(['cat', 'photos/small.txt']), 'a second version\n')
  assert.deepEqual((await statusOf(b)).warnings, [])
  await safeFiles(a, 26)
  assert.equal((await readdir(join(b.home, 'segments'))).length, 1, 'the old segments are gone')
})
