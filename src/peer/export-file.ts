/**
 * The file of `export`: what makes a device that device, without the content that others keep. Its bytes
 * are in docs/FORMAT.md. Reading checks all of it against its last 32 bytes before anything is used.
 */
import { createReadStream } from 'node:fs'
import { z } from 'zod'
import { asPeerStorError, fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { RunningHash } from '../codec/hash.ts'

/** What an export says of itself. `onlyHere`: files whose content no other device keeps. */
export const exportHead = z.looseObject({
  pool: z.string(),
  device: z.string(),
  made: z.string(),
  version: z.string(),
  batches: z.int().min(0),
  onlyHere: z.int().min(0),
})
export type ExportHead = z.output<typeof exportHead>

/** Home-relative names of the files that an export holds. */
export const exportedFiles = ['keys/peer.key', 'keys/pool.json', 'config.toml'] as const
export type ExportedFile = (typeof exportedFiles)[number]

export type ExportPart =
  | { part: 'head'; head: ExportHead }
  | { part: 'file'; name: ExportedFile; bytes: Uint8Array }
  | { part: 'batch'; bytes: Uint8Array }
  | { part: 'statement'; bytes: Uint8Array }

const magic = Buffer.from('PSEXPT01')
const kinds = { head: 1, file: 2, batch: 3, end: 4, statement: 5 } as const
const hashBytes = 32

/** The bytes of a file, in order; `parts` begin with the head. */
export async function* writeExport(parts: AsyncIterable<ExportPart>): AsyncGenerator<Uint8Array> {
  const hash = new RunningHash()
  const hashed = (bytes: Uint8Array): Uint8Array => {
    hash.add(bytes)
    return bytes
  }
  yield hashed(magic)
  for await (const part of parts) yield hashed(frameOf(part))
  const end = hashed(frame(kinds.end, Buffer.alloc(0)))
  yield Buffer.concat([end, hash.digest()])
}

function frameOf(part: ExportPart): Buffer {
  if (part.part === 'head') return frame(kinds.head, Buffer.from(JSON.stringify(part.head)))
  if (part.part !== 'file') return frame(kinds[part.part], part.bytes)
  return frame(kinds.file, Buffer.concat([Buffer.from([exportedFiles.indexOf(part.name)]), part.bytes]))
}

function frame(kind: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(kind)
  header.writeUInt32LE(payload.length, 4)
  return Buffer.concat([header, payload])
}

/** The parts of a file that was read to its end before and found whole (`checkExport`); `EXPORT_INVALID`. */
export async function* readExport(path: string): AsyncGenerator<ExportPart> {
  for await (const { kind, payload } of framesOf(path)) {
    const part = partOf(path, kind, payload)
    if (part !== undefined) yield part
  }
}

/** Reads all of it: `EXPORT_INVALID` unless it is whole and unchanged. Gives its head. */
export async function checkExport(path: string): Promise<ExportHead> {
  const hash = new RunningHash().add(magic)
  let head: ExportHead | undefined
  let ended = false
  for await (const { kind, payload, bytes } of framesOf(path)) {
    if (ended) throw invalid(path, 'something follows its end')
    hash.add(kind === kinds.end ? bytes.subarray(0, bytes.length - hashBytes) : bytes)
    ended = kind === kinds.end
    if (ended && !hash.digest().equals(payload)) throw invalid(path, 'its bytes were changed')
    const part = partOf(path, kind, payload)
    if (part?.part === 'head') head ??= part.head
  }
  if (!ended || head === undefined) throw invalid(path, 'it is not whole')
  return head
}

interface Frame {
  kind: number
  /** Of the end: the hash behind it. */
  payload: Buffer
  bytes: Buffer
}

async function* framesOf(path: string): AsyncGenerator<Frame> {
  const source = new Pieces(path)
  if (!(await source.take(magic.length))?.equals(magic)) throw invalid(path, 'it is no export of PeerStor')
  for (;;) {
    const header = await source.take(8)
    if (header === undefined) return
    const kind = header.readUInt32LE()
    const length = kind === kinds.end ? hashBytes : header.readUInt32LE(4)
    if (length > limits.batchBytes) throw invalid(path, 'a part is too long')
    const payload = await source.take(length)
    if (payload === undefined) throw invalid(path, 'it is not whole')
    yield { kind, payload, bytes: Buffer.concat([header, payload]) }
  }
}

/** Unknown kinds are left out: a later program may write more. */
function partOf(path: string, kind: number, payload: Buffer): ExportPart | undefined {
  if (kind === kinds.batch) return { part: 'batch', bytes: payload }
  if (kind === kinds.statement) return { part: 'statement', bytes: payload }
  if (kind === kinds.head) return { part: 'head', head: headIn(path, payload) }
  const name = kind === kinds.file ? exportedFiles[payload[0] ?? 255] : undefined
  return name && { part: 'file', name, bytes: payload.subarray(1) }
}

function headIn(path: string, payload: Buffer): ExportHead {
  try {
    return exportHead.parse(JSON.parse(payload.toString('utf8')))
  } catch (thrown) {
    throw invalid(path, 'its head is damaged', thrown)
  }
}

/** A file read in pieces as long as they are asked for. */
class Pieces {
  readonly #path: string
  readonly #source: AsyncIterator<Buffer>
  #left: Buffer = Buffer.alloc(0)

  constructor(path: string) {
    this.#path = path
    this.#source = createReadStream(path)[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /** Undefined at the end of the file; `EXPORT_INVALID` when it ends in between. */
  async take(length: number): Promise<Buffer | undefined> {
    if (this.#left.length >= length) {
      const taken = this.#left.subarray(0, length)
      this.#left = this.#left.subarray(length)
      return taken
    }
    const pieces = [this.#left]
    let have = this.#left.length
    while (have < length) {
      const next = await this.#next()
      if (next === undefined) break
      pieces.push(next)
      have += next.length
    }
    const all = Buffer.concat(pieces)
    if (have < length && have > 0) throw invalid(this.#path, 'it is not whole')
    if (have < length) return undefined
    this.#left = all.subarray(length)
    return all.subarray(0, length)
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const { value, done } = await this.#source.next()
      return done === true ? undefined : value
    } catch (thrown) {
      throw invalid(this.#path, asPeerStorError(thrown).message, thrown)
    }
  }
}

function invalid(path: string, reason: string, cause?: unknown): PeerStorError {
  return fail('EXPORT_INVALID', { path, reason }, cause)
}
