/**
 * The hash that people see: BLAKE3 over the chunks' plaintext hashes `p` in order, then the size as
 * 8 bytes, little-endian. Equal in a folder means equal content; it costs no pass of its own.
 */
import { RunningHash } from '../codec/hash.ts'

export class ContentHash {
  readonly #hash = new RunningHash()
  #size = 0

  /** The next chunk: its `p` and its plaintext length in bytes. */
  add(p: Uint8Array, length: number): void {
    this.#hash.add(p)
    this.#size += length
  }

  get size(): number {
    return this.#size
  }

  digest(): Buffer {
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(this.#size))
    return this.#hash.add(size).digest()
  }
}
