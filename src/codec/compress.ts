/** Compression of one chunk: zstd where it pays. Random and already packed data are not even tried. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { limits } from '../base/limits.ts'
import type { CompressionLevel } from './codec.ts'

/** Bytes looked at: of random data they show equal pairs up to 4 % more or less often than 1 in 256. */
const samples = 2048
/** Too small to tell by counting. */
const alwaysTryBytes = 1024
/** How much likelier than in random data two bytes must be equal for compression to be tried. */
const triedFrom = 1.15

/**
 * The zstd frame of `bytes` when compression is on and gains at least `limits.compressionGainMin`,
 * else undefined: the bytes are sealed as they are.
 */
export function compress(bytes: Uint8Array, level: CompressionLevel): Buffer | undefined {
  if (level === 0 || bytes.length === 0 || !looksCompressible(bytes)) return undefined
  const params = { [constants.ZSTD_c_compressionLevel]: level }
  const packed = zstdCompressSync(bytes, {
    params,
    pledgedSrcSize: bytes.length,
    chunkSize: outputStep(bytes.length),
  })
  return packed.length <= bytes.length * (1 - limits.compressionGainMin) ? packed : undefined
}

/** Undoes `compress`; throws when it is no zstd frame of exactly `length` bytes. Never makes more. */
export function decompress(packed: Uint8Array, length: number): Buffer {
  const params = { [constants.ZSTD_d_windowLogMax]: 23 }
  const bytes = zstdDecompressSync(packed, {
    params,
    maxOutputLength: length,
    chunkSize: outputStep(length),
  })
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes instead of ${length}`)
  return bytes
}

/** The size of zlib's output buffers: one holds the whole, since many are joined by a copy. */
function outputStep(length: number): number {
  return Math.max(1024, length)
}

const counts = new Uint32Array(256)

/** Whether a count of sampled bytes looks unlike random data. Unbiased for small samples. */
export function looksCompressible(bytes: Uint8Array): boolean {
  if (bytes.length < alwaysTryBytes) return true
  // Odd, so that data in columns of 16 bytes is seen in every column.
  const step = Math.floor(bytes.length / samples) | 1
  counts.fill(0)
  for (let i = 0; i < bytes.length; i += step) counts[bytes[i]!]!++
  let pairs = 0
  let seen = 0
  for (const count of counts) {
    pairs += count * (count - 1)
    seen += count
  }
  return pairs * 256 >= triedFrom * seen * (seen - 1)
}
