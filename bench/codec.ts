/**
 * The codec stage by stage, on one thread, and a whole stream inline and on threads; each with its CPU
 * seconds per GiB. Random data has nothing to compress, text everything.
 */
import { limits } from '../src/base/limits.ts'
import { systemRandom } from '../src/base/random.ts'
import { idOf, type FolderId } from '../src/base/words.ts'
import type { Codec, VerifiedBytes } from '../src/codec/codec.ts'
import { compress, looksCompressible } from '../src/codec/compress.ts'
import { Cutter, cutSizes } from '../src/codec/cut.ts'
import { folderKeys } from '../src/codec/folder-keys.ts'
import { hash } from '../src/codec/hash.ts'
import { chunkOf, InlineCodec, openData, sealData } from '../src/codec/inline-codec.ts'
import { contentHash, verifyChunk } from '../src/codec/seal.ts'
import { WorkerCodec } from '../src/codec/worker-codec.ts'
import type { Contender, Workload } from './harness.ts'

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const stageBytes = 64 * MiB
const streamBytes = 512 * MiB
const pieceBytes = 64 * 1024
const keys = folderKeys(idOf<FolderId>(Buffer.alloc(32, 1)), Buffer.alloc(32, 2), Buffer.alloc(32, 3))

type Data = 'random' | 'text'

function sample(data: Data): Buffer {
  if (data === 'random') return systemRandom.bytes(stageBytes)
  const words = Array.from({ length: 4000 }, () => systemRandom.bytes(5).toString('base64url'))
  let text = ''
  while (text.length < stageBytes / 16) text += `${words[Math.floor(systemRandom.number() * words.length)]} `
  return Buffer.alloc(stageBytes, text)
}

/** One round of a stage, with the CPU seconds that a GiB would take. */
function stage(name: string, bytes: number, run: () => unknown): Contender {
  return {
    name,
    run: async () => {
      const start = process.cpuUsage()
      await run()
      const { user, system } = process.cpuUsage(start)
      return { cpuSecondsPerGiB: ((user + system) / 1e6 / bytes) * GiB }
    },
  }
}

function cutAll(source: Buffer): Uint8Array[] {
  const chunks: Uint8Array[] = []
  const cutter = new Cutter(keys, cutSizes())
  for (let at = 0; at < source.length; at += pieceBytes)
    chunks.push(...cutter.push(source.subarray(at, at + pieceBytes)))
  const last = cutter.end()
  return last === undefined ? chunks : [...chunks, last]
}

function stages(data: Data): Contender[] {
  const source = sample(data)
  const chunks = cutAll(source).map((bytes) => chunkOf(keys, bytes))
  const sealed = chunks.map((chunk) => sealData(keys, chunk, 1))
  const each = <T>(name: string, items: readonly T[], run: (item: T) => unknown): Contender =>
    stage(name, stageBytes, () => items.forEach(run))
  return [
    each('p', chunks, ({ bytes }) => contentHash(keys, bytes)),
    stage('cut', stageBytes, () => cutAll(source)),
    each('compress decision', chunks, ({ bytes }) => looksCompressible(bytes)),
    each('compress', chunks, ({ bytes }) => compress(bytes, 1)),
    each('seal raw (encrypt, id)', chunks, (chunk) => sealData(keys, chunk, 0)),
    each('seal (compress, q, encrypt, id)', chunks, (chunk) => sealData(keys, chunk, 1)),
    each('id', sealed, (chunk) => hash(chunk.sealed)),
    each('verify', sealed, (chunk) => verifyChunk(chunk.ref.id, chunk.sealed, 'bench')),
    each('open', sealed, (chunk) => openData(chunk.ref, chunk.sealed as Uint8Array as VerifiedBytes)),
    stage('cut, p, seal raw', stageBytes, () =>
      cutAll(source).forEach((bytes) => sealData(keys, chunkOf(keys, bytes), 0)),
    ),
  ]
}

async function* piecesOf(source: Buffer): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < streamBytes; done += pieceBytes) {
    const at = done % source.length
    yield new Uint8Array(source.subarray(at, at + pieceBytes))
  }
}

/** Cuts and seals a stream as an upload does: some chunks sealed at once, the order kept. */
async function sealStream(codec: Codec, source: Buffer): Promise<void> {
  const underWay: Promise<unknown>[] = []
  for await (const chunk of codec.cut(keys, piecesOf(source))) {
    underWay.push(codec.seal(keys, chunk, 1))
    if (underWay.length >= 8) await underWay.shift()
  }
  await Promise.all(underWay)
}

function ofStages(data: Data): Workload {
  return {
    name: `codec-${data}`,
    about: `each stage of the codec on 64 MiB of ${data === 'random' ? 'random bytes' : 'text'}, one thread`,
    bytes: stageBytes,
    prepare: () => Promise.resolve({ contenders: stages(data) }),
  }
}

const ofStreams: Workload = {
  name: 'codec-stream',
  about: '512 MiB of random bytes cut and sealed as one stream, inline and on threads',
  bytes: streamBytes,
  prepare: () => {
    const source = sample('random')
    const workers = new WorkerCodec()
    return Promise.resolve({
      contenders: [
        stage('inline', streamBytes, () => sealStream(new InlineCodec(), source)),
        stage('threads', streamBytes, () => sealStream(workers, source)),
      ],
      close: () => workers.close(),
    })
  },
}

const smallFiles = 2000
const smallBytes = 10_000

const ofSmallFiles: Workload = {
  name: 'codec-small',
  about: `${smallFiles} files of 10 KB: p and seal, one chunk each (under ${limits.codecInline} bytes: inline)`,
  bytes: smallFiles * smallBytes,
  prepare: () => {
    const files = Array.from({ length: smallFiles }, () => systemRandom.bytes(smallBytes))
    const run = (): void => files.forEach((bytes) => sealData(keys, chunkOf(keys, bytes), 1))
    return Promise.resolve({ contenders: [stage('p, seal', smallFiles * smallBytes, run)] })
  },
}

export const workloads: Workload[] = [ofStages('random'), ofStages('text'), ofStreams, ofSmallFiles]
