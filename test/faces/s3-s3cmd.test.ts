/** s3cmd carries a real tree there and back, makes and removes buckets, and sends a file in parts. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../tools.ts'
import { realTree, requireSameTree, S3Scene } from './s3-clients.ts'

test('s3cmd: a tree there and back, copies, parts, buckets', needsTool('s3cmd'), async (t) => {
  const scene = await S3Scene.start(t)
  const config = join(scene.folder, 's3cfg')
  const lines = [
    '[default]',
    `access_key = ${scene.accessKeyId}`,
    `secret_key = ${scene.secretAccessKey}`,
    `host_base = ${scene.host}`,
    `host_bucket = ${scene.host}`,
    'use_https = False',
  ]
  await writeFile(config, `${lines.join('\n')}\n`)
  const s3cmd = (...args: string[]) => scene.run('s3cmd', ['-c', config, ...args])
  const tree = join(realTree, 'v4/mini')
  await s3cmd('sync', `${tree}/`, 's3://files/tree/')
  assert.ok(!/upload:/.test(await s3cmd('sync', '--no-check-md5', `${tree}/`, 's3://files/tree/')))
  const back = join(scene.folder, 'back')
  await mkdir(back)
  await s3cmd('sync', 's3://files/tree/', `${back}/`)
  assert.ok((await requireSameTree(tree, back)) >= 20)
  assert.match(await s3cmd('ls', 's3://files/tree/'), /s3:\/\/files\/tree\/parse\.ts/)
  await s3cmd('cp', 's3://files/tree/parse.ts', 's3://files/copy.ts')
  await s3cmd('get', 's3://files/copy.ts', join(scene.folder, 'copy.ts'))
  assert.ok((await readFile(join(scene.folder, 'copy.ts'))).equals(await readFile(join(tree, 'parse.ts'))))
  await s3cmd('del', '--recursive', 's3://files/tree/')
  assert.ok(!scene.web.peer.files.has('files/tree'))

  await s3cmd('mb', 's3://neu')
  const large = join(scene.folder, 'large')
  await writeFile(large, randomBytes(12_000_000))
  await s3cmd('put', large, 's3://neu/large', '--multipart-chunk-size-mb=5')
  await s3cmd('get', 's3://neu/large', `${large}-back`)
  assert.ok((await readFile(`${large}-back`)).equals(await readFile(large)))
  await assert.rejects(s3cmd('rb', 's3://neu'), /BucketNotEmpty/)
  await s3cmd('del', 's3://neu/large')
  await s3cmd('rb', 's3://neu')
  assert.ok(!/neu/.test(await s3cmd('ls')))
})
