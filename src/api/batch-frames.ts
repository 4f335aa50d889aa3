/**
 * The batch stream's framing (docs/FORMAT.md §batch stream), written by the command line and read by
 * the web face. A frame: u32 length of the header, the header as JSON, then `header.size` bytes of
 * content. A length of zero ends the stream; a stream that just stops was cut.
 */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { fileFacts } from './file-headers.ts'
import { filePath } from './inputs.ts'

const frameHeader = fileFacts.extend({
  path: filePath,
  size: z.number().int().min(0).max(limits.batchFileBytes),
})

export type FrameHeader = z.output<typeof frameHeader>

export interface Frame {
  header: FrameHeader
  content: Uint8Array<ArrayBuffer>
}

/** The frames of a byte stream; each content has memory of its own, which may be given away. */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  const reader = new ByteReader(source)
  for (;;) {
    const length = asBuffer(await reader.read(4)).readUInt32BE(0)
    if (length === 0) return
    if (length > limits.batchHeaderBytes) throw malformed(`a header of ${length} bytes`)
    const header = parseHeader(await reader.read(length))
    yield { header, content: await reader.read(header.size) }
  }
}

function parseHeader(bytes: Uint8Array): FrameHeader {
  const result = frameHeader.safeParse(parseJson(asBuffer(bytes).toString('utf8')))
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw malformed(`${issue?.path.join('.') ?? 'header'}: ${issue?.message ?? 'not valid'}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('a header is no JSON')
  }
}

const malformed = (reason: string): Error => fail('BAD_INPUT', { what: 'the batch stream', reason })

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Exact numbers of bytes from a stream of pieces. */
class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>
  #piece: Uint8Array = new Uint8Array(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]()
  }

  async read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    // Filled to its end before anybody sees it.
    const out = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      if (this.#piece.length === 0) this.#piece = await this.#next()
      const part = this.#piece.subarray(0, length - filled)
      out.set(part, filled)
      filled += part.length
      this.#piece = this.#piece.subarray(part.length)
    }
    return out
  }

  async #next(): Promise<Uint8Array> {
    const { done, value } = await this.#pieces.next()
    if (done === true) throw malformed('it ends without its end mark')
    return value
  }
}
