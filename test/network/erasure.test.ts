/** A folder kept as shards, with real processes: a device dies, all is read, and its shards are made again. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import type { PeerProcess } from '../../src/cli/peer-process.ts'
import type { FileInfo, FolderLine } from '../../src/peer/peer.ts'
import { codeOf, devicesOf, eventually, makeTree, Peers, safeFiles, treeOf } from './peers.ts'

const large = 'files/tree/deep/er/large'

async function folderOf(peer: PeerProcess): Promise<FolderLine> {
  const { folders } = await peer.json<{ folders: FolderLine[] }>(['folder', 'list'])
  return folders.find(({ name }) => name === 'files')!
}

/** The file lies on three devices, on none of them whole: each would lose it alone. */
async function shardedOn(peer: PeerProcess, names: readonly string[]): Promise<void> {
  await eventually(
    `${large} is shards on ${names.join(', ')}`,
    async () => {
      const { copies } = await peer.json<FileInfo>(['info', large])
      const on = copies.holders.map(({ name }) => name)
      return copies.scheme === '2+1' && copies.have === 2 && names.every((name) => on.includes(name))
    },
    120_000,
  )
}

async function reads(peer: PeerProcess, folder: string, tree: Map<string, string>): Promise<void> {
  await mkdir(folder)
  await peer.json(['get', 'files/tree', '-r', '-o', join(folder, 'tree')])
  assert.deepEqual(await treeOf(join(folder, 'tree')), tree)
}

test('a 2+1 folder survives the loss of a device, and is whole again on a replacement', async (t) => {
  const peers = await Peers.make(t)
  const source = join(peers.folder, 'tree')
  await mkdir(source)
  await makeTree(source)
  const tree = await treeOf(source)

  const [a, b] = await peers.pool('a', 'b')
  const asked = await a!.json<FolderLine>(['folder', 'set', 'files', 'erasure=2+1'])
  assert.deepEqual([asked.policy.erasure, asked.scheme], ['2+1', 'copies'])
  assert.match(asked.waiting!, /needs 3 devices that keep files, the pool has 2/)
  await a!.json(['put', '-r', source])

  const c = await peers.started('c', undefined, await codeOf(a!))
  assert.deepEqual([(await folderOf(c)).scheme, (await folderOf(c)).waiting], ['2+1', undefined])
  await shardedOn(b!, ['a', 'b', 'c'])
  await safeFiles(b!, 24)

  const lost = (await devicesOf(b!)).find(({ name }) => name === 'a')!
  await a!.kill()
  await reads(c, join(peers.folder, 'from-c'), tree)

  const code = await codeOf(b!)
  const d = await peers.started('d', undefined, code)
  await b!.json(['device', 'revoke', lost.peer!])
  await shardedOn(d, ['b', 'c', 'd'])
  await safeFiles(d, 24)
  await reads(d, join(peers.folder, 'from-d'), tree)
})
