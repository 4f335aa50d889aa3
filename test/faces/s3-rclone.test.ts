/** rclone carries a real tree there and back by S3, moves and removes it, and sends a large file in parts. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../tools.ts'
import { realTree, requireSameTree, S3Scene } from './s3-clients.ts'

async function start(t: test.TestContext) {
  const scene = await S3Scene.start(t)
  const config = join(scene.folder, 'rclone.conf')
  const lines = [
    '[ps]',
    'type = s3',
    'provider = Other',
    'env_auth = true',
    `endpoint = http://${scene.host}`,
  ]
  await writeFile(config, `${lines.join('\n')}\n`)
  const rclone = (...args: string[]) => scene.run('rclone', ['--config', config, ...args])
  return { scene, rclone }
}

test('rclone: a tree there and back, checked, moved, removed', needsTool('rclone'), async (t) => {
  const { scene, rclone } = await start(t)
  await rclone('copy', realTree, 'ps:files/tree', '--transfers', '8')
  assert.match(await rclone('check', '--download', realTree, 'ps:files/tree'), /0 differences found/)
  const again = await rclone('copy', '-v', realTree, 'ps:files/tree', '--modify-window', '1ms')
  assert.match(again, /There was nothing to transfer/)
  const back = join(scene.folder, 'back')
  await rclone('copy', 'ps:files/tree', back, '--transfers', '8')
  const count = await requireSameTree(realTree, back)
  assert.ok(count > 300)
  assert.match(await rclone('lsf', 'ps:files'), /^tree\/$/m)
  await rclone('moveto', 'ps:files/tree/index.ts', 'ps:files/tree/other name.ts')
  assert.ok(!scene.web.peer.files.has('files/tree/index.ts'))
  assert.equal(
    await rclone('cat', 'ps:files/tree/other name.ts'),
    await readFile(join(realTree, 'index.ts'), 'utf8'),
  )
  await rclone('purge', 'ps:files/tree')
  assert.deepEqual((await scene.web.peer.files.list('files')).entries, [])
})

test('rclone: a large file in parts, copied in parts', needsTool('rclone'), async (t) => {
  const { scene, rclone } = await start(t)
  const file = join(scene.folder, 'large')
  const content = randomBytes(18_000_000)
  await writeFile(file, content)
  const inParts = ['--s3-upload-cutoff', '5M', '--s3-chunk-size', '5M', '--s3-copy-cutoff', '5M']
  await rclone('copyto', file, 'ps:files/large', ...inParts)
  await rclone('copyto', 'ps:files/large', 'ps:files/again', ...inParts)
  const back = join(scene.folder, 'back')
  await rclone('copyto', 'ps:files/again', back)
  assert.ok((await readFile(back)).equals(content))
  assert.deepEqual(scene.web.peer.files.multipart.open('files'), [])
})

test('rclone: with a key confined to a folder, there and nowhere else', needsTool('rclone'), async (t) => {
  const { scene, rclone } = await start(t)
  const { keyPair } = await scene.web.peer.tokens.create({
    name: 'confined',
    scopes: ['write'],
    folder: 'files/mine',
    s3: true,
  })
  const as = ['--s3-access-key-id', keyPair!.accessKeyId, '--s3-secret-access-key', keyPair!.secretAccessKey]
  const confined = [...as, '--s3-env-auth=false', '--s3-no-check-bucket', '--retries', '1']
  const file = join(scene.folder, 'file')
  await writeFile(file, 'mine')
  await rclone('copyto', file, 'ps:files/mine/file', ...confined)
  assert.equal(await rclone('lsf', 'ps:files/mine', ...confined), 'file\n')
  await assert.rejects(rclone('copyto', file, 'ps:files/file', ...confined), /AccessDenied|Forbidden|403/)
  await assert.rejects(rclone('lsf', 'ps:files', ...confined), /AccessDenied/)
})
