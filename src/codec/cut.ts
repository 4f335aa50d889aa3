/**
 * Content-defined cutting: FastCDC with normalised chunking and the first `min` bytes skipped, its
 * 64-bit gear table from the folder's key. The same bytes cut the same way whatever pieces they
 * come in, and whichever kernel scans them (WebAssembly, or the same in TypeScript).
 */
import { limits } from '../base/limits.ts'
import type { FolderKeys } from './codec.ts'
import { keyedHash } from './hash.ts'
import { portableKernel, wasmKernel, type CutKernel, type Gear } from './cut-kernel.ts'

export interface CutSizes {
  min: number
  normal: number
  max: number
  /** Leading zero bits of the hash that end a chunk before `normal`, and after it. */
  bitsBefore: number
  bitsAfter: number
}

const sizes: CutSizes = {
  min: limits.chunkMin,
  normal: limits.chunkNormal,
  max: limits.chunkMax,
  bitsBefore: 21,
  bitsAfter: 17,
}

const hugeSizes: CutSizes = {
  min: limits.chunkMin * limits.hugeFactor,
  normal: limits.chunkNormal * limits.hugeFactor,
  max: limits.chunkMax * limits.hugeFactor,
  bitsBefore: 23,
  bitsAfter: 19,
}

/** Sizes for a source of `size` bytes, if known. */
export function cutSizes(size?: number): CutSizes {
  return size !== undefined && size > limits.hugeFile ? hugeSizes : sizes
}

const defaultKernel = wasmKernel() ?? portableKernel

const tables = new WeakMap<FolderKeys, Uint8Array>()

/** `Gear[i]` = first 8 bytes, little-endian, of `keyed(K_gear, byte i)`. */
export function gearTable(keys: FolderKeys): Uint8Array {
  const known = tables.get(keys)
  if (known !== undefined) return known
  const hash = keyedHash(keys.gear)
  const table = new Uint8Array(256 * 8)
  for (let i = 0; i < 256; i++) table.set(hash(Uint8Array.of(i)).subarray(0, 8), i * 8)
  tables.set(keys, table)
  return table
}

/** Where a cutter takes the buffers that its chunks are gathered in: at least `bytes` long, unshared. */
export type TakeBuffer = (bytes: number) => Uint8Array

const plainBuffer: TakeBuffer = (bytes) => Buffer.allocUnsafeSlow(bytes)

/** Cuts one stream. Each chunk given out is in a buffer of its own. */
export class Cutter {
  readonly #sizes: CutSizes
  readonly #gear: Gear
  readonly #kernel: CutKernel
  readonly #take: TakeBuffer
  #chunk: Uint8Array | undefined
  #length = 0

  constructor(
    keys: FolderKeys,
    sizes: CutSizes,
    take: TakeBuffer = plainBuffer,
    kernel: CutKernel = defaultKernel,
  ) {
    this.#sizes = sizes
    this.#gear = { table: gearTable(keys), hash: new Uint8Array(8) }
    this.#take = take
    this.#kernel = kernel
  }

  /** Takes the next bytes of the stream; the chunks that end in them. */
  push(bytes: Uint8Array): Uint8Array[] {
    const chunks: Uint8Array[] = []
    let at = 0
    while (at < bytes.length) {
      const { count, ends } = this.#step(bytes.subarray(at))
      this.#append(bytes.subarray(at, at + count))
      at += count
      if (ends) chunks.push(this.#give())
    }
    return chunks
  }

  /** The last chunk, if the stream did not end with one. */
  end(): Uint8Array | undefined {
    return this.#length === 0 ? undefined : this.#give()
  }

  /** How many of `bytes` belong to the chunk for one zone (skipped, before or after normal size). */
  #step(bytes: Uint8Array): { count: number; ends: boolean } {
    const { min, normal, max, bitsBefore, bitsAfter } = this.#sizes
    const zoneEnd = this.#length < min ? min : this.#length < normal ? normal : max
    const zone = bytes.subarray(0, zoneEnd - this.#length)
    if (zoneEnd === min) return { count: zone.length, ends: false }
    const found = this.#kernel.scan(this.#gear, zone, zoneEnd === normal ? bitsBefore : bitsAfter)
    if (found > 0) return { count: found, ends: true }
    return { count: zone.length, ends: this.#length + zone.length === max }
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (this.#chunk === undefined) this.#chunk = this.#take(bytes.length)
    else if (this.#chunk.length < length) {
      const larger = this.#take(this.#sizes.max)
      larger.set(this.#chunk.subarray(0, this.#length))
      this.#chunk = larger
    }
    this.#chunk.set(bytes, this.#length)
    this.#length = length
  }

  #give(): Uint8Array {
    const chunk = this.#chunk!.subarray(0, this.#length)
    this.#chunk = undefined
    this.#length = 0
    this.#gear.hash.fill(0)
    return chunk
  }
}
