/** `folder rekey` with a real process that is killed while it seals content anew: it goes on where it was. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FolderLine } from '../../src/peer/peer.ts'
import type { PeerProcess } from '../../src/cli/peer-process.ts'
import { eventually, Peers, treeOf } from '../network/peers.ts'

const waitMs = 180_000
const count = 120

async function left(peer: PeerProcess): Promise<number> {
  const { folders } = await peer.json<{ folders: FolderLine[] }>(['folder', 'list'])
  return folders[0]?.rekey?.files ?? 0
}

async function ofBefore(peer: PeerProcess, path: string): Promise<boolean> {
  return (await peer.json<{ rekey?: string }>(['info', path])).rekey === 'waiting'
}

test('killed while a folder is sealed anew, a peer goes on and every file is what it was', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  const tree = join(peers.folder, 'tree')
  await mkdir(tree)
  for (let n = 0; n < count; n += 1)
    await writeFile(join(tree, `${n}`.padStart(4, '0')), randomBytes(20_000 + n))
  await a.run(['put', '-r', tree])
  const rekeyed = await a.json<FolderLine>(['folder', 'rekey', 'files'])
  assert.equal(rekeyed.name, 'files')
  const isBegun = async (): Promise<boolean> => !(await ofBefore(a, 'files/tree/0000'))
  await eventually('some of it is sealed anew', isBegun, waitMs)
  await a.kill()
  await a.start()
  const isDone = async (): Promise<boolean> =>
    (await left(a)) === 0 &&
    !(await ofBefore(a, `files/tree/0${count - 1}`)) &&
    !(await ofBefore(a, 'files/tree/0000'))
  await eventually('all of it is', isDone, waitMs)
  const back = join(peers.folder, 'back')
  await a.run(['get', '-r', 'files/tree', '-o', back])
  assert.deepEqual(await treeOf(back), await treeOf(tree))
  const { damaged } = await a.json<{ damaged: number }>(['scrub'])
  assert.equal(damaged, 0)
})
