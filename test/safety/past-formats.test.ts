/**
 * A home that a program of before left behind opens, whole and without its index. `test/fixtures/format-N.json.gz` is
 * one of each format: `{path: base64}` of its files, made once and never changed.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { contentOf, eventually, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

const fixtures = join(import.meta.dirname, '../fixtures')

async function homeOf(t: TestContext, name: string): Promise<string> {
  const home = join(await temporaryFolder(t), 'home')
  const packed = gunzipSync(await readFile(join(fixtures, `${name}.json.gz`)))
  for (const [path, content] of Object.entries(
    JSON.parse(packed.toString('utf8')) as Record<string, string>,
  )) {
    await mkdir(dirname(join(home, path)), { recursive: true })
    await writeFile(join(home, path), Buffer.from(content, 'base64'))
  }
  return home
}

for (const index of ['with its index', 'without its index'])
  test(`a home of format 1 opens ${index}, and is gone on with`, async (t) => {
    const home = await homeOf(t, 'format-1')
    if (index !== 'with its index') await rm(join(home, 'peerstor.db'))
    const peer = await startPeer(t, { home })
    assert.equal((await peer.status()).pool.role, 'admin')
    const { folders } = await peer.folders.list()
    assert.deepEqual(
      folders.map(({ name, policy }) => [name, policy.copies]),
      [
        ['files', 3],
        ['album', 2],
      ],
    )
    const read = async (path: string, more?: object): Promise<string> =>
      (await contentOf(peer, path, more)).toString()
    assert.equal(await read('files/note'), 'second')
    assert.equal(await read('files/deep/er/q'), 'q'.repeat(20_000))
    assert.deepEqual((await peer.files.info('files/note')).tags, ['blue'])
    assert.equal(await read('album/pic'), 'pic', 'sealed anew by folder rekey')
    const versions = await peer.files.versions('files/note')
    assert.equal(await read('files/note', { version: versions.at(-1)!.version }), 'first')
    await peer.files.restore('files/gone')
    assert.equal(await read('files/gone'), 'gone')
    await eventually('nothing is wrong with what lies here', async () => (await peer.scrub()).damaged === 0)
    await peer.files.put('files/new', text('new'))
    await peer.stop()
    const again = await startPeer(t, { home })
    assert.equal((await contentOf(again, 'files/new')).toString(), 'new')
  })
