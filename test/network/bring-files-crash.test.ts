/** Taking files along to another pool, killed on the way: nothing is lost, and it goes on by itself. */
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PeerProcess } from '../../src/cli/peer-process.ts'
import {
  codeOf,
  eventually,
  isThere,
  makeTree,
  numbered,
  Peers,
  safeFiles,
  statusOf,
  treeOf,
} from './peers.ts'

test('files that are brought along survive kills on the way', async (t) => {
  const peers = await Peers.make(t)
  const [a, b] = await Promise.all([peers.started('a'), peers.started('b')])
  const tree = join(peers.folder, 'tree')
  await makeTree(tree)
  await mkdir(join(tree, 'many'))
  for (let count = 0; count < 120; count += 1)
    await writeFile(join(tree, 'many', `${count}`), numbered(20_000 + count))
  await b.run(['put', '-r', tree])
  const { count } = (await statusOf(b)).files
  const joining = b.run(['join', await codeOf(a), '--bring-files']).catch(() => undefined)
  for (const part of [0.1, 0.5]) {
    await eventually(`${part} of the files`, async () => (await filesOn(b)) > part * count)
    await b.kill()
    await b.start()
  }
  await joining
  await eventually(
    'nothing is left to bring',
    async () => {
      const { files, warnings } = await statusOf(b)
      return files.count === count && warnings.length === 0
    },
    40_000,
  )
  await safeFiles(a, count)
  const out = join(peers.folder, 'out')
  await a.run(['get', '-r', 'files/tree', '-o', out])
  assert.deepEqual(await treeOf(out), await treeOf(tree))
  assert.equal((await readdir(join(b.home, 'segments'))).length, 1)
  assert.equal(await isThere(join(b.home, 'keys/before/keys/pool.json')), false)
})

/** As its new pool counts; 0 while it changes pools. */
async function filesOn(peer: PeerProcess): Promise<number> {
  const status = await statusOf(peer).catch(() => undefined)
  return status?.pool.peers === 2 ? status.files.count : 0
}
