import assert from 'node:assert/strict'
import { mkdtemp, readdir, rename, rm, symlink, writeFile, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { PartFile } from './part-file.ts'

const MiB = 2 ** 20
/** No process has it: beyond the largest number that Linux gives. */
const noPid = 2 ** 22 + 1

async function scene(t: TestContext): Promise<{ folder: string; out: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'peerstor-part-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return { folder, out: join(folder, 'out') }
}

test('a part that was left is gone on with, from where it surely is', async (t) => {
  const { folder, out } = await scene(t)
  const part = await PartFile.open(out, 'a'.repeat(64))
  for (let count = 0; count < 40; count += 1) await part.write(Buffer.alloc(MiB, count))
  await part.leave()
  const [name = ''] = await readdir(folder)
  await rename(join(folder, name), join(folder, name.replace(String(process.pid), String(noPid))))
  const other = await PartFile.open(out, 'b'.repeat(64))
  assert.equal(other.offset, 0)
  await other.leave()
  const again = await PartFile.open(out, 'a'.repeat(64))
  assert.equal(again.offset, 32 * MiB)
  for (let count = 32; count < 48; count += 1) await again.write(Buffer.alloc(MiB, count))
  await again.keepAs(out)
  const content = await readFile(out)
  assert.equal(content.length, 48 * MiB)
  for (let count = 0; count < 48; count += 1) assert.equal(content[count * MiB + 5], count)
  assert.deepEqual(await readdir(folder), ['out'])
})

test('little is not left, and no other file is mistaken for a part', async (t) => {
  const { folder, out } = await scene(t)
  const hash = 'c'.repeat(64)
  const small = await PartFile.open(out, hash)
  await small.write(Buffer.alloc(100))
  await small.leave()
  assert.deepEqual(await readdir(folder), [])
  const victim = join(folder, 'victim')
  await writeFile(victim, 'kept')
  if (process.platform !== 'win32')
    await symlink(victim, join(folder, `.${hash.slice(0, 32)}.${noPid}.peerstor-part`))
  const part = await PartFile.open(out, hash)
  assert.equal(part.offset, 0)
  await part.write(Buffer.from('new'))
  await part.keepAs(out)
  assert.equal(await readFile(victim, 'utf8'), 'kept')
  assert.equal(await readFile(out, 'utf8'), 'new')
})
