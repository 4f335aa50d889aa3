import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually, sourceOf, startPeer, temporaryFolder } from '../peer-fixture.ts'

test('a file with priority gets the most copies that its folder allows', async (t) => {
  const folder = await temporaryFolder(t)
  const a = await startPeer(t, { home: join(folder, 'a'), settings: { name: 'a' } })
  for (const name of ['b', 'c', 'd'])
    await startPeer(t, {
      home: join(folder, name),
      settings: { name },
      join: (await a.pool.invite({ storageOnly: false })).code,
    })
  await a.files.put('files/thesis', sourceOf(randomBytes(1_500_000)))
  await a.files.put('files/other', sourceOf(randomBytes(300_000)))
  const copies = async (path: string): Promise<string> => {
    const { have, want } = (await a.files.info(path)).copies
    return `${have} of ${want}`
  }
  await eventually('three copies', async () => (await copies('files/thesis')) === '3 of 3', 120_000)
  const said = await a.files.describe('files/thesis', { addTags: ['draft'], priority: true })
  assert.deepEqual([said.priority, said.tags], [true, ['draft']])
  assert.equal(said.copies.want, 4)
  await eventually('four copies', async () => (await copies('files/thesis')) === '4 of 4', 120_000)
  const kept = await a.files.describe('files/thesis', { removeTags: ['draft'] })
  assert.deepEqual([kept.priority, kept.tags], [true, []])
  const listed = await a.files.list('files')
  assert.deepEqual(
    listed.entries.map(({ path, copies }) => [path, copies?.want]),
    [
      ['files/other', 3],
      ['files/thesis', 4],
    ],
  )
  await a.folders.set('files', { max: 3 })
  assert.equal((await a.files.info('files/thesis')).copies.want, 3)
  assert.equal((await a.files.describe('files/thesis', { priority: false })).priority, false)
  await assert.rejects(a.folders.set('files', { min: 4 }), /min=4 is more than max=3/)
})
