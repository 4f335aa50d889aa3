/**
 * Handing buffers between threads without copying. Only a view of its whole buffer, or a buffer that
 * the codec made, may go: a transfer takes every other view of the buffer with it.
 */
import { isMarkedAsUntransferable, type Transferable } from 'node:worker_threads'

const madeHere = new WeakSet<ArrayBufferLike>()

/** Marks the buffer of a view as the codec's own: nobody else has a view of it. */
export function markOwned<Bytes extends Uint8Array>(bytes: Bytes): Bytes {
  madeHere.add(bytes.buffer)
  return bytes
}

/** Whether a view's buffer is nobody else's. */
function isSole(bytes: Uint8Array): boolean {
  return bytes.byteLength === bytes.buffer.byteLength || madeHere.has(bytes.buffer)
}

/**
 * Gives the memory of bytes back at once; their owner says that nobody looks at them again. Left to
 * the garbage collector, each gigabyte that passes makes V8 collect a hundred times (docs/ARCHITECTURE.md).
 * Does nothing where others may have a view of the buffer.
 */
export function free(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer
  if (isSole(bytes) && !buffer.detached && !isMarkedAsUntransferable(buffer)) buffer.transfer(0)
}

/** A view that can be sent with `transfer`: `bytes` itself where its buffer may go, else a copy. */
export function handOver(bytes: Uint8Array, transfer: Transferable[]): Uint8Array {
  const sent = isSole(bytes) && bytes.byteLength > 0 ? bytes : new Uint8Array(bytes)
  transfer.push(sent.buffer as ArrayBuffer)
  return sent
}

/** Sends bytes that this thread made or was given: nobody here looks at their buffer again. */
export function sendOwn<Bytes extends Uint8Array>(bytes: Bytes, transfer: Transferable[]): Bytes {
  const sent = isMarkedAsUntransferable(bytes.buffer) ? (new Uint8Array(bytes) as Uint8Array as Bytes) : bytes
  transfer.push(sent.buffer as ArrayBuffer)
  return sent
}

/** A copy that a message can hold: Node's small buffers are views of one big one, sent as a whole. */
export function small(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}
