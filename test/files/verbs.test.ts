/** The verbs on one whole peer: what people see after each. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import { contentOf, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const peer = async (t: TestContext, settings = {}) =>
  startPeer(t, { home: await temporaryFolder(t), settings })

const paths = async (p: Awaited<ReturnType<typeof peer>>, folder = 'files', recursive = true) =>
  (await p.files.list(folder, { recursive })).entries.map(({ path }) => path)

test('what was put is listed, described and read back, of every size around the edges of chunks', async (t) => {
  const p = await peer(t)
  const sizes = [0, 1, 10_000, 262_143, 262_144, 262_145, 1_048_576, 1_048_577, 9_000_000]
  for (const size of sizes) {
    const content = randomBytes(size)
    const put = await p.files.put(`files/sizes/${size}`, sourceOf(content), { size })
    assert.equal(put.size, size)
    assert.ok((await contentOf(p, `files/sizes/${size}`)).equals(content), `${size} bytes`)
    const info = await p.files.info(`files/sizes/${size}`, { chunks: true, sha256: true })
    assert.equal(info.hash, put.hash)
    assert.equal(info.sha256, createHash('sha256').update(content).digest('hex'))
    assert.equal(
      info.chunks?.reduce((sum, chunk) => sum + chunk.size, 0),
      size,
    )
    assert.deepEqual([info.copies.have, info.copies.want], [1, 1])
  }
  const { entries } = await p.files.list('files/sizes')
  assert.deepEqual(
    entries.map(({ size }) => size).sort((a, b) => a - b),
    sizes,
  )
  assert.deepEqual(
    (await p.files.list('files')).entries.map(({ kind, files }) => [kind, files]),
    [['folder', 9]],
  )
  assert.deepEqual(
    (await p.files.list('')).entries.map(({ path, files }) => [path, files]),
    [['files', 9]],
  )
})

test('ranges give exactly their bytes and touch only the chunks they need', async (t) => {
  const p = await peer(t)
  const content = randomBytes(12_000_000)
  await p.files.put('files/big', sourceOf(content))
  const ranges: [number, number | undefined][] = [
    [0, 0],
    [0, 11_999_999],
    [11_999_999, undefined],
    [5_000_000, 5_000_000],
    [262_143, 1_300_000],
    [-10, undefined],
    [-20_000_000, undefined],
    [100, 99_999_999],
  ]
  for (const [first, last] of ranges) {
    const read = await p.files.get('files/big', { range: { first, last } })
    const from = first < 0 ? Math.max(0, content.length + first) : first
    const to = Math.min(content.length - 1, last ?? content.length - 1)
    assert.deepEqual([read.first, read.last, read.size], [from, to, content.length])
    assert.ok(
      Buffer.concat(await Array.fromAsync(read.bytes)).equals(content.subarray(from, to + 1)),
      `${first}-${last}`,
    )
  }
  for (const range of [{ first: 12_000_000 }, { first: 5, last: 4 }, { first: 1.5 }])
    await assert.rejects(p.files.get('files/big', { range }), { code: 'BAD_RANGE' })
  await p.files.put('files/empty', sourceOf())
  await assert.rejects(p.files.get('files/empty', { range: { first: 0 } }), { code: 'BAD_RANGE' })
})

test('equal content is stored once, within a file and across files', async (t) => {
  const p = await peer(t)
  const content = randomBytes(5_000_000)
  const first = await p.files.put('files/a', sourceOf(content))
  assert.equal(first.savedBytes, 0)
  const again = await p.files.put('files/b', sourceOf(content))
  assert.deepEqual([again.savedBytes, again.hash], [content.length, first.hash])
  const used = (await p.quota()).used
  await p.files.put('files/c', sourceOf(content))
  assert.equal((await p.quota()).used, used)
  const zeros = await p.files.put('files/zeros', sourceOf(Buffer.alloc(30_000_000)))
  assert.ok(zeros.savedBytes > 10_000_000)
  assert.ok((await contentOf(p, 'files/zeros')).equals(Buffer.alloc(30_000_000)))
})

test('a new version replaces what shows; old ones are kept and come back', async (t) => {
  const p = await peer(t)
  const one = await p.files.put('files/note.txt', text('one'), { tags: ['x'], description: 'first' })
  const two = await p.files.put('files/note.txt', text('two'))
  assert.equal((await contentOf(p, 'files/note.txt')).toString(), 'two')
  assert.deepEqual((await p.files.info('files/note.txt')).tags, ['x'])
  assert.deepEqual(
    (await p.files.versions('files/note.txt')).map(({ version, state }) => [version, state]),
    [
      [two.version, 'current'],
      [one.version, 'old'],
    ],
  )
  assert.equal((await contentOf(p, 'files/note.txt', { version: one.version })).toString(), 'one')
  await p.files.restore('files/note.txt', { version: one.version })
  assert.equal((await contentOf(p, 'files/note.txt')).toString(), 'one')
  assert.equal((await p.files.versions('files/note.txt')).length, 3)
  await p.files.put('files/other', text('x'))
  await assert.rejects(p.files.get('files/other', { version: one.version }), { code: 'NOT_FOUND' })
})

test('what did not change is not written again, whatever its size', async (t) => {
  const p = await peer(t)
  const facts = { modified: 1_600_000_000_123, mode: 0o640 }
  for (const size of [0, 10_000, 20_000_000]) {
    const path = `files/same/${size}`
    const content = randomBytes(size)
    const put = (bytes: Buffer, more: object) => p.files.put(path, sourceOf(bytes), { ...facts, ...more })
    const first = await put(content, {})
    const again = await put(content, {})
    assert.deepEqual(again, { ...first, sentBytes: 0, savedBytes: size }, `${size} bytes`)
    assert.equal((await p.files.versions(path)).length, 1)
    const changes = [
      [content, { modified: facts.modified + 1 }],
      [content, { mode: 0o600 }],
      [content, { tags: ['kept'] }],
      [Buffer.concat([content, Buffer.from('x')]), {}],
    ] as const
    for (const [index, [bytes, more]] of changes.entries()) {
      await put(bytes, more)
      assert.equal((await p.files.versions(path)).length, index + 2, `${size} bytes, change ${index}`)
    }
  }
  await p.files.put('files/link', sourceOf(), { ...facts, link: 'a' })
  await p.files.put('files/link', sourceOf(), { ...facts, link: 'a' })
  await p.files.put('files/link', sourceOf(), { ...facts, link: 'b' })
  assert.equal((await p.files.versions('files/link')).length, 2)
})

test('removed files lie in the trash until they are restored', async (t) => {
  const p = await peer(t)
  for (const name of ['a', 'd/b', 'd/e/c']) await p.files.put(`files/${name}`, text(name))
  await assert.rejects(p.files.remove('files/d'), { code: 'IS_FOLDER' })
  assert.deepEqual(await p.files.remove('files/d', { recursive: true }), { removed: 2 })
  assert.deepEqual(await p.files.remove('files/a'), { removed: 1 })
  assert.deepEqual(await paths(p), [])
  await assert.rejects(p.files.get('files/a'), { code: 'NOT_FOUND' })
  await assert.rejects(p.files.remove('files/a'), { code: 'NOT_FOUND' })
  const { entries } = await p.files.trash('files')
  assert.deepEqual(entries.map(({ path, size }) => `${path} ${size}`).sort(), [
    'files/a 1',
    'files/d/b 3',
    'files/d/e/c 5',
  ])
  await p.files.restore('files/d/b')
  assert.equal((await contentOf(p, 'files/d/b')).toString(), 'd/b')
  assert.equal((await p.files.trash('files')).entries.length, 2)
  await p.files.put('files/a', text('new'))
  assert.equal((await contentOf(p, 'files/a')).toString(), 'new')
})

test('moving keeps content and versions; a folder moves in one batch', async (t) => {
  const p = await peer(t)
  for (const name of ['d/a', 'd/e/b', 'x']) await p.files.put(`files/${name}`, text(name))
  const used = (await p.quota()).used
  assert.deepEqual(await p.files.move('files/d', 'files/new/place'), { moved: 2 })
  assert.deepEqual(await paths(p), ['files/new/place/a', 'files/new/place/e/b', 'files/x'])
  assert.equal((await contentOf(p, 'files/new/place/e/b')).toString(), 'd/e/b')
  assert.equal((await p.quota()).used, used)
  await p.files.move('files/x', 'files/new')
  assert.equal((await contentOf(p, 'files/new/x')).toString(), 'x')
  await assert.rejects(p.files.move('files/new', 'files/new/place/deeper'), { code: 'BAD_PATH' })
  await assert.rejects(p.files.move('files/nothing', 'files/y'), { code: 'NOT_FOUND' })
  await p.files.put('files/y', text('y'))
  await assert.rejects(p.files.move('files/new/x', 'files/y'), { code: 'ALREADY_EXISTS' })
})

test('between folders the content is sealed anew', async (t) => {
  const p = await peer(t)
  await p.folders.create('photos', {})
  const content = randomBytes(3_000_000)
  await p.files.put('files/d/pic.jpg', sourceOf(content), { mode: 0o600, tags: ['sea'] })
  const before = await p.files.info('files/d/pic.jpg', { chunks: true })
  assert.deepEqual(await p.files.move('files/d', 'photos/2026'), { moved: 1 })
  const after = await p.files.info('photos/2026/pic.jpg', { chunks: true })
  assert.ok((await contentOf(p, 'photos/2026/pic.jpg')).equals(content))
  assert.deepEqual([after.mode, after.tags], [0o600, ['sea']])
  const ids = new Set(before.chunks?.map(({ id }) => id))
  assert.ok(after.chunks?.every(({ id }) => !ids.has(id)))
  assert.deepEqual(await paths(p), [])
})

test('two uploads to one name at once: both versions are kept', async (t) => {
  const p = await peer(t)
  const contents = Array.from({ length: 8 }, (_, index) => `content ${index}`)
  const put = await Promise.all(contents.map((content) => p.files.put('files/same', text(content))))
  const versions = await p.files.versions('files/same')
  assert.deepEqual(
    new Set(versions.map(({ version }) => version)),
    new Set(put.map(({ version }) => version)),
  )
  assert.equal(versions.filter(({ state }) => state === 'current').length, 1)
  for (const [index, { version }] of put.entries())
    assert.equal((await contentOf(p, 'files/same', { version })).toString(), contents[index])
  assert.equal((await p.files.list('files')).entries.length, 1)
  // Over an existing file the later ones become conflict versions of the same entry.
  await p.files.put('files/same', text('settled'))
  assert.equal(
    (await p.files.info('files/same')).versions.filter(({ state }) => state === 'conflict').length,
    0,
  )
  const more = await Promise.all(['x', 'y'].map((content) => p.files.put('files/same', text(content))))
  const states = (await p.files.versions('files/same')).filter(({ version }) =>
    more.some((one) => one.version === version),
  )
  assert.deepEqual(
    states.map(({ state }) => state),
    ['current', 'conflict'],
  )
  assert.equal((await p.files.list('files')).entries[0]?.conflict, true)
})

test('conditions: only over the expected version, only where nothing is', async (t) => {
  const p = await peer(t)
  const one = await p.files.put('files/a', text('1'), { replaces: 'none' })
  await assert.rejects(p.files.put('files/a', text('2'), { replaces: 'none' }), {
    code: 'PRECONDITION_FAILED',
  })
  const two = await p.files.put('files/a', text('2'), { replaces: one.version })
  await assert.rejects(p.files.put('files/a', text('3'), { replaces: one.version }), {
    code: 'PRECONDITION_FAILED',
  })
  assert.equal((await p.files.info('files/a')).version, two.version)
})

test('a source that fails midway, ends early or goes on too long leaves nothing visible', async (t) => {
  const p = await peer(t)
  await p.files.put('files/kept', text('old'))
  const vanishing = async function* (): AsyncGenerator<Uint8Array> {
    for (let part = 0; part < 20; part++) yield randomBytes(1_000_000)
    throw new Error('the file vanished')
  }
  for (const path of ['files/kept', 'files/new']) {
    await assert.rejects(p.files.put(path, vanishing()), /vanished/)
    await assert.rejects(p.files.put(path, text('short'), { size: 10 }), { code: 'SOURCE_CHANGED' })
    await assert.rejects(p.files.put(path, text('long'), { size: 3 }), { code: 'SOURCE_CHANGED' })
    const aborted = { signal: AbortSignal.abort() }
    await assert.rejects(p.files.put(path, sourceOf(randomBytes(9_000_000)), aborted), { name: 'AbortError' })
  }
  assert.deepEqual(await paths(p), ['files/kept'])
  assert.equal((await contentOf(p, 'files/kept')).toString(), 'old')
  // Everything taken from the memory budget was given back.
  await p.files.put('files/big', sourceOf(...Array.from({ length: 80 }, () => randomBytes(1_000_000))))
})

test('a full contribution refuses before the first byte where the size is known; old data stays', async (t) => {
  const p = await peer(t, { contribute: 20_000_000 })
  const kept = randomBytes(8_000_000)
  await p.files.put('files/kept', sourceOf(kept))
  let read = 0
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (; read < 100; read++) yield randomBytes(1_000_000)
  }
  await assert.rejects(p.files.put('files/new', endless(), { size: 100_000_000 }), { code: 'QUOTA_FULL' })
  assert.equal(read, 0)
  await assert.rejects(p.files.put('files/new', endless()), { code: 'QUOTA_FULL' })
  assert.ok(read > 0 && read < 100)
  assert.deepEqual(await paths(p), ['files/kept'])
  assert.ok((await contentOf(p, 'files/kept')).equals(kept))
  await p.settings.set('contribute', '1GB')
})

test("files and folders do not take each other's names", async (t) => {
  const p = await peer(t)
  await p.files.put('files/d/a', text('a'))
  await assert.rejects(p.files.put('files/d', text('x')), { code: 'IS_FOLDER' })
  await assert.rejects(p.files.put('files/d/a/b', text('x')), { code: 'ALREADY_EXISTS' })
  await assert.rejects(p.files.put('files', text('x')), { code: 'IS_FOLDER' })
  await assert.rejects(p.files.get('files/d'), { code: 'IS_FOLDER' })
  await assert.rejects(p.files.put('nowhere/a', text('x')), { code: 'NOT_FOUND' })
  await p.files.makeFolder('files/empty')
  await assert.rejects(p.files.makeFolder('files/empty'), { code: 'ALREADY_EXISTS' })
  assert.deepEqual(await paths(p, 'files', false), ['files/d', 'files/empty'])
  assert.equal((await p.files.remove('files/empty')).removed, 1)
  for (const path of ['files/../x', 'files/a\0', '/files/a', 'files//a', 'files/a\\..\\b'])
    await assert.rejects(p.files.put(path, text('x')), { code: 'BAD_PATH' }, path)
  await p.files.put('files/cafe\u0301', text('nfd'))
  assert.equal((await contentOf(p, 'files/caf\u00e9')).toString(), 'nfd')
})

test('links are kept as links', async (t) => {
  const p = await peer(t)
  await p.files.put('files/link', sourceOf(), { link: '../somewhere/else' })
  const read = await p.files.get('files/link')
  assert.deepEqual([read.kind, read.target, read.size], ['link', '../somewhere/else', 0])
})

test('a caller does only what his token allows, for the path that is opened', async (t) => {
  const p = await peer(t)
  await p.files.put('files/in/a', text('a'))
  await p.files.put('files/out', text('b'))
  const made = await p.tokens.create({ name: 'reader', scopes: ['read'], folder: 'files/in' })
  const files = p.filesFor(p.tokens.ofToken(made.token)!)
  assert.equal((await contentOf({ files }, 'files/in/a')).toString(), 'a')
  for (const refused of [
    () => files.get('files/out'),
    () => files.put('files/in/b', text('x')),
    () => files.list('files'),
    () => files.remove('files/in/a'),
    () => files.move('files/in/a', 'files/in/c'),
    () => files.info('files/out'),
    () => files.versions('files/out'),
    () => files.trash('files'),
    () => files.restore('files/in/a'),
    () => files.makeFolder('files/in/x'),
  ])
    await assert.rejects(refused(), { code: 'FORBIDDEN' }, String(refused))
  assert.throws(() => files.has('files/out'), { code: 'FORBIDDEN' })
})
