/**
 * Files as people have them, through real processes: photographs and a manual in PDF, and one file of
 * 2 GiB. The device that took them dies; another reads them back.
 */
import assert from 'node:assert/strict'
import { createHash, randomFillSync } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { filesBelow } from '../../src/cli/demo-scan.ts'
import { PeerProcess } from '../../src/cli/peer-process.ts'
import { eventually } from '../peer-fixture.ts'
import { program } from '../program.ts'

const MiB = 2 ** 20
const largeBytes = 2 ** 31
/** Where Debian's `imagemagick-6-doc` and `gnuplot-doc` put photographs and a manual. */
const photos = '/usr/share/doc/imagemagick-6-common/html/images'
const manual = '/usr/share/doc/gnuplot/gnuplot.pdf'
const lacksDocuments = !existsSync(photos) || !existsSync(manual)
if (lacksDocuments && process.env['CI'] === 'true' && process.platform === 'linux')
  throw new Error('imagemagick-6-doc and gnuplot-doc are not installed')

/** Writes `size` random bytes; resolves to their hash. */
async function writeRandom(path: string, size: number): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  try {
    const piece = Buffer.alloc(8 * MiB)
    for (let written = 0; written < size; written += piece.length) {
      hash.update(randomFillSync(piece))
      await file.write(piece)
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: MiB })) hash.update(piece as Buffer)
  return hash.digest('hex')
}

async function hashesOf(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const path of (await filesBelow(folder)).toSorted())
    found.set(relative(folder, path), await hashOf(path))
  return found
}

describe('two devices', () => {
  let folder = ''
  let first: PeerProcess
  let second: PeerProcess

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerstor-real-'))
    first = new PeerProcess(program, 'first', join(folder, 'h1'))
    second = new PeerProcess(program, 'second', join(folder, 'h2'))
    await first.start()
    const { code } = await first.json<{ code: string }>(['invite'])
    await second.start(undefined, code)
  })

  after(async () => {
    await Promise.all([first.kill(), second.kill()])
    await rm(folder, { recursive: true, force: true })
  })

  /** Waits until the second device knows every file of the first with two copies. */
  const waitForCopies = (files: number): Promise<void> =>
    eventually(
      `${files} files with two copies`,
      async () => {
        const { entries } = await second.json<{ entries: { kind: string; copies?: { have: number } }[] }>([
          'ls',
          '-r',
          'files',
          '--limit',
          '1000',
        ])
        const copied = entries.filter(({ kind, copies }) => kind === 'file' && (copies?.have ?? 0) >= 2)
        return copied.length === files
      },
      240_000,
    )

  test(
    'photographs and a manual in PDF',
    lacksDocuments ? { skip: 'imagemagick-6-doc and gnuplot-doc are not installed' } : {},
    async () => {
      const original = await hashesOf(photos)
      assert.ok(original.size > 100, `only ${original.size} images`)
      await first.run(['put', '-r', photos, '--quiet'])
      await first.run(['put', manual, '--quiet'])
      await waitForCopies(original.size + 1)
      await first.kill()
      await second.run(['get', '-r', 'files/images', '-o', join(folder, 'images'), '--quiet'])
      await second.run(['get', 'files/gnuplot.pdf', '-o', join(folder, 'manual.pdf'), '--quiet'])
      assert.deepEqual(await hashesOf(join(folder, 'images')), original)
      assert.equal(await hashOf(join(folder, 'manual.pdf')), await hashOf(manual))
      await first.start()
    },
  )

  test('a file of 2 GiB', async () => {
    const source = join(folder, 'large')
    const hash = await writeRandom(source, largeBytes)
    const { entries: before } = await first.json<{ entries: { kind: string }[] }>(['ls', '-r', 'files'])
    await first.run(['put', source, '--quiet'])
    await rm(source)
    await waitForCopies(before.filter(({ kind }) => kind === 'file').length + 1)
    await first.kill()
    const back = join(folder, 'back')
    await second.run(['get', 'files/large', '-o', back, '--quiet'])
    assert.equal(await hashOf(back), hash)
  })
})
