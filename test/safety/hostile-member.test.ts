/** A member whose own program writes what ours never would: names that lead elsewhere. */
import assert from 'node:assert/strict'
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { loadPeerKey, loadPoolKeys, type PoolKeys } from '../../src/access/device-keys.ts'
import { openCatalogue } from '../../src/access/open-catalogue.ts'
import { peerIdOf } from '../../src/access/peer-id.ts'
import { realClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import { PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'
import type { VersionBody } from '../../src/codec/version-body.ts'
import { openStore } from '../../src/store/open-store.ts'
import { realDisk } from '../../src/store/real-disk.ts'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const badPaths = [
  '../../escaped',
  '../escaped',
  'a/../../escaped',
  '/tmp/peerstor-escaped',
  String.raw`..\..\escaped`,
  String.raw`C:\escaped`,
  'a//b',
  './a',
  'a/.',
  'nul\0byte',
  'line\nbreak',
  'e\u0301', // not NFC
  'long'.repeat(100),
  `${'deep/'.repeat(818)}endless`,
  'escape\u001b]0;owned\u0007',
]

/** Writes versions into a stopped member's home with no rule for names. */
async function writeNames(home: string, paths: readonly string[]): Promise<void> {
  const peerKey = await loadPeerKey(home, systemRandom)
  const keys = (await loadPoolKeys(home, peerKey)) as PoolKeys
  const parts = { clock: realClock, random: systemRandom, log: silentLog }
  const store = await openStore({
    ...parts,
    disk: realDisk,
    folder: join(home, 'segments'),
    database: join(home, 'peerstor.db'),
    pool: keys.pool,
    peer: peerIdOf(peerKey.publicKey),
    contributed: 2 ** 30,
    threaded: false,
  })
  const naming = { checkPath: (path: string) => path, categoryOf: () => 'other' as const }
  const catalogue = await openCatalogue({ ...parts, store, keys, naming })
  const folder = catalogue.folderNamed('files')!.id
  for (const path of paths)
    await catalogue.write([{ folder, entry: undefined, parents: [], body: emptyFile(path), chunks: [] }])
  await catalogue.close()
  await store.close()
}

const emptyFile = (path: string): VersionBody => ({
  kind: 'file',
  path,
  mode: 0o6777,
  modified: 1,
  created: 1,
  size: 0,
  hash: Buffer.alloc(32),
  content: { form: 'inline', chunks: [] },
  type: 'text/plain',
  tags: [],
  description: '',
})

test('names of a hostile member are never shown and never written outside of what was asked for', async (t) => {
  const folder = await temporaryFolder(t)
  const honest = new PeerProcess(program, 'honest', join(folder, 'honest'))
  const evil = new PeerProcess(program, 'evil', join(folder, 'evil'))
  t.after(() => Promise.all([honest.kill(), evil.kill()]))
  await honest.start()
  const { code } = await honest.json<{ code: string }>(['invite'])
  await evil.start(undefined, code)
  await eventually('the folder', async () => (await evil.run(['ls'])).includes('files'))
  await evil.stop()
  // Beside them what is allowed here, though no disk can hold all of it at once.
  await writeNames(evil.home, [...badPaths, 'CON', 'clash', 'clash/below', 'good'])
  await evil.start()
  const listed = async (peer: PeerProcess): Promise<string[]> =>
    (await peer.json<{ entries: { path: string }[] }>(['ls', '-r', 'files'])).entries.map(({ path }) => path)
  await eventually('the last record', async () => (await listed(honest)).includes('files/good'), 30_000)
  assert.deepEqual((await listed(honest)).sort(), [
    'files/CON',
    'files/clash',
    'files/clash/below',
    'files/good',
  ])
  for (const peer of [honest, evil]) {
    const out = join(folder, `out-of-${peer.name}`, 'deeper', 'out')
    const { stderr } = await runToEnd(program, ['get', '-r', 'files', '-o', out, '--home', peer.home])
    assert.doesNotMatch(stderr, /INTERNAL/)
    assert.equal(lstatSync(join(out, 'good')).mode & 0o7000, 0, 'no set-user bit')
    assert.ok(existsSync(join(out, 'CON')))
    // eslint-disable-next-line no-control-regex -- control characters are what must not come out
    assert.doesNotMatch(stderr, /[\u0000-\u0009\u000b-\u001f\u007f]/)
    assert.deepEqual(readdirSync(join(folder, `out-of-${peer.name}`)), ['deeper'])
    assert.deepEqual(readdirSync(join(folder, `out-of-${peer.name}`, 'deeper')), ['out'])
  }
  assert.ok(!existsSync('/tmp/peerstor-escaped'))
  assert.ok(!readdirSync(folder).includes('escaped'))
})

test('bad names are refused at every entry, and the two forms of one name are one file', async (t) => {
  const folder = await temporaryFolder(t)
  const peer = new PeerProcess(program, 'names', join(folder, 'home'))
  t.after(() => peer.kill())
  const { url, token } = await peer.start()
  const headers = { authorization: `Bearer ${token}` }
  const put = (path: string): Promise<Response> =>
    fetch(`${url}/files/${path}`, { method: 'PUT', body: 'x', headers })
  for (const path of [
    'files/%2e%2e/x',
    'files/a%2fb',
    'files/a%00b',
    'files/a%5c..%5cb',
    'files/%ff',
    'files/a//b',
    `files/${'n'.repeat(256)}`,
    `files/${'d/'.repeat(2100)}x`,
    'files/a%0ab',
    'files/C:%5cx',
  ]) {
    const answer = await put(path)
    assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`)
    assert.match(await answer.text(), /BAD_PATH|NOT_FOUND/, path)
  }
  assert.equal((await put('files/ok')).status, 201)
  for (const path of [
    'files/../x',
    'files/a/../b',
    '/etc/x',
    'files/a\0b',
    `files/${'n'.repeat(256)}`,
    'files/a\nb',
    'files/',
  ]) {
    const moved = await fetch(`${url}/api/v1/files/files/ok`, {
      method: 'PATCH',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ path }),
    })
    assert.equal(Math.floor(moved.status / 100), 4, `${path}: ${moved.status}`)
    if (path.includes('\0')) continue
    const { code, stderr } = await runToEnd(program, ['put', '-', '--to', path, '--home', peer.home], {
      input: 'x',
    })
    assert.equal(Math.min(code ?? 0, 1), 1, path)
    assert.doesNotMatch(stderr, /INTERNAL/, path)
  }
  const [composed, decomposed] = ['files/caf\u00e9', 'files/cafe\u0301'] as const
  assert.equal((await put(encodeURI(composed))).status, 201)
  assert.equal((await put(encodeURI(decomposed))).status, 200)
  await runToEnd(program, ['put', '-', '--to', decomposed, '--home', peer.home], { input: 'by command' })
  const { entries } = await peer.json<{ entries: { path: string }[] }>(['ls', '-r', 'files'])
  assert.deepEqual(entries.map(({ path }) => path).sort(), [composed, 'files/ok'])
  assert.equal(await peer.run(['cat', decomposed]), 'by command')
  const versions = await peer.json<{ entries: unknown[] }>(['versions', decomposed])
  assert.equal(versions.entries.length, 3)
})
