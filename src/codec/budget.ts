/** A count of bytes shared by many: whoever wants some waits until they are free, first come first served. */
import { fail } from '../base/errors.ts'

interface Waiting {
  bytes: number
  start: () => void
}

export class Budget {
  readonly total: number
  #free: number
  readonly #queue: Waiting[] = []

  constructor(total: number) {
    this.total = total
    this.#free = total
  }

  /** Bytes not taken now. */
  get free(): number {
    return this.#free
  }

  /**
   * Resolves when `bytes` are taken, to a function that gives them back (once; more calls do nothing).
   * More than the whole budget counts as all of it. Rejects with the signal's reason when aborted.
   */
  async take(bytes: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (!(bytes >= 0)) throw fail('INTERNAL', { reason: `${bytes} bytes were asked of a budget` })
    const share = Math.min(bytes, this.total)
    if (this.#queue.length > 0 || share > this.#free) await this.#wait(share, signal)
    else this.#free -= share
    return this.#giveBack(share)
  }

  /** Takes `bytes` when they are free and nobody waits; else undefined, at once. */
  tryTake(bytes: number): (() => void) | undefined {
    const share = Math.min(bytes, this.total)
    if (this.#queue.length > 0 || share > this.#free) return undefined
    this.#free -= share
    return this.#giveBack(share)
  }

  /** Takes bytes for the time of `run`. */
  async use<T>(bytes: number, run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const give = await this.take(bytes, signal)
    try {
      return await run()
    } finally {
      give()
    }
  }

  #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1)
        this.#startWaiting()
        reject(signal!.reason as Error)
      }
      const waiting = {
        bytes,
        start: (): void => {
          signal?.removeEventListener('abort', leave)
          resolve()
        },
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#queue.push(waiting)
    })
  }

  #giveBack(bytes: number): () => void {
    let given = false
    return () => {
      if (given) return
      given = true
      this.#free += bytes
      this.#startWaiting()
    }
  }

  #startWaiting(): void {
    while (this.#queue.length > 0 && this.#queue[0]!.bytes <= this.#free) {
      const next = this.#queue.shift()!
      this.#free -= next.bytes
      next.start()
    }
  }
}
