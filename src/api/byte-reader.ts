/** Lines and counted bytes out of a stream of pieces, never more in memory than one line and one piece. */
import { fail } from '../base/errors.ts'

export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>
  #left: Uint8Array = new Uint8Array()

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]()
  }

  /** The next line without its end; `BAD_INPUT` when it is longer than `max` or the stream ends first. */
  async line(max: number): Promise<string> {
    const line = await this.lineOrEnd(max)
    if (line === undefined) throw broken('it ends too early')
    return line
  }

  /** The same; undefined when nothing is left. */
  async lineOrEnd(max: number): Promise<string | undefined> {
    let line = ''
    for (;;) {
      const end = this.#left.indexOf(10)
      const part = end === -1 ? this.#left : this.#left.subarray(0, end)
      if (line.length + part.length > max) throw broken(`a line in it is longer than ${max} bytes`)
      line += Buffer.from(part).toString('latin1')
      if (end !== -1) {
        this.#left = this.#left.subarray(end + 1)
        return line.replace(/\r$/, '')
      }
      this.#left = new Uint8Array()
      if (!(await this.#more())) return line === '' ? undefined : line
    }
  }

  /** Exactly `count` bytes in pieces. */
  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let wanted = count; wanted > 0;) {
      if (this.#left.length === 0 && !(await this.#more())) throw broken('it ends too early')
      // A copy: who takes a piece may give its memory away.
      const piece = Uint8Array.from(this.#left.subarray(0, wanted))
      this.#left = this.#left.subarray(piece.length)
      wanted -= piece.length
      yield piece
    }
  }

  /** Reads to the end, where at most `max` bytes may be left. */
  async drain(max: number): Promise<void> {
    let count = this.#left.length
    while (count <= max && (await this.#more())) count += this.#left.length
    if (count > max) throw broken('something comes behind its end')
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#pieces.next()
    this.#left = done === true ? new Uint8Array() : value
    return done !== true
  }
}

const broken = (reason: string): Error => fail('BAD_INPUT', { what: 'the body', reason })
