/** Real trees go in and come out byte-identical: Node's own distribution and a package of many files. */
import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import test from 'node:test'
import { contentOf, sourceOf, startPeer, temporaryFolder } from '../peer-fixture.ts'

const require = createRequire(import.meta.url)

/** Every file and link below `root`. */
async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
}

const runtimePackage = dirname(dirname(process.execPath))
const trees: [string, string][] = [
  ['node', runtimePackage],
  ['libp2p', join(dirname(require.resolve('libp2p')), '..', '..')],
  ['source', join(import.meta.dirname, '..', '..', 'src')],
]

test('real trees come back byte-identical, also after a restart, and are stored once', async (t) => {
  const home = await temporaryFolder(t)
  let peer = await startPeer(t, { home })
  const put = new Map<string, string>()
  const putAll = async (name: string, root: string): Promise<number> => {
    let sent = 0
    const files = await filesBelow(root)
    const next = files[Symbol.iterator]()
    const lane = async (): Promise<void> => {
      for (const file of next) {
        const path = `files/${name}/${relative(root, file).replaceAll(sep, '/')}`
        const stat = await lstat(file)
        const link = stat.isSymbolicLink() ? await readlink(file) : undefined
        const source = link === undefined ? createReadStream(file) : sourceOf()
        const { sentBytes } = await peer.files.put(path, source, {
          mode: stat.mode & 0o7777,
          modified: Math.floor(stat.mtimeMs),
          ...(link === undefined ? { size: stat.size } : { link }),
        })
        sent += sentBytes
        put.set(path, file)
      }
    }
    await Promise.all(Array.from({ length: 16 }, lane))
    return sent
  }
  for (const [name, root] of trees) await putAll(name, root)
  assert.ok(put.size > 200, `only ${put.size} files`)
  assert.equal(await putAll('again', join(import.meta.dirname, '..', '..', 'src')), 0)
  await peer.stop()
  peer = await startPeer(t, { home })
  for (const [path, file] of put) {
    const read = await peer.files.get(path)
    if (read.kind === 'link') assert.equal(read.target, await readlink(file))
    else assert.ok((await contentOf(peer, path)).equals(await readFile(file)), path)
    if (read.kind === 'file') assert.equal(read.mode, (await lstat(file)).mode & 0o7777)
  }
  const status = await peer.status()
  assert.equal(status.files.count, put.size)
  t.diagnostic(`${put.size} files, ${status.files.bytes} bytes, ${status.storage.used} kept`)
})
