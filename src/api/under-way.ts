/** The requests under way, each with who asks: they end when the web face does, or when he may ask no more. */
import type { ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { Subject } from '../peer/peer.ts'

/** So long an ended request has to say that it is refused; the one that ended its own token, that it did. */
const lastWordMs = 1_000

export interface UnderWay {
  readonly signal: AbortSignal
  /** Of the token or session that let it in. */
  subject: Subject['id'] | undefined
}

interface Entry extends UnderWay {
  gone: AbortController
  response: ServerResponse
}

export class RequestsUnderWay {
  readonly #clock: Clock
  readonly #entries = new Set<Entry>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** One more, until its answer is out or its client is gone. */
  begin(response: ServerResponse): UnderWay {
    const gone = new AbortController()
    const entry: Entry = { gone, signal: gone.signal, response, subject: undefined }
    this.#entries.add(entry)
    response.once('close', () => {
      this.#entries.delete(entry)
      if (!response.writableFinished) gone.abort(interrupted())
    })
    return entry
  }

  endAll(): void {
    for (const { gone } of this.#entries) gone.abort(interrupted())
  }

  /** A token or session has ended: nothing more is read from its requests, or sent. */
  endOf(subject: Subject['id']): void {
    const ended = [...this.#entries].filter((entry) => entry.subject === subject)
    for (const { gone } of ended) gone.abort(fail('NOT_SIGNED_IN'))
    if (ended.length > 0)
      this.#clock.after(lastWordMs, () => {
        for (const entry of ended) if (this.#entries.has(entry)) entry.response.destroy()
      })
  }
}

const interrupted = (): Error => fail('INTERRUPTED', { what: 'the request' })
