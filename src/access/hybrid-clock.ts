/** This device's hybrid logical clock: later than all it has seen, never led astray by a wrong clock elsewhere. */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Hlc } from '../codec/record.ts'

const counterMax = 0xffff

export class HybridClock {
  readonly #clock: Clock
  #last: Hlc = { ms: 0, counter: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The time of a new record: later than every one before and every one observed. */
  next(): Hlc {
    const ms = this.#clock.now()
    if (ms > this.#last.ms) this.#last = { ms, counter: 0 }
    else if (this.#last.counter < counterMax) this.#last = { ...this.#last, counter: this.#last.counter + 1 }
    else this.#last = { ms: this.#last.ms + 1, counter: 0 }
    return this.#last
  }

  /** A cut in time, milliseconds: all that was written or observed lies at or before it, `next` lies behind. */
  cut(): number {
    const ms = Math.max(this.#clock.now(), this.#last.ms)
    this.#last = { ms: ms + 1, counter: 0 }
    return ms
  }

  /** Learns of a record's time; one from the future does not move this clock. */
  observe(time: Hlc): void {
    if (this.isFuture(time)) return
    const { ms, counter } = this.#last
    if (time.ms > ms || (time.ms === ms && time.counter > counter)) this.#last = time
  }

  /** Over 5 minutes ahead of our wall clock. */
  isFuture(time: Hlc): boolean {
    return time.ms > this.#clock.now() + limits.clockAheadMs
  }

  /** Milliseconds until a time is no longer in the future. */
  untilPresent(time: Hlc): number {
    return Math.max(0, time.ms - limits.clockAheadMs - this.#clock.now())
  }
}
