/** Trees that change, lie or make no sense while they are put and fetched by the command line. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { PeerProcess, runToEnd } from '../../src/cli/peer-process.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { program } from '../program.ts'

const onPosix = process.platform === 'win32' ? { skip: 'Windows has no such names' } : {}

interface Scene {
  folder: string
  peer: PeerProcess
  /** A command against the peer, whatever its exit code. */
  run: (...args: string[]) => ReturnType<typeof runToEnd>
  /** Everything stored, without `files/`. */
  stored: () => Promise<Record<string, { kind: string; size: number }>>
}

async function startScene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t)
  const peer = new PeerProcess(program, 'odd', join(folder, 'home'))
  t.after(() => peer.kill())
  await peer.start()
  const run: Scene['run'] = (...args) => runToEnd(program, [...args, '--home', peer.home])
  return {
    folder,
    peer,
    run,
    stored: async () => {
      const { entries } = await peer.json<{ entries: { path: string; kind: string; size: number }[] }>([
        'ls',
        '-r',
        'files',
      ])
      return Object.fromEntries(entries.map(({ path, kind, size }) => [path.slice(6), { kind, size }]))
    },
  }
}

test(
  'odd names, loops, pipes, sockets and lying files: stored or named, never half, never a hang',
  onPosix,
  async (t) => {
    const { folder, run, stored } = await startScene(t)
    const tree = join(folder, 'tree')
    const write = (name: string, content = 'x'): void => writeFileSync(join(tree, name), content)
    mkdirSync(join(tree, 'deep', 'empty'), { recursive: true })
    const good = ['😀 smile', 'a'.repeat(255), 'CON', 'README', 'readme', ' ', '-rf', '%2e%2e', 'é', 'b:c']
    const bad = ['new\nline', 'escape\u001b[31m', 'tab\t', 'a\\..\\b', 'del\u007f']
    for (const name of [...good, ...bad]) write(name)
    write('zero', '')
    symlinkSync('nowhere', join(tree, 'dangling'))
    symlinkSync('.', join(tree, 'around'))
    symlinkSync('circle', join(tree, 'circle'))
    symlinkSync('/etc', join(tree, 'outside'))
    execFileSync('mkfifo', [join(tree, 'pipe')])
    const socket = createServer().listen(join(tree, 'socket'))
    t.after(() => socket.close())

    const first = await run('put', '-r', tree)
    assert.equal(first.code, 1)
    assert.equal(first.stderr.match(/\[BAD_PATH\]/g)?.length, bad.length, first.stderr)
    assert.match(first.stderr, /left out 2 pipes, sockets or devices/)
    // eslint-disable-next-line no-control-regex -- control characters are what must not come out
    assert.doesNotMatch(first.stderr, /[\u0000-\u0009\u000b-\u001f\u007f]/, 'names do not move the cursor')
    const found = await stored()
    for (const name of good) assert.equal(found[`tree/${name.normalize()}`]?.size, 1, name)
    assert.equal(found['tree/zero']?.size, 0)
    for (const name of ['dangling', 'around', 'circle', 'outside'])
      assert.equal(found[`tree/${name}`]?.kind, 'link', name)
    assert.equal(found['tree/deep/empty']?.kind, 'folder')
    assert.equal(Object.keys(found).length, good.length + 1 + 4 + 1)

    // The same again changes nothing and complains of nothing new.
    const again = await run('put', '-r', tree)
    assert.equal(again.stderr, first.stderr)
    assert.deepEqual(await stored(), found)

    const out = join(folder, 'out')
    assert.equal((await run('get', '-r', 'files/tree', '-o', out)).code, 0)
    for (const name of good) assert.equal(readFileSync(join(out, name.normalize()), 'utf8'), 'x')
    assert.equal(readlinkSync(join(out, 'outside')), '/etc')
    assert.ok(lstatSync(join(out, 'deep', 'empty')).isDirectory())

    for (const name of ['circle', 'circle/below', 'nothing', '/proc/self/status', 'pipe']) {
      const place = name.startsWith('/') ? name : join(tree, name)
      const { code, stderr } = await run('put', '-r', place)
      assert.doesNotMatch(stderr, /INTERNAL|Warning/, name)
      assert.equal(code, ['circle', 'pipe'].includes(name) ? 0 : 1, `${name}: ${stderr}`)
    }
    assert.equal(
      (await stored())['status'],
      undefined,
      'a file that lies about its size is not stored as empty',
    )
  },
)

test('what vanishes or changes while a tree is read is named, never stored half', onPosix, async (t) => {
  const { folder, peer, run, stored } = await startScene(t)
  const tree = join(folder, 'tree')
  mkdirSync(join(tree, 'going'), { recursive: true })
  for (let number = 0; number < 300; number += 1) {
    writeFileSync(join(tree, `steady-${number}`), `${number}`)
    writeFileSync(join(tree, 'going', `file-${number}`), `${number}`)
  }
  const growing = join(tree, 'growing')
  writeFileSync(growing, Buffer.alloc(40_000_000, 'g'))
  const child = spawn(process.execPath, [...program, 'put', '-r', tree, '--json', '--home', peer.home])
  let stderr = ''
  let first = true
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const code = await new Promise((resolve) => {
    child.stdout.on('data', () => {
      // The small files are under way, the large one comes after them.
      if (first) {
        rmSync(join(tree, 'going'), { recursive: true })
        writeFileSync(growing, Buffer.alloc(39_000_000, 'h'))
      }
      first = false
    })
    child.on('close', resolve)
  })
  assert.equal(code, 1)
  assert.match(stderr, /SOURCE_CHANGED/)
  const found = await stored()
  assert.equal(found['tree/growing'], undefined, 'a file that changed is not there at all')
  for (let number = 0; number < 300; number += 1)
    assert.equal(found[`tree/steady-${number}`]?.size, `${number}`.length)
  for (const [path, { size }] of Object.entries(found))
    if (path.startsWith('tree/going/')) assert.equal(size, path.split('-')[1]!.length, path)
  assert.equal((await run('put', '-r', tree)).code, 0, 'the next run finds a quiet tree')
})

test('nothing is ever written behind a link that lies in the way', onPosix, async (t) => {
  const { folder, run } = await startScene(t)
  const source = join(folder, 'source', 'photos')
  const victim = join(folder, 'victim')
  const out = join(folder, 'out')
  mkdirSync(join(source, 'a', 'new'), { recursive: true })
  mkdirSync(victim)
  mkdirSync(out)
  writeFileSync(join(source, 'a', 'new', 'file'), 'x')
  writeFileSync(join(source, 'last'), 'x')
  mkdirSync(join(source, 'a', 'nothing'))
  assert.equal((await run('put', '-r', source)).code, 0)
  symlinkSync(victim, join(out, 'a'))
  const { code, stderr } = await run('get', '-r', 'files/photos', '-o', out)
  assert.equal(code, 1)
  assert.match(stderr, /a link stands in the way/)
  assert.deepEqual(readdirSync(victim), [])
  assert.equal(readFileSync(join(out, 'last'), 'utf8'), 'x', 'the rest is there')
})
