/**
 * The codec on worker threads. A stream is cut on one thread; sealing, verifying and opening go to
 * the least busy one; small jobs run here. Threads start when first needed, from the program's own
 * file: its entry calls `runCodecWorker`; run unbundled, this file is that entry.
 */
import { availableParallelism } from 'node:os'
import { Worker, type Transferable } from 'node:worker_threads'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import { runCodecWorker, type AnswerMessage, type Job, type Results } from './codec-thread.ts'
import type {
  Chunk,
  ChunkRef,
  Codec,
  CompressionLevel,
  CutOptions,
  FolderKeys,
  SealedChunk,
  Shard,
  VerifiedBytes,
} from './codec.ts'
import { handOver, markOwned, small } from '../base/handover.ts'
import { hashHex } from './hash.ts'
import { InlineCodec } from './inline-codec.ts'
import type { ShardPiece, ShardScheme } from './shards.ts'

export interface WorkerCodecOptions {
  /** Default: one less than the cores, at least one. */
  threads?: number | undefined
}

/** Bytes of a stream handed to its thread at once; two such blocks are under way. */
const blockBytes = 1024 * 1024
const blocksUnderWay = 2

export class WorkerCodec implements Codec {
  readonly #inline = new InlineCodec()
  readonly #threads: CodecThread[]
  #streams = 0

  constructor(options: WorkerCodecOptions = {}) {
    const count = options.threads ?? Math.max(1, availableParallelism() - 1)
    this.#threads = Array.from({ length: count }, () => new CodecThread())
  }

  async *cut(
    keys: FolderKeys,
    source: AsyncIterable<Uint8Array>,
    options: CutOptions = {},
  ): AsyncGenerator<Chunk> {
    yield* this.cutAndSeal(keys, source, () => undefined, options) as AsyncGenerator<Chunk>
  }

  async *cutAndSeal(
    keys: FolderKeys,
    source: AsyncIterable<Uint8Array>,
    compression: () => CompressionLevel | undefined,
    options: CutOptions = {},
  ): AsyncGenerator<Chunk | SealedChunk> {
    const blocks = blocksOf(source, options.signal)
    const first = await blocks.next()
    if (first.done === true) return
    if (first.value.end && first.value.bytes < limits.codecInline)
      yield* this.#inline.cut(keys, ofArray(first.value.pieces))
    else yield* this.#cutOnThread(keys, first.value, blocks, compression, options.size)
  }

  seal(keys: FolderKeys, chunk: Chunk, compression: CompressionLevel): Promise<SealedChunk> {
    if (chunk.bytes.length < limits.codecInline) return this.#inline.seal(keys, chunk, compression)
    return this.#leastBusy().run(chunk.bytes.length, keys, (name, transfer) => ({
      kind: 'seal',
      keys: name!,
      chunk: { bytes: handOver(chunk.bytes, transfer), p: small(chunk.p) },
      compression,
    }))
  }

  verify(id: ChunkId, bytes: Uint8Array, source: string): Promise<VerifiedBytes> {
    if (bytes.length < limits.codecInline) return this.#inline.verify(id, bytes, source)
    return this.#leastBusy().run(bytes.length, undefined, (_, transfer) => ({
      kind: 'verify',
      id,
      bytes: handOver(bytes, transfer),
      source,
    }))
  }

  open(
    ref: ChunkRef,
    bytes: VerifiedBytes,
    keys?: FolderKeys,
  ): Promise<{ bytes: Uint8Array; p?: Uint8Array }> {
    if (bytes.length < limits.codecInline) return this.#inline.open(ref, bytes, keys)
    return this.#leastBusy().run(bytes.length, keys, (name, transfer) => ({
      kind: 'open',
      ref: { ...ref, ck: small(ref.ck) },
      bytes: handOver(bytes, transfer),
      keys: name,
    }))
  }

  shard(bytes: VerifiedBytes, scheme: ShardScheme): Promise<Shard[]> {
    if (bytes.length < limits.codecInline) return this.#inline.shard(bytes, scheme)
    return this.#leastBusy().run(bytes.length, undefined, (_, transfer) => ({
      kind: 'shard',
      bytes: handOver(bytes, transfer),
      scheme,
    }))
  }

  join(
    id: ChunkId,
    length: number,
    scheme: ShardScheme,
    pieces: readonly ShardPiece[],
  ): Promise<VerifiedBytes> {
    if (length < limits.codecInline) return this.#inline.join(id, length, scheme, pieces)
    return this.#leastBusy().run(length, undefined, (_, transfer) => ({
      kind: 'join',
      id,
      length,
      scheme,
      pieces: pieces.map(({ place, bytes }) => ({ place, bytes: handOver(bytes, transfer) })),
    }))
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }

  async *#cutOnThread(
    keys: FolderKeys,
    first: Block,
    rest: AsyncIterable<Block>,
    compression: () => CompressionLevel | undefined,
    size: number | undefined,
  ): AsyncGenerator<Chunk | SealedChunk> {
    const thread = this.#leastBusy()
    const stream = ++this.#streams
    const underWay: Promise<(Chunk | SealedChunk)[]>[] = []
    let ended = false
    try {
      for await (const block of prepend(first, rest)) {
        const chunks = thread.run(block.bytes, keys, (name, transfer) => {
          ended = block.end
          const pieces = block.pieces.map((piece) => handOver(piece, transfer))
          const job = { kind: 'cut', stream, keys: name!, size, pieces, end: block.end } as const
          return { ...job, compression: compression() }
        })
        chunks.catch(() => undefined)
        underWay.push(chunks)
        if (underWay.length >= blocksUnderWay) yield* await underWay.shift()!
      }
      for (const chunks of underWay) yield* await chunks
    } finally {
      if (!ended) thread.run(0, undefined, () => ({ kind: 'drop', stream })).catch(() => undefined)
    }
  }

  #leastBusy(): CodecThread {
    return this.#threads.reduce((least, thread) => (thread.load < least.load ? thread : least))
  }
}

