/**
 * CPU seconds per GiB of the codec, stage by stage, on one thread: `node bench/codec.ts [MiB]`.
 * Lines of JSON follow the table. Random data (nothing to compress) and text (everything).
 */
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { limits } from '../src/base/limits.ts'
import { idOf, type FolderId } from '../src/base/words.ts'
import type { Chunk, Codec, SealedChunk, VerifiedBytes } from '../src/codec/codec.ts'
import { compress, looksCompressible } from '../src/codec/compress.ts'
import { Cutter, cutSizes } from '../src/codec/cut.ts'
import { folderKeys } from '../src/codec/folder-keys.ts'
import { hash } from '../src/codec/hash.ts'
import { chunkOf, InlineCodec, openData, sealData } from '../src/codec/inline-codec.ts'
import { contentHash, verifyChunk } from '../src/codec/seal.ts'
import { WorkerCodec } from '../src/codec/worker-codec.ts'

const MiB = 1024 * 1024
const bytesTotal = Number(process.argv[2] ?? 512) * MiB
const pieceBytes = 64 * 1024
const rounds = 5
const keys = folderKeys(idOf<FolderId>(Buffer.alloc(32, 1)), Buffer.alloc(32, 2), Buffer.alloc(32, 3))

/** 64 MiB, read again and again: a buffer larger than the caches, as a file's would be. */
const sources = { random: randomBytes(64 * MiB), text: textBytes(64 * MiB) }

function textBytes(length: number): Buffer {
  const words = Array.from({ length: 4000 }, () => randomBytes(5).toString('base64url'))
  let text = ''
  while (text.length < length / 16) text += `${words[Math.floor(Math.random() * words.length)]} `
  return Buffer.alloc(length, text)
}

function* piecesOf(source: Buffer): Generator<Uint8Array> {
  for (let done = 0; done < bytesTotal; done += pieceBytes) {
    const at = done % source.length
    yield source.subarray(at, at + pieceBytes)
  }
}

interface Result {
  stage: string
  data: string
  cpuSecondsPerGiB: number
  megabytesPerSecond: number
}

const results: Result[] = []

/** Median of CPU seconds over `rounds` runs, after one that warms up. */
function measure(stage: string, data: string, bytes: number, run: () => void): void {
  const seconds: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const start = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(start)
    if (round > 0) seconds.push((user + system) / 1e6)
  }
  report(stage, data, bytes, seconds.sort((a, b) => a - b)[rounds >> 1]!)
}

function report(stage: string, data: string, bytes: number, seconds: number): void {
  const cpuSecondsPerGiB = Number(((seconds / bytes) * 1024 * MiB).toFixed(3))
  results.push({ stage, data, cpuSecondsPerGiB, megabytesPerSecond: Math.round(bytes / seconds / 1e6) })
}

function cutAll(source: Buffer): Uint8Array[] {
  const chunks: Uint8Array[] = []
  const cutter = new Cutter(keys, cutSizes())
  for (let at = 0; at < source.length; at += pieceBytes)
    chunks.push(...cutter.push(source.subarray(at, at + pieceBytes)))
  const last = cutter.end()
  return last === undefined ? chunks : [...chunks, last]
}

function stages(data: 'random' | 'text'): void {
  const source = sources[data]
  const total = source.length
  const chunks = cutAll(source).map((bytes) => chunkOf(keys, bytes))
  const raw: SealedChunk[] = chunks.map((chunk) => sealData(keys, chunk, 0))
  const packed: SealedChunk[] = chunks.map((chunk) => sealData(keys, chunk, 1))
  const each =
    <T>(items: readonly T[], run: (item: T) => void) =>
    (): void =>
      items.forEach(run)
  measure('cut', data, total, () => cutAll(source).length)
  measure(
    'p',
    data,
    total,
    each(chunks, ({ bytes }) => contentHash(keys, bytes)),
  )
  measure(
    'compress decision',
    data,
    total,
    each(chunks, ({ bytes }) => looksCompressible(bytes)),
  )
  measure(
    'compress zstd-1',
    data,
    total,
    each(chunks, ({ bytes }) => compress(bytes, 1)),
  )
  measure(
    'seal, uncompressed (encrypt, id)',
    data,
    total,
    each(chunks, (chunk) => sealData(keys, chunk, 0)),
  )
  measure(
    'seal, level 1 (+ compress, q)',
    data,
    total,
    each(chunks, (chunk) => sealData(keys, chunk, 1)),
  )
  measure(
    'id',
    data,
    total,
    each(raw, ({ sealed }) => hash(sealed)),
  )
  measure(
    'verify',
    data,
    total,
    each(packed, ({ ref, sealed }) => verifyChunk(ref.id, sealed, 'bench')),
  )
  measure(
    'open',
    data,
    total,
    each(packed, ({ ref, sealed }) => openData(ref, sealed as Uint8Array as VerifiedBytes)),
  )
  measure('cut + p + seal, level 0', data, total, () =>
    cutAll(source).forEach((bytes) => sealData(keys, chunkOf(keys, bytes), 0)),
  )
}

/** 10 KB files, one chunk each: microseconds, not per GiB. */
function smallFiles(): void {
  const count = 2000
  const files: Chunk[] = Array.from({ length: count }, () => chunkOf(keys, randomBytes(10_000)))
  measure('10 KB files: p + seal, level 1', 'random', count * 10_000, () =>
    files.forEach(({ bytes }) => sealData(keys, chunkOf(keys, bytes), 1)),
  )
}

async function stream(name: string, codec: Codec, data: 'random' | 'text'): Promise<void> {
  const source = sources[data]
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const piece of piecesOf(source)) yield new Uint8Array(piece)
  }
  const start = process.cpuUsage()
  const began = performance.now()
  const underWay = new Set<Promise<unknown>>()
  for await (const chunk of codec.cut(keys, pieces())) {
    const sealing: Promise<unknown> = codec.seal(keys, chunk, 1).then(() => underWay.delete(sealing))
    underWay.add(sealing)
    if (underWay.size >= 8) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  const { user, system } = process.cpuUsage(start)
  report(`${name}: cut + seal, CPU`, data, bytesTotal, (user + system) / 1e6)
  report(`${name}: cut + seal, wall`, data, bytesTotal, (performance.now() - began) / 1000)
  await codec.close()
}

stages('random')
stages('text')
smallFiles()
for (const data of ['random', 'text'] as const) {
  await stream('inline', new InlineCodec(), data)
  await stream(`${Math.max(1, availableParallelism() - 1)} thread(s)`, new WorkerCodec(), data)
}
console.table(results)
for (const result of results) console.log(JSON.stringify(result))
console.log(
  JSON.stringify({ chunkNormal: limits.chunkNormal, rssMiB: Math.round(process.memoryUsage().rss / MiB) }),
)
