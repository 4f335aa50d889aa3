import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesBelow, findNeedles, randomWindows } from './demo-scan.ts'

test('finds planted windows across block borders and nothing else', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'peerstor-scan-'))
  context.after(() => rm(folder, { recursive: true }))
  const bytes = randomBytes(9 * 2 ** 20)
  await writeFile(join(folder, 'large'), bytes)
  const planted = [
    bytes.subarray(0, 32),
    bytes.subarray(8 * 2 ** 20 - 16, 8 * 2 ** 20 + 16),
    bytes.subarray(-32),
  ]
  const absent = Array.from({ length: 100 }, () => randomBytes(32))
  const hits = await findNeedles(await filesBelow(folder), [...planted, ...absent])
  assert.deepEqual(hits, new Set(planted))
})

test('windows are taken from the files', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'peerstor-scan-'))
  context.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'a'), randomBytes(4096))
  await writeFile(join(folder, 'zeros'), Buffer.alloc(4096))
  const windows = await randomWindows(await filesBelow(folder), 50, 32)
  assert.equal(windows.length, 50)
  assert.equal((await findNeedles(await filesBelow(folder), windows)).size, windows.length)
})
