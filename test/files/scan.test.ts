/** Keys of a folder with prefix, delimiter and pages, against the plain definition over all keys. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { isCode } from '../../src/base/errors.ts'
import type { Scan, ScanOptions } from '../../src/files/files.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import { startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const files = [
  'a',
  'a-b',
  'a-b.txt',
  'a!x',
  'a0',
  'b/c',
  'b/c-d',
  'b/d/e',
  'b/d/f',
  'b-/x',
  'z',
  'ä',
  'ﬀ',
  '😀/x',
  'B',
  'p/q-r/x',
  'p/q-r.txt',
  'p/q0',
]
/** Empty folders; `p/q` lies between names that come before and after `p/q/`. */
const folders = ['empty', 'b/empty', 'p/q', 'empty-']
const keys = [...files, ...folders.map((folder) => `${folder}/`)].sort((a, b) =>
  Buffer.compare(Buffer.from(a), Buffer.from(b)),
)

/** What a scan is, without pages and without jumps. */
function defined({ prefix = '', delimiter = '', after = '' }: ScanOptions): string[] {
  const shown = new Set<string>()
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const line = at === -1 ? key : key.slice(0, at + delimiter.length)
    if (Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0 && line !== after) shown.add(line)
  }
  return Array.from(shown)
}

const linesOf = ({ keys: found, prefixes }: Scan): string[] =>
  [...found.map(({ key }) => key), ...prefixes].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

async function inPages(peer: Peer, options: ScanOptions): Promise<string[]> {
  const lines: string[] = []
  let after = options.after
  for (;;) {
    const page = await peer.files.scan('files', { ...options, after })
    const found = linesOf(page)
    assert.ok(found.length <= (options.limit ?? 1000))
    lines.push(...found)
    if (page.next === undefined) return lines
    assert.equal(page.next, found.at(-1))
    after = page.next
  }
}

test('every prefix, delimiter, start and size of page shows the keys that it should, in order', async (t) => {
  const peer = await startPeer(t, { home: await temporaryFolder(t) })
  for (const file of files) await peer.files.put(`files/${file}`, text(file))
  for (const folder of folders) await peer.files.makeFolder(`files/${folder}`)
  const random = new SeededRandom(Number(process.env['SEED'] ?? 20261121))
  t.diagnostic('SEED=20261121 unless set')
  const prefixes = ['', 'a', 'a-', 'b', 'b/', 'b/d', 'b/d/', 'p/q', 'p/q/', 'e', 'empty/', 'x', '😀', 'p/']
  const afters = [
    undefined,
    '',
    'a',
    'a/',
    'b/',
    'b/d/',
    'b/d/e',
    'p/q',
    'p/q-',
    'p/q/',
    'empty/',
    'zz',
    ...keys,
  ]
  const pick = <T>(of: readonly T[]): T => of[random.below(of.length)] as T
  for (let round = 0; round < 400; round += 1) {
    const options: ScanOptions = {
      prefix: pick(prefixes),
      delimiter: pick([undefined, '', '/', '/', '-', 'd/', '😀']),
      after: pick(afters),
      limit: pick([1, 2, 3, 7, 1000]),
    }
    assert.deepEqual(await inPages(peer, options), defined(options), JSON.stringify(options))
  }
})

test('a scan shows what its caller may read, and nothing of strange folders', async (t) => {
  const peer = await startPeer(t, { home: await temporaryFolder(t) })
  await peer.files.put('files/mine/a', text('a'))
  await peer.files.put('files/other', text('b'))
  const { files: mine } = {
    files: peer.filesFor({ kind: 'token', id: 'x', scopes: ['read'], folder: 'files/mine' }),
  }
  assert.deepEqual(linesOf(await mine.scan('files', { prefix: 'mine/' })), ['mine/a'])
  await assert.rejects(mine.scan('files'), (thrown) => isCode(thrown, 'FORBIDDEN'))
  await assert.rejects(mine.scan('files', { prefix: 'mine' }), (thrown) => isCode(thrown, 'FORBIDDEN'))
  await assert.rejects(peer.files.scan('none'), (thrown) => isCode(thrown, 'NOT_FOUND'))
  await assert.rejects(peer.files.scan('files/mine'), (thrown) => isCode(thrown, 'BAD_PATH'))
  assert.deepEqual((await peer.files.scan('files', { limit: 0 })).keys, [])
})
