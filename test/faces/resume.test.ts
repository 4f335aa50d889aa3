/** Commands that were broken off go on where they stopped; folders put again send only what changed. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { PeerProcess, runToEnd, type CommandResult } from '../../src/cli/peer-process.ts'
import type { PutResult } from '../../src/peer/peer.ts'
import { eventually, temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const bigBytes = 160 * 2 ** 20

interface Known {
  id: string
  offset: number
  result: PutResult | null
}

class Scene {
  readonly folder: string
  readonly peer: PeerProcess

  private constructor(folder: string, peer: PeerProcess) {
    this.folder = folder
    this.peer = peer
  }

  static async open(t: TestContext): Promise<Scene> {
    const folder = await temporaryFolder(t)
    const peer = new PeerProcess(program, 'resume', join(folder, 'home'), ['--no-mdns', '--log', 'error'])
    t.after(() => peer.kill())
    await peer.start()
    return new Scene(folder, peer)
  }

  run(...args: string[]): Promise<CommandResult> {
    return runToEnd(program, [...args, '--home', this.peer.home])
  }

  begin(...args: string[]): ChildProcess {
    return spawn(process.execPath, [...program, ...args, '--home', this.peer.home], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  ask(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Response> {
    const { url, token } = this.peer.started
    return fetch(`${url}${path}`, { method, headers: { ...headers, authorization: `Bearer ${token}` } })
  }

  async uploads(): Promise<Known[]> {
    return ((await (await this.ask('/api/v1/uploads')).json()) as { uploads: Known[] }).uploads
  }

  /** Waits until nobody writes an upload any more: then a wrong offset is all that is wrong. */
  async free({ id }: Known): Promise<Known> {
    const headers = {
      'tus-resumable': '1.0.0',
      'content-type': 'application/offset+octet-stream',
      'upload-offset': '1',
    }
    await eventually(
      'nobody writes it',
      async () => (await this.ask(`/uploads/${id}`, 'PATCH', headers)).status === 409,
    )
    return (await (await this.ask(`/uploads/${id}`)).json()) as Known
  }

  /** Waits until something of the only upload is durable, and not yet all. */
  async underWay(): Promise<Known> {
    let found: Known | undefined
    await eventually('an upload is under way', async () => {
      found = (await this.uploads()).find(({ offset, result }) => offset > 0 && result === null)
      return found !== undefined
    })
    return found!
  }
}

test(
  'put: killed, it goes on with its upload; the peer killed, it goes on by itself',
  { timeout: 120_000 },
  async (t) => {
    const scene = await Scene.open(t)
    const file = join(scene.folder, 'big.bin')
    const content = randomBytes(bigBytes)
    await writeFile(file, content)
    const first = scene.begin('put', file)
    const begun = await scene.underWay()
    first.kill('SIGKILL')
    await once(first, 'exit')
    const left = await scene.free(begun)
    const second = scene.begin('put', file, '--json')
    let printed = ''
    const ended = once(second, 'exit')
    second.stdout!.on('data', (part: Buffer) => (printed += part.toString()))
    await eventually('it goes on', async () => ((await scene.uploads())[0]?.offset ?? 0) > left.offset)
    await scene.peer.kill()
    await scene.peer.start()
    assert.deepEqual(await ended, [0, null])
    const uploads = await scene.uploads()
    assert.deepEqual(
      uploads.map(({ id }) => id),
      [left.id],
    )
    const result = JSON.parse(printed) as PutResult
    assert.equal(result.size, content.length)
    assert.equal(result.hash, uploads[0]?.result?.hash)

    const out = join(scene.folder, 'out.bin')
    const parts = async (): Promise<string[]> =>
      (await readdir(scene.folder)).filter((name) => name.endsWith('-part'))
    const get = scene.begin('get', 'files/big.bin', '-o', out)
    await eventually('a part of it is here', async () => {
      const [name] = await parts()
      return name !== undefined && (await stat(join(scene.folder, name))).size > 2 ** 25
    })
    get.kill('SIGKILL')
    await once(get, 'exit')
    assert.equal((await parts()).length, 1)
    assert.equal((await scene.run('get', 'files/big.bin', '-o', out)).code, 0)
    assert.ok((await readFile(out)).equals(content))
    assert.deepEqual(await parts(), [])
  },
)

