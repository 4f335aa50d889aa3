/** Sends a stream of bytes with back-pressure: the next piece is asked for when the socket has taken the last. */
import type { ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { free } from '../base/handover.ts'

/** Writes all of `bytes`, whose pieces it is given; fails when the client goes away or takes nothing for `limits.unreadTimeoutMs`. */
export async function sendBytes(
  response: ServerResponse,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  clock: Clock,
): Promise<void> {
  for await (const piece of bytes) {
    const frames = response.req.httpVersionMajor < 2 ? [piece] : framesOf(piece)
    for (const frame of frames) {
      if (response.destroyed) throw interrupted()
      // Only once the kernel has a piece may its memory go.
      const isLast = frame.byteOffset + frame.length === piece.byteOffset + piece.length
      if (!response.write(frame, isLast ? () => free(piece) : undefined)) await drained(response, clock)
    }
  }
}

/** HTTP/2 tells of a write only when its reader has made room for all of it: so little at once shows that it reads. */
function* framesOf(piece: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < piece.length; at += limits.http2Frame)
    yield piece.subarray(at, at + limits.http2Frame)
}

/** Resolves when the socket has taken what was written; fails when it is gone or stalls. */
export function drained(response: ServerResponse, clock: Clock): Promise<void> {
  if (response.destroyed) return Promise.reject(interrupted())
  return new Promise((resolve, reject) => {
    const cancel = dropWhenStalled(response, clock)
    const settle = (): void => {
      cancel()
      response.off('drain', settle)
      response.off('close', settle)
      if (response.destroyed) reject(interrupted())
      else resolve()
    }
    response.on('drain', settle)
    response.on('close', settle)
  })
}

/**
 * Ends the connection once its client has taken nothing of what waits for it for
 * `limits.unreadTimeoutMs`: one that takes a little now and then goes on. The result ends the watch.
 */
export function dropWhenStalled(response: ServerResponse, clock: Clock): () => void {
  let left = unsentBytes(response)
  const look = (): void => {
    const now = unsentBytes(response)
    if (now >= left) return void response.destroy()
    left = now
    cancel = clock.after(limits.unreadTimeoutMs, look)
  }
  let cancel = clock.after(limits.unreadTimeoutMs, look)
  return () => cancel()
}

/** What the kernel has not taken yet. A stream counts a write only as a whole; Node's own socket timeouts look here too. */
function unsentBytes(response: ServerResponse): number {
  const { _handle: handle } = (response.socket ?? {}) as { _handle?: { writeQueueSize?: number } }
  return handle?.writeQueueSize ?? response.writableLength
}

const interrupted = (): Error => fail('INTERRUPTED', { what: 'the download' })