interface Block {
  pieces: Uint8Array[]
  bytes: number
  end: boolean
}

/** Gathers a source's pieces into blocks; the last one says so. An empty source has none. */
async function* blocksOf(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Block> {
  let block: Block = { pieces: [], bytes: 0, end: false }
  for await (const piece of source) {
    signal?.throwIfAborted()
    if (block.bytes >= blockBytes) {
      yield block
      block = { pieces: [], bytes: 0, end: false }
    }
    block.pieces.push(piece)
    block.bytes += piece.length
  }
  if (block.bytes > 0) yield { ...block, end: true }
}

async function* prepend<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first
  yield* rest
}

async function* ofArray<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

interface Waiting {
  resolve: (result: never) => void
  reject: (error: unknown) => void
  bytes: number
}

/** More folders than this in use at once are sent again. */
const keysMax = 256

/** The near side of one worker thread. Starts it when first used, and again after it died. */
class CodecThread {
  /** Bytes handed over and not answered. */
  load = 0
  #worker: Worker | undefined
  #number = 0
  readonly #waiting = new Map<number, Waiting>()
  readonly #keys = new Set<string>()

  /** Runs one job of `bytes` weight; `build` gets the name of `keys` on the thread. */
  async run<J extends Job>(
    bytes: number,
    keys: FolderKeys | undefined,
    build: (name: string | undefined, transfer: Transferable[]) => J,
  ): Promise<Results[J['kind']]> {
    const name = keys === undefined ? undefined : this.#teach(keys)
    const transfer: Transferable[] = []
    return this.#send(build(name, transfer), bytes, transfer)
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #teach(keys: FolderKeys): string {
    const name = nameOf(keys)
    if (this.#keys.has(name)) return name
    if (this.#keys.size >= keysMax) this.#forget()
    this.#keys.add(name)
    const { folder, epoch, dedup, gear, hash, kdf } = keys
    const copy = { folder, epoch, dedup: small(dedup), gear: small(gear), hash: small(hash), kdf: small(kdf) }
    void this.#send({ kind: 'keys', name, keys: copy }, 0, []).catch(() => undefined)
    return name
  }

  #forget(): void {
    this.#keys.clear()
    void this.#send({ kind: 'forget' }, 0, []).catch(() => undefined)
  }

  #send<J extends Job>(job: J, bytes: number, transfer: Transferable[]): Promise<Results[J['kind']]> {
    const worker = (this.#worker ??= this.#start())
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject, bytes })
      this.load += bytes
      if (this.#waiting.size === 1) worker.ref()
      worker.postMessage({ number, job }, transfer)
    })
  }

  #start(): Worker {
    const worker = new Worker(new URL(import.meta.url), { workerData: { role: 'codec' } })
    worker.on('message', (answer: AnswerMessage) => this.#settle(worker, answer))
    worker.on('error', (error) => this.#died(worker, error))
    worker.on('exit', () => this.#died(worker, undefined))
    return worker
  }

  #settle(worker: Worker, answer: AnswerMessage): void {
    const waiting = this.#waiting.get(answer.number)!
    this.#waiting.delete(answer.number)
    this.load -= waiting.bytes
    if (this.#waiting.size === 0) worker.unref()
    if ('error' in answer) waiting.reject(fail(answer.error.code, answer.error.data))
    else waiting.resolve(owned(answer.result) as never)
  }

  #died(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#keys.clear()
    this.load = 0
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting)
      reject(fail('INTERNAL', { reason: 'a codec thread ended before its work was done' }, cause))
  }
}

/** Chunks arrive in buffers larger than themselves; marking them lets them go on without a copy. */
function owned(result: Results[Job['kind']]): Results[Job['kind']] {
  if (Array.isArray(result)) for (const part of result) markOwned('sealed' in part ? part.sealed : part.bytes)
  else if (result instanceof Uint8Array) markOwned(result)
  else if (result !== undefined && 'bytes' in result) markOwned(result.bytes)
  return result
}

const names = new WeakMap<FolderKeys, string>()

function nameOf(keys: FolderKeys): string {
  let name = names.get(keys)
  if (name === undefined) names.set(keys, (name = hashHex(keys.dedup, keys.gear, keys.hash, keys.kdf)))
  return name
}

runCodecWorker()
