/**
 * Lengths in front of bytes: heads in requests, and the items of bulk bodies. Every length is checked
 * against a limit before anything is kept, and a chunk that arrives whole is not copied.
 */
import { fail } from '../base/errors.ts'
import { free } from '../base/handover.ts'

const nothing = new Uint8Array(0)

/**
 * Reads exact amounts from an iterable of bytes, whose pieces it is given: one that was copied out
 * whole is freed. Fails with `BAD_INPUT` or `TOO_LARGE`.
 */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #what: string
  #buffered: Uint8Array = nothing
  /** The piece that `#buffered` is the rest of, while nobody has a view of it. */
  #unseen: Uint8Array | undefined

  /** `what` names the stream in errors, as `the answer to chunks.get`. */
  constructor(source: AsyncIterable<Uint8Array>, what: string) {
    this.#source = source[Symbol.asyncIterator]()
    this.#what = what
  }

  /** Exactly `count` bytes; fails when the stream ends before. */
  async exactly(count: number): Promise<Buffer> {
    const bytes = await this.exactlyOrEnd(count)
    if (bytes === undefined) throw this.#cut(count)
    return bytes
  }

  /** Exactly `count` bytes, or nothing when the stream ended right here. */
  async exactlyOrEnd(count: number): Promise<Buffer | undefined> {
    if (this.#buffered.byteLength === 0 && count > 0 && !(await this.#more())) return undefined
    if (this.#buffered.byteLength >= count) return this.#take(count)
    const whole = Buffer.allocUnsafeSlow(count)
    let filled = 0
    while (filled < count) {
      if (this.#buffered.byteLength === 0 && !(await this.#more())) throw this.#cut(count - filled)
      filled += this.#copyTo(whole, filled)
    }
    return whole
  }

  /** Copies what is buffered and still fits; the number of bytes. */
  #copyTo(whole: Buffer, at: number): number {
    const part = this.#buffered.subarray(0, whole.byteLength - at)
    const { byteLength } = part
    whole.set(part, at)
    this.#buffered = this.#buffered.subarray(byteLength)
    if (this.#buffered.byteLength === 0) this.#forget()
    return byteLength
  }

  #forget(): void {
    this.#buffered = nothing
    if (this.#unseen !== undefined) free(this.#unseen)
    this.#unseen = undefined
  }

  /** A length of four bytes, little-endian, at most `limit`. */
  async length(limit: number): Promise<number> {
    return this.#checked((await this.exactly(4)).readUInt32LE(0), limit)
  }

  /** One frame, a length and that many bytes, or nothing when the stream ended right here. */
  async frame(limit: number): Promise<Buffer | undefined> {
    const prefix = await this.exactlyOrEnd(4)
    return prefix && (await this.exactly(this.#checked(prefix.readUInt32LE(0), limit)))
  }

  /** Whether nothing is left; waits for the next bytes or the end. */
  async ended(): Promise<boolean> {
    return this.#buffered.byteLength === 0 && !(await this.#more())
  }

  /** All that is left, as it arrives; more than `limit` bytes fail with `TOO_LARGE`. */
  async *rest(limit = Infinity): AsyncGenerator<Uint8Array, void, undefined> {
    let total = 0
    try {
      while (!(await this.ended())) {
        total += this.#buffered.byteLength
        if (total > limit) throw fail('TOO_LARGE', { what: this.#what, limit })
        yield this.#take(this.#buffered.byteLength)
      }
    } finally {
      await this.close()
    }
  }

  /** Gives up the rest. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #more(): Promise<boolean> {
    while (true) {
      const { done, value } = await this.#source.next()
      if (done === true) return false
      if (value.byteLength === 0) continue
      this.#buffered = value
      this.#unseen = value
      return true
    }
  }

  #take(count: number): Buffer {
    const { buffer, byteOffset } = this.#buffered
    const part = Buffer.from(buffer, byteOffset, count)
    this.#unseen = undefined
    this.#buffered = this.#buffered.subarray(count)
    return part
  }

  #checked(length: number, limit: number): number {
    if (length > limit) throw fail('TOO_LARGE', { what: this.#what, limit })
    return length
  }

  #cut(missing: number): Error {
    return fail('BAD_INPUT', { what: this.#what, reason: `it ended ${missing} bytes early` })
  }
}

/** The four bytes in front of a frame of `length` bytes. */
export function lengthPrefix(length: number): Buffer {
  const prefix = Buffer.allocUnsafe(4)
  prefix.writeUInt32LE(length)
  return prefix
}

/** Each item as a frame: its length, then its bytes. */
export async function* framed(
  items: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  for await (const item of items) {
    yield lengthPrefix(item.byteLength)
    yield Buffer.from(item.buffer, item.byteOffset, item.byteLength)
  }
}

/** The frames of a stream, each at most `limit` bytes. */
export async function* frames(
  source: AsyncIterable<Uint8Array>,
  limit: number,
  what: string,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source, what)
  try {
    for (let item = await reader.frame(limit); item; item = await reader.frame(limit)) yield item
  } finally {
    await reader.close()
  }
}
