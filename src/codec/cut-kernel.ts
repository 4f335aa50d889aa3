/**
 * The inner loop of cutting: a rolling hash over bytes, in WebAssembly (tools/wasm/cut.ts) and in
 * TypeScript. Both find the same ends.
 */
import { cutWasm } from './wasm.generated.ts'

/** The rolling hash of one stream: 256 numbers of 64 bits and the hash so far, as little-endian bytes. */
export interface Gear {
  readonly table: Uint8Array
  readonly hash: Uint8Array
}

/** Scans bytes for the end of a chunk. */
export interface CutKernel {
  /**
   * Rolls the hash over `bytes`; the count of bytes up to and with the first after which the hash
   * has `bits` leading zeros, or 0 when there is none.
   */
  scan(gear: Gear, bytes: Uint8Array, bits: number): number
}

/** The kernel in TypeScript, where WebAssembly is not allowed. */
export const portableKernel: CutKernel = {
  scan: ({ table, hash }, bytes, bits) => {
    const gear = new Uint32Array(table.buffer, table.byteOffset, 512)
    const state = new Uint32Array(hash.buffer, hash.byteOffset, 2)
    let low = state[0]!
    let high = state[1]!
    let found = 0
    for (let i = 0; i < bytes.length; i++) {
      const at = bytes[i]! << 1
      const sum = ((low << 1) >>> 0) + gear[at]!
      high = (((high << 1) | (low >>> 31)) + gear[at + 1]! + (sum > 0xffff_ffff ? 1 : 0)) >>> 0
      low = sum >>> 0
      if (high >>> (32 - bits) === 0) {
        found = i + 1
        break
      }
    }
    state[0] = low
    state[1] = high
    return found
  },
}

const memoryBytes = 128 * 1024
const hashAt = 64
const gearAt = 4096
const blockAt = 8192
const blockBytes = 64 * 1024

interface Exports {
  memory: { buffer: ArrayBuffer }
  scan(length: number, bits: number): number
}

/** The little of the WebAssembly interface that is used; Node's types leave it out. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: unknown }
}

/** The kernel, or undefined where WebAssembly does not run. */
export function wasmKernel(): CutKernel | undefined {
  let kernel: Exports
  try {
    const module = new WebAssembly.Module(Buffer.from(cutWasm, 'base64'))
    kernel = new WebAssembly.Instance(module).exports as Exports
  } catch {
    return undefined
  }
  const memory = new Uint8Array(kernel.memory.buffer, 0, memoryBytes)
  return { scan: (gear, bytes, bits) => scan(kernel, memory, gear, bytes, bits) }
}

/** Tables are copied in for each call: 2 KB beside blocks of 64 KiB. */
function scan(kernel: Exports, memory: Uint8Array, gear: Gear, bytes: Uint8Array, bits: number): number {
  memory.set(gear.table, gearAt)
  memory.set(gear.hash, hashAt)
  let found = 0
  for (let from = 0; from < bytes.length && found === 0; from += blockBytes) {
    const block = bytes.subarray(from, from + blockBytes)
    memory.set(block, blockAt)
    const at = kernel.scan(block.length, bits)
    if (at > 0) found = from + at
  }
  gear.hash.set(memory.subarray(hashAt, hashAt + 8))
  return found
}
