/** Timers for both directions of a body: not how long it takes, but how long nothing moves. */
import type { Writable } from 'node:stream'
import type { Clock } from '../base/clock.ts'

export interface StallWatch {
  clock: Clock
  stallMs: number
  /** Ends the transfer; the waiting side then fails. */
  onStall: () => void
}

/** Passes bytes on; a peer that sends none for `stallMs` while we wait for it has stalled. */
export async function* watchedRead(
  source: AsyncIterable<Uint8Array>,
  watch: StallWatch,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    while (true) {
      const cancel = watch.clock.after(watch.stallMs, watch.onStall)
      const next = await iterator.next().finally(cancel)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    await iterator.return?.()
  }
}

/**
 * Writes all of `source`, each piece only after the one before left; does not end `target`. `sent` is
 * called with each piece once `target` needs its memory no more.
 */
export async function watchedWrite(
  source: AsyncIterable<Uint8Array>,
  target: Writable,
  watch: StallWatch,
  sent: (piece: Uint8Array) => void = () => undefined,
): Promise<void> {
  for await (const chunk of source) {
    if (target.destroyed) return
    if (!target.write(chunk, () => sent(chunk))) await drained(target, watch)
  }
}

/** Resolves when `target` takes more, or when it is closed. */
async function drained(target: Writable, watch: StallWatch): Promise<void> {
  const cancel = watch.clock.after(watch.stallMs, watch.onStall)
  try {
    await new Promise<void>((resolve) => {
      if (target.destroyed) return resolve()
      const done = (): void => {
        target.off('drain', done)
        target.off('close', done)
        resolve()
      }
      target.on('drain', done)
      target.on('close', done)
    })
  } finally {
    cancel()
  }
}
