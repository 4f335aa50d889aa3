import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from '../base/limits.ts'
import { idOf, type ChunkId, type FolderId } from '../base/words.ts'
import type { ChunkRef, SealedChunk } from '../codec/codec.ts'
import { folderKeys } from '../codec/folder-keys.ts'
import { ManifestBuilder } from '../codec/manifest.ts'
import { verifyChunk } from '../codec/seal.ts'
import { ManifestNodes } from './manifest-nodes.ts'

const keys = folderKeys(idOf<FolderId>(Buffer.alloc(32, 1)), Buffer.alloc(32, 2), Buffer.alloc(32, 3))

async function node(length: number): Promise<{ sealed: SealedChunk; refs: ChunkRef[] }> {
  const nodes: SealedChunk[] = []
  const builder = new ManifestBuilder(keys, (sealed) => void nodes.push(sealed))
  const ref = { id: idOf<ChunkId>(Buffer.alloc(32, 7)), ck: Buffer.alloc(32, 8), length, level: 0 }
  await builder.add(ref)
  await builder.end()
  return { sealed: nodes[0]!, refs: [ref] }
}

test('a node is fetched once, until too many others were; only for who knows its key', async () => {
  const kept = new ManifestNodes()
  let fetched = 0
  const read = (sealed: SealedChunk, ref = sealed.ref): Promise<readonly ChunkRef[]> =>
    kept.refsOf(ref, async () => {
      fetched += 1
      return verifyChunk(sealed.ref.id, sealed.sealed, 'memory')
    })
  const { sealed, refs } = await node(1)
  assert.deepEqual(await read(sealed), refs)
  assert.deepEqual(await read(sealed), refs)
  assert.equal(fetched, 1)
  await assert.rejects(read(sealed, { ...sealed.ref, ck: Buffer.alloc(32) }), { code: 'CHUNK_INVALID' })
  await assert.rejects(read(sealed, { ...sealed.ref, length: 2 }), { code: 'CHUNK_INVALID' })
  for (let length = 2; length <= limits.manifestNodesKept + 1; length++)
    await read((await node(length)).sealed)
  fetched = 0
  await read(sealed)
  assert.equal(fetched, 1)
})
