/** Reads ahead in a file, so that small entries cost no system call each. */
import type { DiskFile } from '../base/disk.ts'

export const windowBytes = 256 * 1024

export class ReadWindow {
  readonly #file: DiskFile
  readonly end: number
  #start = 0
  #bytes: Buffer = Buffer.alloc(0)

  /** `end`: bytes of the file that count. */
  constructor(file: DiskFile, end: number) {
    this.#file = file
    this.end = end
  }

  /** Up to `length` bytes from `offset`; valid until the next call. */
  async bytes(offset: number, length: number): Promise<Buffer> {
    const wanted = Math.min(length, this.end - offset)
    const inside = offset >= this.#start && offset + wanted <= this.#start + this.#bytes.length
    if (!inside) {
      this.#bytes = await this.#file.read(offset, Math.min(Math.max(wanted, windowBytes), this.end - offset))
      this.#start = offset
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + wanted)
  }

  /** Where `mark` stands next, at `from` or behind it; undefined when it does not. */
  async find(mark: Buffer, from: number): Promise<number | undefined> {
    let offset = from
    while (offset + mark.length <= this.end) {
      const bytes = await this.bytes(offset, Math.min(windowBytes, this.end - offset))
      const found = bytes.indexOf(mark)
      if (found !== -1) return offset + found
      offset += Math.max(1, bytes.length - (mark.length - 1))
    }
    return undefined
  }
}
