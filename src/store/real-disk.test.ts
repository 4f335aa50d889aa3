import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { DirectWrites } from './direct-writes.ts'
import { realDisk } from './real-disk.ts'

const MiB = 2 ** 20

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'peerstor-disk-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const seedOf = (t: TestContext): SeededRandom => {
  const seed = Number(process.env['PEERSTOR_SEED'] ?? Math.floor(Math.random() * 1e9))
  t.diagnostic(`PEERSTOR_SEED=${seed}`)
  return new SeededRandom(seed)
}

/** Parts of any sizes that are `bytes` long together. */
function partsOf(random: SeededRandom, bytes: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let left = bytes; left > 0; left -= parts.at(-1)!.length) {
    const most = random.number() < 0.3 ? 5000 : MiB
    parts.push(random.bytes(Math.min(left, 1 + Math.floor(random.number() * most))))
  }
  return parts
}

test('appends of any size at any place are in the file, by its own handle and by others', async (t) => {
  const random = seedOf(t)
  const path = join(await folderOf(t), 'file')
  const file = await realDisk.open(path, 'create')
  const reader = await realDisk.open(path, 'read')
  let expected = Buffer.alloc(0)
  for (let round = 0; round < 24; round++) {
    const size = Math.floor(random.number() * (round % 3 === 0 ? 6 * MiB : round % 3 === 1 ? 300_000 : 9000))
    const parts = partsOf(random, size)
    const at = expected.length
    await file.write(at, parts, random.number() < 0.3)
    expected = Buffer.concat([expected, ...parts])
    assert(expected.subarray(at).equals(await reader.read(at, size)), `round ${round}`)
    if (round % 5 === 0) await file.sync()
    if (round % 7 === 6) {
      const end = Math.floor(expected.length * random.number())
      await file.truncate(end)
      expected = expected.subarray(0, end)
    }
  }
  assert(expected.equals(await file.read(0, expected.length + 1)))
  assert.equal(await file.size(), expected.length)
  await Promise.all([file.close(), reader.close()])
  assert(expected.equals(await readFile(path)))
})

test('files that are written at once do not mix', async (t) => {
  const random = seedOf(t)
  const folder = await folderOf(t)
  const written = await Promise.all(
    Array.from({ length: 4 }, async (_, index) => {
      const path = join(folder, String(index))
      const file = await realDisk.open(path, 'create')
      const parts = Array.from({ length: 4 }, () => partsOf(random, 3 * MiB + index))
      for (const [part, bytes] of parts.entries()) await file.write(part * (3 * MiB + index), bytes)
      await file.close()
      return { path, bytes: Buffer.concat(parts.flat()) }
    }),
  )
  for (const { path, bytes } of written) assert(bytes.equals(await readFile(path)), path)
})

async function directOf(t: TestContext): Promise<{ path: string; direct: DirectWrites | undefined }> {
  const path = join(await folderOf(t), 'file')
  const file = await open(path, 'w+')
  t.after(() => file.close())
  const direct = await DirectWrites.open(file)
  t.after(() => direct?.close())
  return { path, direct }
}

test('whole blocks are written past the page cache, the rest is left to the caller', async (t) => {
  const { path, direct } = await directOf(t)
  if (direct === undefined) return t.skip('this system has no such writes')
  const parts = partsOf(seedOf(t), 5 * MiB + 100)
  const written = await direct.write(4096, parts)
  // Some file systems take the flag and refuse the write.
  assert([5 * MiB, 0].includes(written), String(written))
  const found = (await readFile(path)).subarray(4096)
  assert(Buffer.concat(parts).subarray(0, written).equals(found))
})

test('a write that the file system refuses is left to the caller, and not tried again', async (t) => {
  const { direct } = await directOf(t)
  if (direct === undefined) return t.skip('this system has no such writes')
  const parts = [Buffer.alloc(MiB, 1)]
  // Off a block: what a refusal looks like.
  if ((await direct.write(1, parts)) !== 0) return t.skip('this file system takes writes of any place')
  assert.equal(await direct.write(4096, parts), 0)
})
