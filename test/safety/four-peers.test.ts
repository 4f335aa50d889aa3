/**
 * The main job with real processes: four devices, one of them storage-only, a real tree of files.
 * Any two are killed with SIGKILL; everything is listed and read back from the others; the killed
 * come back. Then the founder is lost for ever and the second device takes over.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { filesBelow, findNeedles, randomWindows } from '../../src/cli/demo-scan.ts'
import { PeerProcess } from '../../src/cli/peer-process.ts'
import { program } from '../program.ts'

interface Entry {
  path: string
  kind: string
  copies?: { have: number; want: number }
}

const settleMs = 60_000

/** Polls until `check` answers without throwing; the last failure when it never does. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const end = Date.now() + settleMs
  for (;;) {
    try {
      return await check()
    } catch (thrown) {
      if (Date.now() > end) throw thrown
      await wait(300)
    }
  }
}

async function hashes(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const file of await filesBelow(folder))
    found.set(
      relative(folder, file),
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    )
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

async function listAll(peer: PeerProcess): Promise<Entry[]> {
  const found: Entry[] = []
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const more: string[] = cursor === '' ? [] : ['--cursor', cursor]
    const page = await peer.json<{ entries: Entry[]; next?: string }>([
      'ls',
      '-r',
      'files',
      '--limit',
      '1000',
      ...more,
    ])
    found.push(...page.entries.filter((entry) => entry.kind === 'file'))
    cursor = page.next
  }
  return found
}

async function waitForCopies(peer: PeerProcess, files: number, want: number): Promise<void> {
  await eventually(async () => {
    const listed = await listAll(peer)
    assert.equal(listed.length, files)
    const lacking = listed.filter((entry) => (entry.copies?.have ?? 0) < want || entry.copies?.want !== want)
    assert.deepEqual(lacking.slice(0, 3), [], `${lacking.length} of ${files} files lack copies`)
  })
}

describe('four devices', () => {
  let folder = ''
  let source = ''
  let original: Map<string, string>
  let reads = 0
  const peers: PeerProcess[] = []
  const [a, b, c, d] = [0, 1, 2, 3].map((index) => () => peers[index]!) as [
    () => PeerProcess,
    () => PeerProcess,
    () => PeerProcess,
    () => PeerProcess,
  ]

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerstor-four-'))
    source = join(folder, 'node')
    await mkdir(source)
    const distribution = dirname(dirname(process.execPath))
    // OpenSSL's share of the headers is nine tenths of the files and would only make the test longer.
    const headers = { recursive: true, filter: (path: string) => !path.includes('openssl') }
    await cp(join(distribution, 'include', 'node'), join(source, 'headers'), headers)
    for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md'])
      await cp(join(distribution, name), join(source, name))
    original = await hashes(source)
    for (const name of ['a', 'b', 'c', 'd']) peers.push(new PeerProcess(program, name, join(folder, name)))
    await a().start()
    for (const peer of [b(), c(), d()]) {
      const storageOnly = peer === d() ? ['--storage-only'] : []
      const { code } = await a().json<{ code: string }>(['invite', ...storageOnly])
      await peer.start(undefined, code)
    }
  })

  after(async () => {
    await Promise.all(peers.map((peer) => peer.kill()))
    await rm(folder, { recursive: true, force: true })
  })

  /** Reads everything through one peer and compares it with the original, byte for byte. */
  async function readBack(peer: PeerProcess): Promise<void> {
    const output = join(folder, `read-${reads++}`)
    await peer.run(['get', '-r', 'files/node', '-o', output, '--quiet'])
    assert.deepEqual(await hashes(output), original)
    await rm(output, { recursive: true })
  }

  test('a real tree gets three copies of every file', async () => {
    await a().run(['put', '-r', source, '--quiet'])
    await waitForCopies(a(), original.size, 3)
    await waitForCopies(b(), original.size, 3)
    const file = [...original.keys()][0]!
    const info = await b().json<{ copies: { have: number; holders: { peer: string }[] } }>([
      'info',
      `files/node/${file}`,
    ])
    const holders = new Set(info.copies.holders.map((holder) => holder.peer))
    // The device that took the file may hold a fourth copy.
    assert.ok(holders.size >= 3, [...holders].join(' '))
  })

  test('a storage-only device holds no name and no content, a member names only in its database', async () => {
    const files = await filesBelow(source)
    // A window of text that is itself a path of the tree would be found among a member's names.
    const paths = files.map((file) => `node/${relative(source, file)}`).join('\n')
    const windows = (await randomWindows(files, 1100, 32)).filter(
      (window) => !paths.includes(window.toString('latin1')),
    )
    const names = [...new Set(files.map((file) => basename(file)))]
      .filter((name) => name.length > 10)
      .map((name) => Buffer.from(name))
    assert.ok(windows.length >= 1000 && names.length > 20, `${windows.length} windows, ${names.length} names`)
    for (const peer of [a(), b(), c(), d()]) {
      const found = await filesBelow(peer.home)
      assert.equal((await findNeedles(found, windows)).size, 0, `content on ${peer.name}`)
      const nameless =
        peer === d() ? found : found.filter((file) => !basename(file).startsWith('peerstor.db'))
      assert.equal((await findNeedles(nameless, names)).size, 0, `names on ${peer.name}`)
    }
  })

  test('any two killed: everything is listed and read from the others, and they catch up', async () => {
    const pairs = [
      [a, b],
      [a, c],
      [a, d],
      [b, c],
      [b, d],
      [c, d],
    ] as const
    for (const pair of pairs) {
      await Promise.all(pair.map((peer) => peer().kill()))
      const reader = [a, b, c].find((peer) => !pair.includes(peer as never))!()
      assert.equal((await listAll(reader)).length, original.size)
      await readBack(reader)
      await reader.run(['put', join(source, 'LICENSE'), '--to', `files/node/LICENSE`, '--quiet'])
      for (const peer of pair) await peer().start()
    }
    for (const peer of [a(), b(), c()]) await waitForCopies(peer, original.size, 3)
    await readBack(a())
  })

  test('the founder is lost for ever: the second device invites, revokes and writes, and copies are made again', async () => {
    await a().kill()
    await rm(a().home, { recursive: true })
    const { devices } = await b().json<{ devices: { name: string; state: string }[] }>([
      'device',
      'revoke',
      'a',
    ])
    assert.deepEqual(
      devices.map(({ name, state }) => ({ name, state })),
      [{ name: 'a', state: 'revoked' }],
    )
    const { code } = await b().json<{ code: string }>(['invite'])
    const e = new PeerProcess(program, 'e', join(folder, 'e'))
    peers.push(e)
    await e.start(undefined, code)
    await b().run(['put', join(source, 'README.md'), '--to', 'files/after.md', '--quiet'])
    for (const peer of [b(), c(), e]) await waitForCopies(peer, original.size + 1, 3)
    await readBack(e)
  })
})
