/** `multipart/byteranges` (RFC 9110 §14.6): several ranges of one file in one answer, its length known before. */
import type { ByteRange } from './conditions.ts'

export const contentRange = ({ first, last }: ByteRange, size: number): string =>
  `bytes ${first}-${last}/${size}`

export const lengthOf = ({ first, last }: ByteRange): number => last - first + 1

export class RangeParts {
  readonly #boundary: string
  readonly #type: string
  readonly #size: number

  /** @param boundary stands in no content, as far as chance goes */
  constructor(boundary: string, type: string, size: number) {
    this.#boundary = boundary
    this.#type = type
    this.#size = size
  }

  get contentType(): string {
    return `multipart/byteranges; boundary=${this.#boundary}`
  }

  /** Bytes of the whole answer. */
  length(ranges: readonly ByteRange[]): number {
    const parts = ranges.map((range) => this.#head(range).length + lengthOf(range))
    return parts.reduce((sum, part) => sum + part, this.#end().length)
  }

  async *bytes(
    ranges: readonly ByteRange[],
    read: (range: ByteRange) => AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    for (const range of ranges) {
      yield this.#head(range)
      yield* read(range)
    }
    yield this.#end()
  }

  #head(range: ByteRange): Buffer {
    return Buffer.from(
      `\r\n--${this.#boundary}\r\ncontent-type: ${this.#type}\r\ncontent-range: ${contentRange(range, this.#size)}\r\n\r\n`,
    )
  }

  #end(): Buffer {
    return Buffer.from(`\r\n--${this.#boundary}--\r\n`)
  }
}
