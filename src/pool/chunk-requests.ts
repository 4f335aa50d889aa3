/**
 * Requests for chunks to one peer: what is asked for one by one goes in pages of up to 64, a few pages
 * at once, what a person waits for first. Each answer is compared with its id before anyone sees it.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import type { Codec, VerifiedBytes } from '../codec/codec.ts'
import type { Health } from './health.ts'
import type { RemoteStore } from './remote-store.ts'

const pagesAtOnce = 2

export const priorities = ['read', 'download', 'repair'] as const
export type Priority = (typeof priorities)[number]

interface Asked {
  id: ChunkId
  resolve: (bytes: VerifiedBytes) => void
  reject: (error: unknown) => void
  signal: AbortSignal
}

export class ChunkRequests {
  readonly #remote: RemoteStore
  readonly #health: Health
  readonly #codec: Pick<Codec, 'verify'>
  readonly #queues: Record<Priority, Asked[]> = { read: [], download: [], repair: [] }
  #pages = 0
  #scheduled = false

  constructor(remote: RemoteStore, health: Health, codec: Pick<Codec, 'verify'>) {
    this.#remote = remote
    this.#health = health
    this.#codec = codec
  }

  /** Chunks asked for and not yet here. */
  get waiting(): number {
    return (
      priorities.reduce((sum, priority) => sum + this.#queues[priority].length, 0) +
      this.#pages * limits.getChunks
    )
  }

  /** `NOT_FOUND` when the peer does not have it, `CHUNK_DAMAGED` when it sent other bytes. */
  get(id: ChunkId, priority: Priority, signal: AbortSignal): Promise<VerifiedBytes> {
    return new Promise((resolve, reject) => {
      this.#queues[priority].push({ id, resolve, reject, signal })
      if (this.#scheduled) return
      this.#scheduled = true
      // What is asked in the same moment goes in one request.
      queueMicrotask(() => {
        this.#scheduled = false
        this.#pump()
      })
    })
  }

  #pump(): void {
    while (this.#pages < pagesAtOnce) {
      const page = this.#next()
      if (page.length === 0) return
      this.#pages += 1
      void this.#page(page).finally(() => {
        this.#pages -= 1
        this.#pump()
      })
    }
  }

  /** The next page; what nobody wants any more is left out, a chunk asked twice waits for the next page. */
  #next(): Asked[] {
    const page = new Map<ChunkId, Asked>()
    for (const priority of priorities) {
      const queue = this.#queues[priority]
      const later: Asked[] = []
      while (queue.length > 0 && page.size < limits.getChunks) {
        const asked = queue.shift()!
        if (asked.signal.aborted) asked.reject(asked.signal.reason)
        else if (page.has(asked.id)) later.push(asked)
        else page.set(asked.id, asked)
      }
      queue.unshift(...later)
    }
    return [...page.values()]
  }

  async #page(page: readonly Asked[]): Promise<void> {
    const left = new Map(page.map((asked) => [asked.id, asked]))
    const stop = abortWhenAllAre(page.map(({ signal }) => signal))
    try {
      await this.#health.measured(this.#remote.peer, async ({ answered, received }) => {
        const options = { signal: stop.signal, answered }
        for await (const { id, bytes } of this.#remote.getPage([...left.keys()], options)) {
          received(bytes.byteLength)
          const asked = left.get(id)!
          left.delete(id)
          if (!asked.signal.aborted) await this.#verify(asked, bytes)
        }
      })
      for (const { id, reject } of left.values()) reject(fail('NOT_FOUND', { what: 'chunk', name: id }))
    } catch (error) {
      for (const { reject } of left.values()) reject(error)
    } finally {
      stop.end()
    }
  }

  async #verify({ id, resolve, reject }: Asked, bytes: Uint8Array): Promise<void> {
    try {
      resolve(await this.#codec.verify(id, bytes, this.#remote.peer))
    } catch (error) {
      this.#health.wrong(this.#remote.peer)
      reject(error)
    }
  }
}

/** A signal that aborts once every one of `signals` has. */
function abortWhenAllAre(signals: readonly AbortSignal[]): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController()
  let open = signals.length
  const one = (): void => {
    open -= 1
    if (open === 0) controller.abort(signals[0]?.reason)
  }
  for (const signal of signals) signal.addEventListener('abort', one, { once: true })
  return {
    signal: controller.signal,
    end: () => {
      for (const signal of signals) signal.removeEventListener('abort', one)
    },
  }
}
