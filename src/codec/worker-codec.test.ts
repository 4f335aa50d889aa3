import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { idOf, type ChunkId, type FolderId } from '../base/words.ts'
import type { Chunk, Codec, VerifiedBytes } from './codec.ts'
import { folderKeys } from './folder-keys.ts'
import { hashHex } from './hash.ts'
import { InlineCodec } from './inline-codec.ts'
import { WorkerCodec } from './worker-codec.ts'

const folder = idOf<FolderId>(Buffer.alloc(32, 1))
const keys = folderKeys(folder, Buffer.alloc(32, 2), Buffer.alloc(32, 3))

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield new Uint8Array(bytes.subarray(at, at + size))
}

async function withWorkers(threads: number, run: (codec: WorkerCodec) => Promise<void>): Promise<void> {
  const codec = new WorkerCodec({ threads })
  try {
    await run(codec)
  } finally {
    await codec.close()
  }
}

async function sealAll(
  codec: Codec,
  source: Uint8Array,
  step: number,
): Promise<{ ids: string[]; bytes: Buffer }> {
  const ids: string[] = []
  const opened: Uint8Array[] = []
  for await (const chunk of codec.cut(keys, pieces(source, step))) {
    const { ref, p, sealed } = await codec.seal(keys, chunk, 1)
    const back = await codec.open(ref, await codec.verify(ref.id, sealed, 'memory'), keys)
    assert.deepEqual(Buffer.from(back.p!), Buffer.from(p))
    ids.push(ref.id)
    opened.push(back.bytes)
  }
  return { ids, bytes: Buffer.concat(opened) }
}

test('threads give the ids and bytes that the calling thread gives', async () => {
  const source = Buffer.concat([randomBytes(2_500_000), Buffer.alloc(1_500_000, 'text that packs well ')])
  const inline = await sealAll(new InlineCodec(), source, 65_536)
  await withWorkers(2, async (codec) => {
    const [a, b] = await Promise.all([sealAll(codec, source, 65_536), sealAll(codec, source, 200_001)])
    assert.deepEqual(a.ids, inline.ids)
    assert.deepEqual(b.ids, inline.ids)
    assert.ok(a.bytes.equals(source) && b.bytes.equals(source))
  })
})

test('sealed where it was cut, or cut alone where nothing is to be sealed, a source gives the same', async () => {
  const source = Buffer.concat([randomBytes(5_000_000), Buffer.alloc(1_500_000, 'text that packs well ')])
  const expected = await sealAll(new InlineCodec(), source, 65_536)
  await withWorkers(2, async (codec) => {
    for (const each of [codec, new InlineCodec()]) {
      let asked = 0
      const ids: string[] = []
      const sealing = each.cutAndSeal(keys, pieces(source, 700_000), () =>
        asked++ % 2 === 0 ? 1 : undefined,
      )
      let count = 0
      for await (const chunk of sealing) {
        if ('sealed' in chunk) count += 1
        const { ref, sealed } = 'sealed' in chunk ? chunk : await codec.seal(keys, chunk, 1)
        await codec.verify(ref.id, sealed, 'memory')
        ids.push(ref.id)
      }
      assert.deepEqual(ids, expected.ids)
      assert.ok(count > 0 && count < ids.length)
    }
  })
})

test('a small source and an empty one need no thread', async () => {
  await withWorkers(1, async (codec) => {
    assert.deepEqual((await sealAll(codec, Buffer.from('small'), 3)).bytes.toString(), 'small')
    assert.equal((await sealAll(codec, Buffer.alloc(0), 3)).ids.length, 0)
  })
})

test('a view of a shared buffer is copied, never torn from its owner', async () => {
  await withWorkers(1, async (codec) => {
    const shared = new Uint8Array(300_000).fill(7)
    const half = shared.subarray(0, 150_000)
    await codec.seal(keys, { bytes: half, p: new Uint8Array(32) }, 0)
    assert.equal(shared.length, 300_000)
    assert.equal(half[149_999], 7)
  })
})

test('errors of a thread arrive with their code', async () => {
  await withWorkers(1, async (codec) => {
    const { ref, sealed } = await codec.seal(keys, { bytes: randomBytes(100_000), p: new Uint8Array(32) }, 0)
    const broken = new Uint8Array(sealed)
    broken[100]! ^= 1
    await assert.rejects(codec.open(ref, new Uint8Array(broken) as VerifiedBytes), { code: 'CHUNK_INVALID' })
    await assert.rejects(codec.verify(ref.id, broken, 'peer A'), { code: 'CHUNK_DAMAGED', message: /peer A/ })
  })
})

test('a reader who stops early, or whose source fails, leaves nothing behind', async () => {
  await withWorkers(1, async (codec) => {
    for await (const chunk of codec.cut(keys, pieces(randomBytes(4_000_000), 65_536))) {
      assert.ok(chunk.bytes.length > 0)
      break
    }
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield randomBytes(1_000_000)
      throw new Error('the source is gone')
    }
    await assert.rejects(Array.fromAsync(codec.cut(keys, failing())), /the source is gone/)
    const cut: Chunk[] = await Array.fromAsync(codec.cut(keys, pieces(randomBytes(700_000), 9_999)))
    assert.equal(
      cut.reduce((sum, { bytes }) => sum + bytes.length, 0),
      700_000,
    )
  })
})

test('work that a closed codec had under way is refused, not forgotten', async () => {
  const codec = new WorkerCodec({ threads: 1 })
  const sealing = codec.seal(keys, { bytes: randomBytes(1_000_000), p: new Uint8Array(32) }, 0)
  const refused = assert.rejects(sealing, { code: 'INTERNAL' })
  await codec.close()
  await refused
})

test('threads make the shards that the calling thread makes, and put chunks together', async () => {
  const chunk = randomBytes(700_000)
  const scheme = { k: 4, m: 2 }
  const inline = await new InlineCodec().shard(new Uint8Array(chunk) as VerifiedBytes, scheme)
  const id = hashHex(chunk) as ChunkId
  await withWorkers(2, async (codec) => {
    const shards = await codec.shard(new Uint8Array(chunk) as VerifiedBytes, scheme)
    assert.deepEqual(
      shards.map((shard) => shard.id),
      inline.map((shard) => shard.id),
    )
    const pieces = shards.map(({ bytes }, place) => ({ place, bytes: new Uint8Array(bytes) })).slice(2)
    const wrong = pieces.map(({ bytes }, place) => ({ place, bytes: new Uint8Array(bytes) }))
    const back = await codec.join(id, chunk.length, scheme, pieces)
    assert.ok(Buffer.from(back).equals(chunk))
    await assert.rejects(codec.join(id, chunk.length, scheme, wrong), { code: 'CHUNK_DAMAGED' })
  })
})
