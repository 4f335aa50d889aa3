/** Tags, descriptions, search and single chunks on one whole peer. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import type { FindQuery } from '../../src/peer/peer.ts'
import { contentOf, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const peer = async (t: TestContext) => startPeer(t, { home: await temporaryFolder(t) })

test('tags, description, type and category change what is said and nothing else', async (t) => {
  const p = await peer(t)
  const put = await p.files.put('files/scan.bin', text('content'), {
    modified: 1_600_000_000_000,
    tags: ['old'],
  })
  const said = await p.files.describe('files/scan.bin', {
    addTags: ['Rent', 'e\u0301te', ' rent 2026 '],
    removeTags: ['old', 'never there'],
    description: 'the rent contract',
    type: 'application/pdf',
  })
  assert.deepEqual(said.tags, ['Rent', 'éte', 'rent 2026'])
  assert.deepEqual(
    [said.description, said.type, said.category],
    ['the rent contract', 'application/pdf', 'document'],
  )
  assert.deepEqual([said.hash, said.modified], [put.hash, new Date(1_600_000_000_000).toISOString()])
  assert.notEqual(said.version, put.version)
  assert.equal((await contentOf(p, 'files/scan.bin')).toString(), 'content')

  const image = await p.files.describe('files/scan.bin', { category: 'image' })
  assert.deepEqual([image.category, image.tags], ['image', said.tags])
  assert.deepEqual(await p.files.categories(), { entries: [{ category: 'image', files: 1, bytes: 7 }] })
  const same = await p.files.describe('files/scan.bin', { category: 'image', tags: said.tags })
  assert.equal(same.version, image.version, 'what says nothing new is no version')
  await p.files.put('files/scan.bin', text('new content'), { type: 'application/pdf' })
  assert.equal((await p.files.info('files/scan.bin')).category, 'image', 'a new content keeps what was said')
  assert.equal((await p.files.describe('files/scan.bin', { category: null })).category, 'document')

  for (const tags of [
    [''],
    ['a,b'],
    ['x'.repeat(200)],
    ['\u0007'],
    Array.from({ length: 65 }, (_, n) => `t${n}`),
  ])
    await assert.rejects(p.files.describe('files/scan.bin', { tags }), { code: 'BAD_INPUT' })
  await assert.rejects(p.files.describe('files/scan.bin', { type: 'no type' }), { code: 'BAD_INPUT' })
  await assert.rejects(p.files.describe('files/none', { tags: ['a'] }), { code: 'NOT_FOUND' })
})

test('what is said at the same time is said one after the other', async (t) => {
  const p = await peer(t)
  await p.files.put('files/a', text('a'))
  const tags = Array.from({ length: 20 }, (_, n) => `tag ${n}`)
  await Promise.all(tags.map((tag) => p.files.describe('files/a', { addTags: [tag] })))
  const info = await p.files.info('files/a')
  assert.deepEqual(info.tags, tags)
  assert.ok(info.versions.every(({ state }) => state !== 'conflict'))
})

test('files of all folders are found by words and facts, page by page, as `ls` shows them', async (t) => {
  const p = await peer(t)
  await p.folders.create('photos', {})
  await p.files.put('files/plans/Österreich Reise.txt', text('a'), { modified: 1_000_000 })
  await p.files.put('photos/osterreich.jpg', text('bb'), { modified: 2_000_000, tags: ['Alps'] })
  await p.files.put('photos/other.jpg', text('ccc'), { modified: 3_000_000, description: 'in Österreich' })
  await p.files.put('photos/gone.jpg', text('dddd'))
  await p.files.remove('photos/gone.jpg')
  const find = async (query: FindQuery): Promise<string[]> => {
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await p.files.find({ ...query, cursor, limit: 1 })
      found.push(...page.entries.map(({ path }) => path))
      cursor = page.next
    } while (cursor !== undefined)
    return found
  }
  const all = ['photos/osterreich.jpg', 'files/plans/Österreich Reise.txt', 'photos/other.jpg']
  assert.deepEqual(await find({ words: 'OSTERREICH' }), all)
  assert.deepEqual(await find({ words: 'österreich', folder: 'photos' }), [all[0], all[2]])
  assert.deepEqual(await find({ words: 'gone' }), [])
  assert.deepEqual(await find({}), [all[2], all[0], all[1]])
  assert.deepEqual(await find({ sort: 'oldest' }), [all[1], all[0], all[2]])
  assert.deepEqual(await find({ sort: 'name' }), [all[1], all[0], all[2]])
  assert.deepEqual(await find({ sort: 'largest', folder: 'photos' }), [all[2], all[0]])
  assert.deepEqual(await find({ tags: ['alps'] }), [all[0]])
  assert.deepEqual(await find({ folder: 'files/plans' }), [all[1]])
  const [entry] = (await p.files.find({ words: 'osterreich.jpg' })).entries
  const [listed] = (await p.files.list('photos')).entries
  assert.deepEqual(entry, listed)
  assert.deepEqual(entry?.tags, ['Alps'])
  await assert.rejects(p.files.find({ folder: 'nowhere' }), { code: 'NOT_FOUND' })
  await assert.rejects(p.files.find({ cursor: 'x' }), { code: 'BAD_INPUT' })
})

test('one chunk is the bytes that `info --chunks` tells of', async (t) => {
  const p = await peer(t)
  const content = randomBytes(8_000_000)
  await p.files.put('files/big', sourceOf(content))
  const { chunks = [] } = await p.files.info('files/big', { chunks: true })
  assert.ok(chunks.length > 8, 'enough chunks for a manifest')
  let offset = 0
  for (const [chunk, { size }] of chunks.entries()) {
    const read = await p.files.get('files/big', { chunk })
    const bytes = Buffer.concat(await Array.fromAsync(read.bytes))
    assert.ok(bytes.equals(content.subarray(offset, offset + size)), `chunk ${chunk}`)
    offset += size
  }
  await assert.rejects(p.files.get('files/big', { chunk: chunks.length }), { code: 'NOT_FOUND' })
  await p.files.put('files/empty', sourceOf())
  await assert.rejects(p.files.get('files/empty', { chunk: 0 }), { code: 'NOT_FOUND' })
})
