import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { idOf, type ChunkId, type FolderId } from '../base/words.ts'
import { encodeCbor, type CborValue } from './cbor.ts'
import type { ChunkRef, SealedChunk, VerifiedBytes } from './codec.ts'
import { folderKeys } from './folder-keys.ts'
import { decodeNode, ManifestBuilder, openNode, openRoot, sealNode, walkManifest } from './manifest.ts'
import { openChunk, sealChunk, verifyChunk } from './seal.ts'

const folder = idOf<FolderId>(Buffer.alloc(32, 1))
const keys = folderKeys(folder, Buffer.alloc(32, 2), Buffer.alloc(32, 3))

function dataRefs(lengths: readonly number[]): ChunkRef[] {
  return lengths.map((length, index) => {
    const mark = Buffer.alloc(32)
    mark.writeUInt32BE(index)
    return { id: idOf<ChunkId>(mark), ck: Buffer.alloc(32, 5), length, level: 0 }
  })
}

interface Tree {
  root: ChunkRef
  nodes: Map<ChunkId, SealedChunk>
  fetched: ChunkId[]
  fetch: (ref: ChunkRef) => Promise<VerifiedBytes>
  refsOf: (node: ChunkRef) => Promise<ChunkRef[]>
}

async function build(refs: readonly ChunkRef[]): Promise<Tree> {
  const nodes = new Map<ChunkId, SealedChunk>()
  const builder = new ManifestBuilder(keys, (node) => void nodes.set(node.ref.id, node))
  for (const ref of refs) await builder.add(ref)
  const root = await builder.end()
  const fetched: ChunkId[] = []
  const fetch = async (ref: ChunkRef): Promise<VerifiedBytes> => {
    fetched.push(ref.id)
    return verifyChunk(ref.id, nodes.get(ref.id)!.sealed, 'memory')
  }
  return { root, nodes, fetched, fetch, refsOf: async (node) => openNode(node, await fetch(node)) }
}

test('an empty file has one empty node', async () => {
  const { root, nodes, fetch } = await build([])
  assert.deepEqual(
    { level: root.level, length: root.length, nodes: nodes.size },
    { level: 1, length: 0, nodes: 1 },
  )
  assert.deepEqual(openNode(root, await fetch(root)), [])
})

for (const [count, level, nodes] of [
  [1, 1, 1],
  [1024, 1, 1],
  [1025, 2, 3],
  [3000, 2, 4],
] as const)
  test(`${count} chunks make ${nodes} nodes, the root of level ${level}`, async () => {
    const refs = dataRefs(Array.from({ length: count }, () => 1000))
    const tree = await build(refs)
    assert.equal(tree.root.level, level)
    assert.equal(tree.root.length, count * 1000)
    assert.equal(tree.nodes.size, nodes)
    const walked = await Array.fromAsync(walkManifest([tree.root], 0, tree.root.length, tree.refsOf))
    assert.deepEqual(
      walked.map(({ ref }) => ref.id),
      refs.map(({ id }) => id),
    )
  })

test('a range touches only the nodes and chunks it needs', async () => {
  const tree = await build(dataRefs(Array.from({ length: 5000 }, () => 10)))
  const walked = await Array.fromAsync(walkManifest([tree.root], 20_485, 20_505, tree.refsOf))
  assert.deepEqual(
    walked.map(({ offset }) => offset),
    [20_480, 20_490, 20_500],
  )
  assert.equal(tree.fetched.length, 2, 'the root and one node')
})

test('any range gives exactly the chunks that overlap it', async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 100 })
  await fc.assert(
    fc.asyncProperty(lengths, fc.nat(500), fc.nat(500), async (sizes, a, b) => {
      const refs = dataRefs(sizes)
      const tree = await build(refs)
      const [from, to] = [Math.min(a, b), Math.max(a, b)]
      const walked = await Array.fromAsync(walkManifest([tree.root], from, to, tree.refsOf))
      let offset = 0
      const expected = refs.flatMap((ref) => {
        const at = offset
        offset += ref.length
        return at < to && offset > from && from < to ? [at] : []
      })
      assert.deepEqual(from < to ? walked.map((placed) => placed.offset) : [], expected)
    }),
    { numRuns: 300 },
  )
})

test('a link opens the root from its id and key alone', async () => {
  const refs = dataRefs([7, 8, 9])
  const { root, fetch } = await build(refs)
  const opened = openRoot(root.id, root.ck, await fetch(root))
  assert.deepEqual({ ...opened.root, ck: Buffer.from(opened.root.ck) }, root)
  assert.equal(opened.refs.length, 3)
})

test("a node of another length or level than its reference is its writer's fault", async () => {
  const { root, fetch } = await build(dataRefs([7, 8]))
  const bytes = await fetch(root)
  assert.throws(() => openNode({ ...root, length: 16 }, bytes), { code: 'CHUNK_INVALID' })
  assert.throws(() => openNode({ ...root, level: 2 }, bytes), { code: 'CHUNK_INVALID' })
  assert.throws(() => openNode({ ...root, level: 0 }, bytes), { code: 'CHUNK_INVALID' })
})

const id32 = (byte: number): Buffer => Buffer.alloc(32, byte)
const max = Number.MAX_SAFE_INTEGER
const badNodes: [string, number, CborValue][] = [
  ['no list', 1, 5],
  ['a short id', 1, [[Buffer.alloc(31), id32(1), 5]]],
  ['a short key', 1, [[id32(1), Buffer.alloc(31), 5]]],
  ['a chunk of no bytes', 1, [[id32(1), id32(2), 0]]],
  ['a negative length', 1, [[id32(1), id32(2), -1]]],
  ['a chunk that is too long', 1, [[id32(1), id32(2), 4 * 1024 * 1024 + 1]]],
  [
    'lengths whose sum overflows',
    2,
    [
      [id32(1), id32(2), max],
      [id32(1), id32(2), 1],
    ],
  ],
  ['no references on level 2', 2, []],
  ['too many references', 1, Array.from({ length: 1025 }, () => [id32(1), id32(2), 5])],
]
for (const [name, level, value] of badNodes)
  test(`a node with ${name} is refused`, () => {
    const node = 'ab'.repeat(32) as ChunkId
    assert.throws(() => decodeNode(node, level, encodeCbor(value)), { code: 'CHUNK_INVALID' })
  })

test('a file whose bytes equal a manifest node stays data', () => {
  const node = sealNode(keys, dataRefs([1, 2]))
  const opened = openChunk(node.ref.id, node.ref.ck, verifyChunk(node.ref.id, node.sealed, 'm'), {
    type: 'manifest',
    level: 1,
  })
  const asData = sealChunk(keys, { type: 'data', level: 0, plaintext: opened.plaintext }, 0)
  assert.notEqual(asData.id, node.ref.id)
  const bytes = verifyChunk(asData.id, asData.sealed, 'm')
  const ref = { id: asData.id, ck: asData.ck, length: node.ref.length, level: 1 }
  assert.throws(() => openNode(ref, bytes), { code: 'CHUNK_INVALID' })
  const read = openChunk(asData.id, asData.ck, bytes, { type: 'data', level: 0 })
  assert.deepEqual(read.plaintext, opened.plaintext)
})

test('nodes of mixed or too high levels are never made', () => {
  const [a] = dataRefs([1])
  assert.throws(() => sealNode(keys, [a!, { ...a!, level: 1 }]), { code: 'INTERNAL' })
  assert.throws(() => sealNode(keys, [{ ...a!, level: 4 }]), { code: 'INTERNAL' })
})
