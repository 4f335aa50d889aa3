/** WebDAV as clients use it: real programs, and requests that mean harm. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { type WebFaceFixture, startFixture } from '../../src/api/web-face.fixture.ts'
import { temporaryFolder } from '../peer-fixture.ts'
import { findTool, needsTool } from '../tools.ts'

const run = promisify(execFile)

/** Names and sizes that go wrong first. */
async function makeTree(folder: string): Promise<void> {
  await mkdir(join(folder, 'sub dir/ü ñ/empty'), { recursive: true })
  await cp(join(import.meta.dirname, '../../docs'), join(folder, 'docs'), { recursive: true })
  const contents: Record<string, Uint8Array> = {
    'a#%?&+ 1.txt': Buffer.from('a'),
    "sub dir/日本 'q' $[x].txt": Buffer.from('q'),
    'sub dir/ü ñ/big.bin': randomBytes(3_000_000),
    '._resource': randomBytes(100),
    zero: Buffer.alloc(0),
  }
  for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, name), content)
  await utimes(join(folder, 'zero'), 1_580_608_922, 1_580_608_922)
}

async function requireSameTree(one: string, other: string): Promise<void> {
  const names = async (folder: string): Promise<string[]> =>
    (await readdir(folder, { recursive: true })).sort()
  assert.deepEqual(await names(other), await names(one))
  for (const name of await names(one)) {
    if (!(await stat(join(one, name))).isFile()) continue
    assert.ok((await readFile(join(one, name))).equals(await readFile(join(other, name))), name)
  }
}

test('rclone takes a tree there and back, and sees that nothing changed', needsTool('rclone'), async (t) => {
  const web = await startFixture(t)
  const folder = await temporaryFolder(t)
  await makeTree(join(folder, 'tree'))
  const rclone = await rcloneFor(web)
  await rclone('copy', join(folder, 'tree'), 'peer:files/tree', '--create-empty-src-dirs')
  await rclone('copy', 'peer:files/tree', join(folder, 'back'), '--create-empty-src-dirs')
  await requireSameTree(join(folder, 'tree'), join(folder, 'back'))
  assert.equal((await stat(join(folder, 'back/zero'))).mtimeMs, 1_580_608_922_000)

  const versions = (await web.peer.files.versions('files/tree/zero')).length
  await rclone('sync', join(folder, 'tree'), 'peer:files/tree', '--create-empty-src-dirs')
  assert.equal((await web.peer.files.versions('files/tree/zero')).length, versions)
  await rclone('moveto', 'peer:files/tree/sub dir', 'peer:files/tree/other dir')
  assert.equal(web.peer.files.look('files/tree/other dir/ü ñ/big.bin')?.size, 3_000_000)
  await rclone('about', 'peer:')
  await rclone('purge', 'peer:files/tree')
  assert.equal((await web.peer.files.list('files')).entries.length, 0)
})

async function rcloneFor(web: WebFaceFixture): Promise<(...args: string[]) => Promise<unknown>> {
  const program = findTool('rclone')!
  const { AWS_CA_BUNDLE: _, ...env } = process.env
  const obscured = run(program, ['obscure', '-'], { env })
  obscured.child.stdin?.end(web.token)
  const settings = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_PEER_TYPE: 'webdav',
    RCLONE_CONFIG_PEER_URL: `${web.face.url}/dav/`,
    RCLONE_CONFIG_PEER_VENDOR: 'owncloud',
    RCLONE_CONFIG_PEER_USER: 'me',
    RCLONE_CONFIG_PEER_PASS: (await obscured).stdout.trim(),
  }
  return (...args) => run(program, [...args, '--retries', '1'], { env: { ...env, ...settings } })
}

test('cadaver takes files there and back, with locks and properties', needsTool('cadaver'), async (t) => {
  const web = await startFixture(t)
  const folder = await temporaryFolder(t)
  const content = randomBytes(1_000_000)
  await writeFile(join(folder, 'up'), content)
  await writeFile(join(folder, '.netrc'), `machine 127.0.0.1 login me password ${web.token}\n`, {
    mode: 0o600,
  })
  const said = await cadaver(web, folder, [
    'mkcol box',
    'cd box',
    'put up "a ü.bin"',
    'propset "a ü.bin" colour red',
    'propget "a ü.bin" colour',
    'lock "a ü.bin"',
    'move "a ü.bin" b',
    'unlock "a ü.bin"',
    'move "a ü.bin" b',
    'copy b c',
    'get c down',
    'propget c colour',
    'delete b',
    'ls',
  ])
  assert.ok((await readFile(join(folder, 'down'))).equals(content), said)
  assert.equal(said.match(/Value of colour is: red/g)?.length, 2, said)
  assert.deepEqual(
    (await web.peer.files.list('files/box')).entries.map(({ path }) => path),
    ['files/box/c'],
    said,
  )
})

function cadaver(web: WebFaceFixture, folder: string, commands: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const program = spawn(findTool('cadaver')!, [`${web.face.url}/dav/files/`], {
      cwd: folder,
      env: { ...process.env, HOME: folder },
    })
    let said = ''
    program.stdout.on('data', (part: Buffer) => (said += part.toString()))
    program.stderr.on('data', (part: Buffer) => (said += part.toString()))
    program.on('error', reject)
    program.on('close', () => resolve(said))
    program.stdin.end(`${commands.join('\n')}\nquit\n`)
  })
}

test('a tree of 3,000 names in one folder is listed in pages, and as one document', async (t) => {
  const web = await startFixture(t)
  const names = Array.from({ length: 3000 }, (_, index) => `f${index} <&> ü`)
  const batches = Array.from({ length: 30 }, (_, index) => names.slice(index * 100, index * 100 + 100))
  for (const batch of batches)
    await Promise.all(batch.map((name) => web.peer.files.put(`files/many/${name}`, none())))
  const { status, text } = await propfind(web, '/dav/files/many', '1')
  assert.equal(status, 207)
  const hrefs = [...text.matchAll(/<D:href>([^<]*)<\/D:href>/g)].map((found) => found[1])
  assert.deepEqual(
    new Set(hrefs.slice(1)),
    new Set(names.map((name) => `/dav/files/many/${encodeURIComponent(name)}`)),
  )
  assert.equal(hrefs.length, names.length + 1)
  await requireBackPressure(web)
})

async function* none(): AsyncGenerator<Uint8Array> {}

function propfind(web: WebFaceFixture, path: string, depth: string) {
  return web.ask({ method: 'PROPFIND', path, headers: { depth } })
}

/** Asks for 20,000 properties of each of 3,000 files, which are 3 GB, and reads none of it. */
async function requireBackPressure(web: WebFaceFixture): Promise<void> {
  const wanted = Array.from({ length: 20_000 }, (_, index) => `<n${index}/>`).join('')
  const body = `<propfind xmlns="DAV:"><prop>${wanted}</prop></propfind>`
  const socket = connect(web.face.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  const before = process.memoryUsage().rss
  socket.write(
    `PROPFIND /dav/files/many HTTP/1.1\r\nhost: 127.0.0.1\r\ndepth: 1\r\nauthorization: Bearer ${web.token}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  for (let index = 0; index < 50; index += 1) await web.requireAlive()
  const grown = process.memoryUsage().rss - before
  socket.destroy()
  assert.ok(grown < 500 * 2 ** 20, `${Math.round(grown / 2 ** 20)} MB more`)
}
