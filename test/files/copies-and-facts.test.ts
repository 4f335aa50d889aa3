/** Copying, moving onto something, and facts that are not content: what people see after each. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import { limits } from '../../src/base/limits.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const peer = async (t: TestContext, settings = {}) =>
  startPeer(t, { home: await temporaryFolder(t), settings })

const paths = async (p: Peer, folder = 'files') =>
  (await p.files.list(folder, { recursive: true })).entries.map(({ path }) => path)

test('a copy inside a folder stores no content again; one into another folder is readable there', async (t) => {
  const p = await peer(t)
  await p.folders.create('other', {})
  const content = randomBytes(3_000_000)
  const put = await p.files.put('files/a/big', sourceOf(content), { tags: ['x'], mode: 0o600 })
  await p.files.put('files/a/deep/small', text('small'))
  await p.files.makeFolder('files/a/empty')
  await p.files.change('files/a/big', { properties: { colour: 'red' } })
  const { used } = await p.quota()

  assert.deepEqual(await p.files.copy('files/a', 'files/b'), { copied: 3 })
  assert.equal((await p.quota()).used, used)
  assert.deepEqual(await paths(p), [
    'files/a/big',
    'files/a/deep/small',
    'files/a/empty',
    'files/b/big',
    'files/b/deep/small',
    'files/b/empty',
  ])
  const copied = await p.files.info('files/b/big')
  assert.deepEqual([copied.hash, copied.tags, copied.mode], [put.hash, ['x'], 0o600])
  assert.equal(copied.versions.length, 1)
  assert.deepEqual(p.files.look('files/b/big')?.properties, { colour: 'red' })
  await p.files.remove('files/a', { recursive: true })
  assert.ok((await contentOf(p, 'files/b/big')).equals(content))

  await p.files.copy('files/b', 'other/c')
  assert.deepEqual(await paths(p, 'other'), ['other/c/big', 'other/c/deep/small', 'other/c/empty'])
  assert.ok((await contentOf(p, 'other/c/big')).equals(content))
  assert.deepEqual(p.files.look('other/c/big')?.properties, { colour: 'red' })
  await p.files.copy('files/b', 'files/alone', { shallow: true })
  assert.deepEqual(await paths(p), ['files/alone', 'files/b/big', 'files/b/deep/small', 'files/b/empty'])
})

test('what lies at the target is refused, moved into or sent to the trash, as asked', async (t) => {
  const p = await peer(t)
  await p.folders.create('other', {})
  const make = async (): Promise<void> => {
    await p.files.put('files/one', text('one'))
    await p.files.put('files/tree/leaf', text('leaf'))
  }
  await make()
  for (const verb of ['copy', 'move'] as const) {
    await assert.rejects(p.files[verb]('files/one', 'files/tree', { existing: 'refuse' }), {
      code: 'ALREADY_EXISTS',
    })
    for (const to of ['files/one', 'files/one/below'])
      await assert.rejects(p.files[verb]('files/one', to, { existing: 'replace' }), { code: 'BAD_PATH' })
    await assert.rejects(p.files[verb]('files/tree/leaf', 'files/tree', { existing: 'replace' }), {
      code: 'ALREADY_EXISTS',
    })
    await assert.rejects(p.files[verb]('files/one', 'other', { existing: 'replace' }), {
      code: 'ALREADY_EXISTS',
    })
    await p.files[verb]('files/one', 'files/tree', { existing: 'replace' })
    assert.equal((await contentOf(p, 'files/tree')).toString(), 'one')
    assert.equal(p.files.has('files/tree/leaf'), false)
    assert.equal(p.files.has('files/one'), verb === 'copy')
    assert.equal((await p.files.trash('files')).entries[0]?.path, 'files/tree/leaf')
    await p.files.remove('files/tree')
    await make()
    await p.files.restore('files/tree/leaf')
    await p.files.put('other/file', text('before'))
    await p.files[verb]('files/one', 'other/file', { existing: 'replace' })
    assert.equal((await contentOf(p, 'other/file')).toString(), 'one')
    assert.equal((await p.files.versions('other/file')).length > 1, true)
    await make()
  }
})

test('times, mode and properties change without content, and stay with the file', async (t) => {
  const home = await temporaryFolder(t)
  const first = await startPeer(t, { home })
  await first.files.put('files/a', text('a'))
  await first.files.put('files/tree/leaf', text('leaf'))
  await first.files.change('files/a', {
    modified: 1_600_000_000_000,
    mode: 0o755,
    properties: { x: '1', y: '2' },
  })
  await first.files.change('files/a', { properties: { x: null } })
  await first.files.change('files/tree', { properties: { x: 'tree' } })
  await first.files.change('files', { properties: { x: 'top' } })
  await first.files.move('files/a', 'files/b')
  await first.files.put('files/a', text('another'))
  await assert.rejects(first.files.change('files/none', { mode: 0 }), { code: 'NOT_FOUND' })
  await assert.rejects(
    first.files.change('files/b', { properties: { big: 'x'.repeat(limits.propertyBytes) } }),
    { code: 'TOO_LARGE' },
  )
  await first.stop()

  const p = await startPeer(t, { home })
  const line = p.files.look('files/b')
  assert.deepEqual(
    [line?.modified, line?.mode, line?.properties],
    ['2020-09-13T12:26:40.000Z', 0o755, { y: '2' }],
  )
  const { copies: _, ...listed } = (await p.files.list('files')).entries.find(
    ({ path }) => path === 'files/b',
  )!
  assert.deepEqual({ ...listed, copies: line?.copies }, line)
  assert.equal(p.files.look('files/a')?.properties, undefined)
  assert.deepEqual(p.files.look('files/tree')?.properties, { x: 'tree' })
  assert.match(p.files.look('files/tree')?.modified ?? '', /^20/)
  assert.deepEqual(p.files.look('files')?.properties, { x: 'top' })
  assert.equal(p.files.look('files/none'), undefined)
})

test('a caller copies only what he may read to where he may write', async (t) => {
  const p = await peer(t)
  await p.files.put('files/in/a', text('a'))
  await p.files.put('files/out/b', text('b'))
  const { token } = await p.tokens.create({ name: 'x', scopes: ['write'], folder: 'files/in' })
  const files = p.filesFor(p.tokens.ofToken(token)!)
  await files.copy('files/in/a', 'files/in/c')
  for (const refused of [
    () => files.copy('files/out/b', 'files/in/b'),
    () => files.copy('files/in/a', 'files/out/a'),
    () => files.move('files/in/a', 'files/out/b', { existing: 'replace' }),
    () => files.change('files/out/b', { properties: { x: '1' } }),
  ])
    await assert.rejects(refused(), { code: 'FORBIDDEN' })
  assert.throws(() => files.look('files/out/b'), { code: 'FORBIDDEN' })
})

test('a folder that was made twice at once goes as one', async (t) => {
  const p = await peer(t)
  const makeTwice = async (path: string): Promise<void> => {
    await Promise.allSettled([p.files.makeFolder(path), p.files.makeFolder(path)])
  }
  await makeTwice('files/a')
  await makeTwice('files/a/b')
  await p.files.put('files/a/b/c', text('c'))
  await p.files.move('files/a', 'files/d')
  assert.deepEqual(await paths(p), ['files/d', 'files/d/b', 'files/d/b/c'])
  await makeTwice('files/d/e')
  await p.files.remove('files/d', { recursive: true })
  assert.deepEqual(await paths(p), [])
})
