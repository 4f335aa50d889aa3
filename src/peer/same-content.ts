/** Whether two downloads are one content; read side by side, in constant memory. */
import type { Download } from '../files/files.ts'

export async function isSameContent(one: Download, other: Download): Promise<boolean> {
  if (one.kind !== other.kind || one.size !== other.size || one.target !== other.target) return false
  const [left, right] = [new Parts(one.bytes), new Parts(other.bytes)]
  try {
    while (true) {
      const [a, b] = [await left.more(), await right.more()]
      const length = Math.min(a.length, b.length)
      if (length === 0) return a.length === b.length
      if (!a.subarray(0, length).equals(b.subarray(0, length))) return false
      left.used(length)
      right.used(length)
    }
  } finally {
    await Promise.all([left.end(), right.end()])
  }
}

/** The bytes of one side that the other has not been compared with yet. */
class Parts {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Empty at the end. */
  async more(): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next()
      if (done === true) break
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    return this.#rest
  }

  used(length: number): void {
    this.#rest = this.#rest.subarray(length)
  }

  async end(): Promise<void> {
    await this.#source.return?.()
  }
}
