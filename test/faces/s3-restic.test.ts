/** restic keeps a repository in a folder of PeerStor: made, filled with a real tree, checked byte by byte, restored. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../tools.ts'
import { realTree, requireSameTree, S3Scene } from './s3-clients.ts'

test('restic: init, backup, check --read-data, restore', needsTool('restic'), async (t) => {
  const scene = await S3Scene.start(t)
  const restic = (...args: string[]) =>
    scene.run('restic', ['--no-cache', ...args], {
      RESTIC_REPOSITORY: `s3:http://${scene.host}/files/backup`,
      RESTIC_PASSWORD: 'correct horse',
    })
  await restic('init')
  await assert.rejects(restic('init'), /already (exists|initialized)/)
  assert.match(await restic('backup', realTree), /snapshot [0-9a-f]+ saved/)
  assert.match(await restic('backup', realTree), /Files: +0 new, +0 changed/)
  assert.match(await restic('check', '--read-data'), /no errors were found/)
  const target = join(scene.folder, 'restored')
  await restic('restore', 'latest', '--target', target)
  assert.ok((await requireSameTree(realTree, join(target, realTree))) > 300)
  await restic('forget', '--keep-last', '1', '--prune')
  assert.match(await restic('check', '--read-data'), /no errors were found/)
  const { entries } = await scene.web.peer.files.list('files', { recursive: true })
  assert.ok(entries.every(({ path }) => path.startsWith('files/backup/')))
})
