/** Checksums that S3 clients send beside or behind a body: over the object's own bytes, in base64. */
import { crc32 } from 'node:zlib'
import { fail } from '../base/errors.ts'
import { runningDigest } from './digest.ts'

export interface Checksum {
  update(bytes: Uint8Array): unknown
  /** The value so far, as it stands in a header. */
  digest(): Buffer
}

/** By the name of the header, without `x-amz-checksum-`. */
const algorithms = new Map<string, () => Checksum>([
  ['crc32', () => new Crc32()],
  ['crc32c', () => new Crc32c()],
  ['crc64nvme', () => new Crc64Nvme()],
  ['sha1', () => runningDigest('sha1')],
  ['sha256', () => runningDigest('sha256')],
])

/** What a body must come to: `Content-MD5`, `x-amz-checksum-…`. */
export interface WantedChecksum {
  /** Header it came in. */
  name: string
  checksum: Checksum
  value: string
}

const prefix = 'x-amz-checksum-'

/** The checksum that a header or trailer named `name` stands for; undefined when it is none. */
export function checksumOf(name: string): Checksum | undefined {
  if (name === 'content-md5') return runningDigest('md5')
  return name.startsWith(prefix) ? algorithms.get(name.slice(prefix.length))?.() : undefined
}

/** Fails with `DIGEST_MISMATCH` unless all of them are right. */
export function requireChecksums(wanted: readonly WantedChecksum[], path: string): void {
  for (const { checksum, value } of wanted)
    if (!checksum.digest().equals(Buffer.from(value, 'base64'))) throw fail('DIGEST_MISMATCH', { path })
}

class Crc32 implements Checksum {
  #value = 0
  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value)
  }
  digest(): Buffer {
    return uint32(this.#value)
  }
}

/** Castagnoli's polynomial, reflected. */
class Crc32c implements Checksum {
  #value = 0xffffffff
  update(bytes: Uint8Array): void {
    let value = this.#value
    for (const byte of bytes) value = (value >>> 8) ^ (castagnoli[(value ^ byte) & 0xff] as number)
    this.#value = value >>> 0
  }
  digest(): Buffer {
    return uint32(~this.#value >>> 0)
  }
}

/** CRC-64/NVME, reflected, in two halves of 32 bits. */
class Crc64Nvme implements Checksum {
  #high = 0xffffffff
  #low = 0xffffffff
  update(bytes: Uint8Array): void {
    let high = this.#high
    let low = this.#low
    for (const byte of bytes) {
      const index = (low ^ byte) & 0xff
      low = ((low >>> 8) | (high << 24)) ^ (nvme.low[index] as number)
      high = (high >>> 8) ^ (nvme.high[index] as number)
    }
    this.#high = high >>> 0
    this.#low = low >>> 0
  }
  digest(): Buffer {
    return Buffer.concat([uint32(~this.#high >>> 0), uint32(~this.#low >>> 0)])
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value >>> 0
})

const nvme = tables64(0x9a6c9329ac4bc9b5n)

function tables64(polynomial: bigint): { high: Uint32Array; low: Uint32Array } {
  const rows = Array.from({ length: 256 }, (_, byte) => {
    let value = BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n
    return value
  })
  return {
    high: Uint32Array.from(rows, (value) => Number(value >> 32n)),
    low: Uint32Array.from(rows, (value) => Number(value & 0xffffffffn)),
  }
}
