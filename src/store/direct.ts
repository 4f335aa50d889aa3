/** What reading and writing past the system's page cache (`O_DIRECT`) have in common. */

/** Offsets, lengths and memory are multiples of it; no disk has larger blocks. */
export const blockBytes = 4096

/** The little of the WebAssembly interface that is used; Node's types leave it out. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer }
}

const wasmPageBytes = 64 * 1024

/** Memory that begins on a page, which only WebAssembly promises; `length` in multiples of 64 KiB. */
export function alignedMemory(length: number): Uint8Array {
  const pages = length / wasmPageBytes
  return new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer)
}

/** How file systems say that they do not work so. */
export function isRefused(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && ['EINVAL', 'EOPNOTSUPP'].includes(String(thrown.code))
}
