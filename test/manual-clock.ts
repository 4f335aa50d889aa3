/**
 * Virtual time. Nothing happens until a test moves it; then timers run in the order of their time, and
 * those of one time in the order they were set. Between two timers everything that is ready runs to its
 * end, so that what a test sees depends on nothing but the order of calls.
 */
import type { Clock } from '../src/base/clock.ts'

interface Timer {
  at: number
  run: () => void
}

export class ManualClock implements Clock {
  #elapsedMs = 0
  #wallOffsetMs: number
  /** Sorted by time, then by age. */
  readonly #timers: Timer[] = []

  /** @param startMs wall time at the beginning */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = startMs
  }

  now(): number {
    return this.#wallOffsetMs + this.#elapsedMs
  }

  monotonicMs(): number {
    return this.#elapsedMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error)
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      const abort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#elapsedMs + Math.max(0, ms), run }
    this.#timers.splice(this.#place(timer.at), 0, timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index >= 0) this.#timers.splice(index, 1)
    }
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.length
  }

  /** Moves time by `ms`; resolves when all that was due has run. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms
    await settleAll()
    while (await this.#runNext(until));
    this.#elapsedMs = until
  }

  /** Moves time from timer to timer until none waits or `limitMs` have passed; whether none waits. */
  async runUntilIdle(limitMs: number = Number.POSITIVE_INFINITY): Promise<boolean> {
    const until = this.#elapsedMs + limitMs
    await settleAll()
    while (await this.#runNext(until));
    if (this.#timers.length === 0) return true
    this.#elapsedMs = until
    return false
  }

  /** Moves time from timer to timer until `promise` is settled, which it must be within `limitMs`. */
  async until<Value>(promise: Promise<Value>, limitMs: number = Number.POSITIVE_INFINITY): Promise<Value> {
    const state = { settled: false }
    const settle = (): void => {
      state.settled = true
    }
    promise.then(settle, settle)
    const until = this.#elapsedMs + limitMs
    await settleAll()
    while (!state.settled && (await this.#runNext(until)));
    if (!state.settled)
      throw new Error(`not settled after ${limitMs} ms of virtual time, ${this.#timers.length} timers wait`)
    return promise
  }

  /** The wall clock jumps, as when a person sets it; durations do not notice. */
  jump(ms: number): void {
    this.#wallOffsetMs += ms
  }

  /** Runs the next timer that is due at `until` or before, and what follows from it; whether there was one. */
  async #runNext(until: number): Promise<boolean> {
    const next = this.#timers[0]
    if (next === undefined || next.at > until) return false
    this.#timers.shift()
    this.#elapsedMs = next.at
    next.run()
    await settleAll()
    return true
  }

  /** First index whose timer is later than `at`. */
  #place(at: number): number {
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#timers[middle] as Timer).at <= at) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Lets everything that is ready run: one turn of the event loop drains all promises. */
function settleAll(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