test('put -r again sends what changed and says what it saved', async (t) => {
  const scene = await Scene.open(t)
  const tree = join(scene.folder, 'tree')
  await mkdir(join(tree, 'a', 'b'), { recursive: true })
  const middle = randomBytes(3_000_000)
  await writeFile(join(tree, 'a', 'middle'), middle)
  await writeFile(join(tree, 'a', 'b', 'same'), randomBytes(50_000))
  await writeFile(join(tree, 'changes'), 'one')
  const put = async (): Promise<PutResult[]> => {
    const { code, stdout, stderr } = await scene.run('put', '-r', tree, '--json')
    assert.equal(code, 0, stderr)
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as PutResult)
    return results.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  }
  const first = await put()
  assert.deepEqual(
    first.map(({ path }) => path),
    ['files/tree/a/b/same', 'files/tree/a/middle', 'files/tree/changes'],
  )
  assert.deepEqual(
    await put(),
    first.map((result) => ({ ...result, sentBytes: 0, savedBytes: result.size })),
  )
  // A byte in front of a large file costs its first chunk.
  await writeFile(join(tree, 'a', 'middle'), Buffer.concat([Buffer.from('x'), middle]))
  await writeFile(join(tree, 'changes'), 'two')
  const [same, moved, changed] = await put()
  assert.equal(same?.sentBytes, 0)
  assert.ok((moved?.savedBytes ?? 0) > 1_500_000 && (moved?.sentBytes ?? 0) < 1_500_000)
  assert.ok((changed?.sentBytes ?? 0) > 0)
  // What lies still for a moment is not even read again.
  await eventually('all are known by their looks', async () => {
    const { stdout } = await scene.run('put', '-r', tree)
    return /^stored 0 files[^]*2\.9 MB saved: 3 files unchanged/m.test(stdout)
  })
  assert.equal((await scene.run('rm', 'files/tree/changes')).code, 0)
  const { stdout } = await scene.run('put', '-r', tree)
  assert.match(stdout, /^stored 1 file[^]*2 files unchanged/m)
})

test('get -r again fetches what changed on either side and says what it saved', async (t) => {
  const scene = await Scene.open(t)
  const tree = join(scene.folder, 'tree')
  const out = join(scene.folder, 'out')
  const at = (name: string): string => join(out, name)
  await mkdir(join(tree, 'a'), { recursive: true })
  const large = randomBytes(600_000)
  await writeFile(join(tree, 'a', 'large'), large)
  await writeFile(join(tree, 'a', 'small'), 'small')
  await writeFile(join(tree, 'b'), 'one')
  assert.equal((await scene.run('put', '-r', tree)).code, 0)
  const get = async (): Promise<Record<string, number>> => {
    const { code, stdout, stderr } = await scene.run('get', '-r', 'files/tree', '-o', out, '--json')
    assert.equal(code, 0, stderr)
    const lines = stdout.trim().split('\n')
    const results = lines.map((line) => JSON.parse(line) as { path: string; savedBytes: number })
    return Object.fromEntries(results.map(({ path, savedBytes }) => [path.slice(11), savedBytes]))
  }
  assert.deepEqual(await get(), { 'a/large': 0, 'a/small': 0, b: 0 })
  const before = await stat(at('a/small'))
  const all = { 'a/large': 600_000, 'a/small': 5, b: 3 }
  assert.deepEqual(await get(), all)
  const { ino, ctimeMs } = await stat(at('a/small'))
  assert.deepEqual([ino, ctimeMs], [before.ino, before.ctimeMs], 'it was written again')
  const { stdout } = await scene.run('get', '-r', 'files/tree', '-o', out)
  assert.match(stdout, /^fetched 0 files[^]*586 KB saved: 3 files here already$/m)

  // Changed here, to the same size and time; changed there, to the same size.
  await writeFile(at('a/small'), 'SMALL')
  await utimes(at('a/small'), before.atime, before.mtime)
  await writeFile(join(tree, 'b'), 'two')
  assert.equal((await scene.run('put', join(tree, 'b'), '--to', 'files/tree/b')).code, 0)
  assert.deepEqual(await get(), { ...all, 'a/small': 0, b: 0 })
  assert.deepEqual([await readFile(at('a/small'), 'utf8'), await readFile(at('b'), 'utf8')], ['small', 'two'])

  // Nothing is known by its looks: a large file is compared, and gets back its time.
  await rm(join(scene.peer.home, 'get-cache'), { recursive: true })
  const { ino: kept, mtimeMs } = await stat(at('a/large'))
  await utimes(at('a/large'), 1, 1)
  assert.deepEqual(await get(), { 'a/large': 600_000, 'a/small': 0, b: 0 })
  assert.deepEqual([(await stat(at('a/large'))).ino, (await stat(at('a/large'))).mtimeMs], [kept, mtimeMs])
  large[300_000]! ^= 1
  await writeFile(at('a/large'), large)
  assert.equal((await get())['a/large'], 0)
  large[300_000]! ^= 1
  assert.ok((await readFile(at('a/large'))).equals(large))
})
