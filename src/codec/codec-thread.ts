/** One codec worker thread: takes jobs as messages, answers each with its result or error. */
import { isMainThread, parentPort, workerData, type Transferable } from 'node:worker_threads'
import { asPeerStorError, type ErrorCode, type ErrorData } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import type {
  Chunk,
  ChunkRef,
  CompressionLevel,
  FolderKeys,
  SealedChunk,
  Shard,
  VerifiedBytes,
} from './codec.ts'
import { Cutter, cutSizes } from './cut.ts'
import { free, markOwned, sendOwn, small } from '../base/handover.ts'
import { chunkOf, joinShards, openData, sealData, shardsOf } from './inline-codec.ts'
import { verifyChunk } from './seal.ts'
import type { ShardPiece, ShardScheme } from './shards.ts'

/** Folder keys travel once to each thread; jobs then name them. */
export type KeysName = string

export type Job =
  | { kind: 'keys'; name: KeysName; keys: FolderKeys }
  | { kind: 'forget' }
  | {
      kind: 'cut'
      stream: number
      keys: KeysName
      size: number | undefined
      /** Seals what was cut; undefined: not. */
      compression: CompressionLevel | undefined
      pieces: Uint8Array[]
      end: boolean
    }
  | { kind: 'drop'; stream: number }
  | { kind: 'seal'; keys: KeysName; chunk: Chunk; compression: CompressionLevel }
  | { kind: 'verify'; id: ChunkId; bytes: Uint8Array; source: string }
  | { kind: 'open'; ref: ChunkRef; bytes: Uint8Array; keys: KeysName | undefined }
  | { kind: 'shard'; bytes: Uint8Array; scheme: ShardScheme }
  | { kind: 'join'; id: ChunkId; length: number; scheme: ShardScheme; pieces: ShardPiece[] }

export interface Results {
  keys: undefined
  forget: undefined
  cut: (Chunk | SealedChunk)[]
  drop: undefined
  seal: SealedChunk
  verify: VerifiedBytes
  open: { bytes: Uint8Array; p?: Uint8Array }
  shard: Shard[]
  join: VerifiedBytes
}

export interface JobMessage {
  number: number
  job: Job
}

export type AnswerMessage =
  | { number: number; result: Results[Job['kind']] }
  | { number: number; error: { code: ErrorCode; data: ErrorData } }

let running = false

/** Makes this thread a codec worker, when it was started as one. */
export function runCodecWorker(): void {
  const role = (workerData as { role?: string } | null)?.role
  if (isMainThread || running || role !== 'codec') return
  running = true
  const port = parentPort!
  const desk = new Desk()
  port.on('message', ({ number, job }: JobMessage) => {
    const transfer: Transferable[] = []
    try {
      port.postMessage({ number, result: desk.do(job, transfer) } satisfies AnswerMessage, transfer)
    } catch (thrown) {
      const { code, data } = asPeerStorError(thrown)
      port.postMessage({ number, error: { code, data } } satisfies AnswerMessage)
    }
  })
}

/** Does the jobs of one thread; its chunk buffers come back when their chunks are sealed. */
class Desk {
  readonly #keys = new Map<KeysName, FolderKeys>()
  readonly #cutters = new Map<number, Cutter>()
  readonly #spare: Uint8Array[] = []

  do(job: Job, transfer: Transferable[]): Results[Job['kind']] {
    if (job.kind === 'cut') return this.#cut(job, transfer)
    if (job.kind === 'seal') return this.#seal(job, transfer)
    if (job.kind === 'verify') return sendOwn(verifyChunk(job.id, job.bytes, job.source), transfer)
    if (job.kind === 'open') return this.#open(job, transfer)
    if (job.kind === 'shard') return this.#shard(job, transfer)
    if (job.kind === 'join') return this.#join(job, transfer)
    if (job.kind === 'keys') this.#keys.set(job.name, job.keys)
    else if (job.kind === 'drop') this.#cutters.delete(job.stream)
    else this.#keys.clear()
    return undefined
  }

  #cut(job: Job & { kind: 'cut' }, transfer: Transferable[]): (Chunk | SealedChunk)[] {
    const keys = this.#keys.get(job.keys)!
    let cutter = this.#cutters.get(job.stream)
    if (cutter === undefined) {
      cutter = new Cutter(keys, cutSizes(job.size), (bytes) => this.#take(bytes))
      this.#cutters.set(job.stream, cutter)
    }
    const cut: Uint8Array[] = []
    for (const piece of job.pieces) {
      cut.push(...cutter.push(piece))
      free(piece)
    }
    if (job.end) {
      const last = cutter.end()
      if (last !== undefined) cut.push(last)
      this.#cutters.delete(job.stream)
    }
    return cut.map((bytes) => {
      const { p } = chunkOf(keys, bytes)
      if (job.compression === undefined) return { bytes: sendOwn(bytes, transfer), p: small(p) }
      return this.#sealed(keys, { bytes, p }, job.compression, transfer)
    })
  }

  #seal(job: Job & { kind: 'seal' }, transfer: Transferable[]): SealedChunk {
    return this.#sealed(this.#keys.get(job.keys)!, job.chunk, job.compression, transfer)
  }

  #sealed(
    keys: FolderKeys,
    chunk: Chunk,
    compression: CompressionLevel,
    transfer: Transferable[],
  ): SealedChunk {
    const { ref, p, sealed } = sealData(keys, chunk, compression)
    this.#giveBack(chunk.bytes)
    return { ref: { ...ref, ck: small(ref.ck) }, p: small(p), sealed: sendOwn(sealed, transfer) }
  }

  #open(job: Job & { kind: 'open' }, transfer: Transferable[]): Results['open'] {
    const keys = job.keys === undefined ? undefined : this.#keys.get(job.keys)!
    const opened = openData(job.ref, job.bytes as VerifiedBytes, keys)
    free(job.bytes)
    const { p } = opened
    const bytes = sendOwn(opened.bytes, transfer)
    return p === undefined ? { bytes } : { bytes, p: small(p) }
  }

  #shard({ bytes, scheme }: Job & { kind: 'shard' }, transfer: Transferable[]): Shard[] {
    const shards = shardsOf(bytes, scheme)
    free(bytes)
    return shards.map((shard) => ({ ...shard, bytes: sendOwn(shard.bytes, transfer) }))
  }

  #join(job: Job & { kind: 'join' }, transfer: Transferable[]): VerifiedBytes {
    const chunk = joinShards(job.id, job.length, job.scheme, job.pieces)
    for (const { bytes } of job.pieces) free(bytes)
    return sendOwn(chunk, transfer)
  }

  #take(bytes: number): Uint8Array {
    const spare = bytes <= limits.chunkMax ? this.#spare.pop() : undefined
    return spare ?? new Uint8Array(Buffer.allocUnsafeSlow(Math.max(bytes, limits.chunkMax)).buffer)
  }

  #giveBack(bytes: Uint8Array): void {
    if (bytes.buffer.byteLength === limits.chunkMax && this.#spare.length < sparesMax)
      this.#spare.push(new Uint8Array(bytes.buffer))
    else free(markOwned(bytes))
  }
}

const sparesMax = 8
