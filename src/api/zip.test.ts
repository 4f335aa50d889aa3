/** Zip archives of folders and selections, judged by `unzip` and by what they hold. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { sourceOf, temporaryFolder, text } from '../../test/peer-fixture.ts'
import { findTool, needsTool } from '../../test/tools.ts'
import { type WebFaceFixture, startFixture } from './web-face.fixture.ts'
import { centralHeader, dataDescriptor, endOf, localHeader, zipLength, type ZipMember } from './zip-format.ts'

const run = promisify(execFile)

async function withFiles(web: WebFaceFixture): Promise<Buffer> {
  const { files } = web.peer
  const big = randomBytes(3_000_000)
  await files.put('files/tree/sub/größe 日本 #%&.bin', sourceOf(big), { modified: 1_600_000_001_000 })
  await files.put('files/tree/a', text('a'), { mode: 0o755 })
  await files.put('files/tree/empty', text(''))
  await files.put('files/tree/link', text(''), { link: 'sub/größe' })
  await files.makeFolder('files/tree/bare')
  await files.put('files/other/a', text('other'))
  return big
}

test('a folder and a selection come out as they went in', needsTool('unzip'), async (t) => {
  const web = await startFixture(t)
  const big = await withFiles(web)
  const folder = await temporaryFolder(t)
  const paths = ['files/tree', 'files/tree/a', 'files/other/a']
  const query = paths.map((path) => `path=${encodeURIComponent(path)}`).join('&')
  const { status, headers, body } = await web.ask({ path: `/api/v1/zip?${query}` })
  assert.equal(status, 200)
  assert.equal(headers['content-length'], String(body.length))
  assert.equal(headers['content-disposition'], "attachment; filename*=UTF-8''peerstor.zip")
  const head = await web.ask({ method: 'HEAD', path: `/api/v1/zip?${query}` })
  assert.equal(head.headers['content-length'], String(body.length))
  await writeFile(join(folder, 'x.zip'), body)
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  const { stdout } = await run(findTool('unzip')!, ['-t', 'x.zip'], { cwd: folder, env })
  assert.match(stdout, /No errors detected/)
  await run(findTool('unzip')!, ['-q', 'x.zip'], { cwd: folder, env })
  assert.ok((await readFile(join(folder, 'tree/sub/größe 日本 #%&.bin'))).equals(big))
  assert.equal((await stat(join(folder, 'tree/sub/größe 日本 #%&.bin'))).mtimeMs, 1_600_000_001_000)
  assert.equal((await stat(join(folder, 'tree/a'))).mode & 0o777, 0o755)
  assert.equal((await stat(join(folder, 'tree/empty'))).size, 0)
  assert.equal(await readlink(join(folder, 'tree/link')), 'sub/größe')
  assert.ok((await stat(join(folder, 'tree/bare'))).isDirectory())
  assert.equal(await readFile(join(folder, 'a'), 'utf8'), 'a')
  assert.equal(await readFile(join(folder, 'a (2)'), 'utf8'), 'other')
})

test('who asks gets what he may read, or nothing', async (t) => {
  const web = await startFixture(t)
  await withFiles(web)
  const confined = await web.tokenWith(['read'], 'files/tree')
  const ask = async (query: string, token = web.token): Promise<number> =>
    (await web.ask({ path: `/api/v1/zip${query}`, token })).status
  assert.equal(await ask('?path=files/tree', confined), 200)
  assert.equal(await ask('?path=files/tree&path=files/other', confined), 403)
  assert.equal(await ask('?path=files', confined), 403)
  assert.equal(await ask('?path=files/none'), 404)
  assert.equal(await ask('?path=files/../x'), 400)
  assert.equal(await ask(''), 400)
  assert.equal(await ask('?path='), 400)
  assert.equal((await web.ask({ path: '/api/v1/zip?path=files', token: null })).status, 401)
})

test('70,000 members, and one of over 4 GiB', needsTool('unzip'), async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(folder, { recursive: true })
  const member = (name: string, size: number): ZipMember => ({
    name,
    size,
    modified: 0,
    mode: 0o100644,
    crc: crc32(Buffer.from('x')),
    offset: 0,
  })
  const large = member('large', 2 ** 32 + 5)
  const many = Array.from({ length: 70_000 }, (_, index) => member(`m/${index}`, 1))
  const members = [member('first', 1), large, ...many]

  // What is not written to the file are zeros: it takes no room on the disk.
  const file = openSync(join(folder, 'x.zip'), 'w')
  let at = 0
  const write = (bytes: Uint8Array): void => {
    writeSync(file, bytes, 0, bytes.length, at)
    at += bytes.length
  }
  const parts: Buffer[] = []
  let end = 0
  for (const one of members) {
    one.offset = end
    const header = localHeader(one)
    const descriptor = dataDescriptor(one)
    end += header.length + one.size + descriptor.length
    if (one === large) {
      write(Buffer.concat(parts.splice(0)))
      write(header)
      at += one.size
      write(descriptor)
    } else parts.push(header, Buffer.from('x'), descriptor)
  }
  const directory = Buffer.concat(members.map((one) => centralHeader(one)))
  const last = endOf({ count: members.length, offset: end, length: directory.length })
  write(Buffer.concat([...parts, directory, last]))
  closeSync(file)
  assert.equal(at, zipLength(members))

  // The large one's CRC alone would take half a minute; docs/ARCHITECTURE.md says when it was tried.
  const { stdout } = await run(findTool('unzip')!, ['-tqq', 'x.zip', '-x', 'large'], { cwd: folder })
  assert.equal(stdout, '')
  const listed = await run(findTool('unzip')!, ['-Zhl', 'x.zip', 'large'], { cwd: folder })
  assert.match(listed.stdout, /number of entries: 70002/)
  assert.match(listed.stdout, / 4294967301 /)
})
