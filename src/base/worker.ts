/** One contract and one runner for background work (repair, scrub, feed …), visible in CLI and dashboard. */
import type { Clock } from './clock.ts'
import { asPeerStorError, fail } from './errors.ts'
import type { Log } from './log.ts'

/** What a step of work leaves: more at once, or nothing until `waitMs` passed or `wake` was called. */
export type WorkResult = 'more' | { waitMs: number }

export interface Worker {
  readonly name: string
  /** Does one bounded step; throws only on unexpected errors, which are logged and retried later. */
  work(signal: AbortSignal): Promise<WorkResult>
  /** One plain sentence of what it is doing and how far it is. */
  status(): string
  /** Somebody asks for a round at once: makes it due. The runner ends the wait. */
  hurry?(): void
}

export interface WorkerState {
  name: string
  state: 'running' | 'waiting' | 'paused' | 'failed'
  status: string
  steps: number
  lastError?: string
}

interface Running {
  worker: Worker
  state: WorkerState['state']
  steps: number
  lastError?: string
  /** Ends the wait in progress; between waits it is remembered in `woken`. */
  wake: () => void
  woken: boolean
  paused: boolean
  loop: Promise<void>
}

const retryMs = 5_000

export class WorkerRunner {
  readonly #clock: Clock
  readonly #log: Log
  readonly #running = new Map<string, Running>()
  readonly #stopping = new AbortController()
  /** Names of workers that begin paused. */
  readonly #asleep: ReadonlySet<string>

  constructor(clock: Clock, log: Log, paused: Iterable<string> = []) {
    this.#clock = clock
    this.#log = log
    this.#asleep = new Set(paused)
  }

  add(worker: Worker): void {
    const running: Running = {
      worker,
      state: 'waiting',
      steps: 0,
      wake: () => undefined,
      woken: false,
      paused: this.#asleep.has(worker.name),
      loop: Promise.resolve(),
    }
    running.wake = () => (running.woken = true)
    this.#running.set(worker.name, running)
    running.loop = this.#loop(running)
  }

  /** Ends a worker's wait: there may be something to do. */
  wake(name: string): void {
    this.#running.get(name)?.wake()
  }

  /** A step under way ends first. `WORKER_UNKNOWN` for a name that is not in the list. */
  pause(name: string, paused: boolean): void {
    const running = this.#named(name)
    running.paused = paused
    running.wake()
  }

  /** A round at once; `WORKER_PAUSED` when it may not. */
  run(name: string): void {
    const running = this.#named(name)
    if (running.paused) throw fail('WORKER_PAUSED', { name })
    running.worker.hurry?.()
    running.wake()
  }

  paused(): string[] {
    return [...this.#running.values()].filter(({ paused }) => paused).map(({ worker }) => worker.name)
  }

  list(): WorkerState[] {
    return [...this.#running.values()].map((running) => ({
      name: running.worker.name,
      state: running.paused ? 'paused' : running.state,
      status: running.worker.status(),
      steps: running.steps,
      ...(running.lastError === undefined ? {} : { lastError: running.lastError }),
    }))
  }

  /** Ends all work and resolves when every step in flight has returned. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([...this.#running.values()].map((running) => running.loop))
  }

  #named(name: string): Running {
    const running = this.#running.get(name)
    if (running === undefined) throw fail('WORKER_UNKNOWN', { name })
    return running
  }

  async #loop(running: Running): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const waitMs = running.paused ? Number.POSITIVE_INFINITY : await this.#step(running)
      if (waitMs > 0 && !signal.aborted) await this.#wait(running, waitMs)
    }
  }

  /** Runs one step; resolves to the time to wait before the next. */
  async #step(running: Running): Promise<number> {
    running.state = 'running'
    try {
      const result = await running.worker.work(this.#stopping.signal)
      running.steps += 1
      running.state = 'waiting'
      delete running.lastError
      return result === 'more' ? 0 : result.waitMs
    } catch (thrown) {
      if (this.#stopping.signal.aborted) return 0
      const error = asPeerStorError(thrown)
      running.state = 'failed'
      running.lastError = error.message
      this.#log.warn('worker step failed', {
        worker: running.worker.name,
        code: error.code,
        reason: error.message,
      })
      return retryMs
    }
  }

  #wait(running: Running, waitMs: number): Promise<void> {
    const { signal } = this.#stopping
    if (running.woken) {
      running.woken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const cancel = Number.isFinite(waitMs) ? this.#clock.after(waitMs, () => done()) : () => undefined
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        running.wake = () => (running.woken = true)
        resolve()
      }
      running.wake = done
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
