/** Time as a parameter: the real clock here, virtual time in the simulator. */
import { setTimeout as wait } from 'node:timers/promises'

export interface Clock {
  /** Wall time, milliseconds since 1970 UTC; may jump. */
  now(): number
  /** Milliseconds that only grow; for durations and timeouts. */
  monotonicMs(): number
  /** Resolves after `ms`, rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`; the result cancels it. Never keeps the process alive. */
  after(ms: number, run: () => void): () => void
}

export const realClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, signal === undefined ? {} : { signal })
  },
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** RFC 3339 UTC text of a wall time in milliseconds. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
