/** What happens in a peer, numbered: listeners that were away go on after the last number they saw. */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { NumberedEvent, PeerEvent } from './peer.ts'

export class EventLog {
  readonly #backlog: NumberedEvent[] = []
  readonly #listeners = new Set<(event: NumberedEvent) => void>()
  #seq: number

  /** Numbers begin at the time of the start, so that they grow over restarts too. */
  constructor(clock: Clock) {
    this.#seq = clock.now() * 1000
  }

  publish(event: PeerEvent): void {
    const numbered = { seq: ++this.#seq, event }
    this.#backlog.push(numbered)
    if (this.#backlog.length > limits.eventBacklog) this.#backlog.shift()
    for (const listener of this.#listeners) listener(numbered)
  }

  /** Hands over what is kept after `since` (undefined: nothing old), then each new event; the result ends it. */
  subscribe(since: number | undefined, listener: (event: NumberedEvent) => void): () => void {
    if (since !== undefined) this.#repeat(since, listener)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What is kept after `since`; a `gap` first where some of it is not, or was before this start. */
  #repeat(since: number, listener: (event: NumberedEvent) => void): void {
    const first = (this.#backlog[0]?.seq ?? this.#seq + 1) - 1
    if (since < first) listener({ seq: first, event: { type: 'gap', data: {} } })
    for (const event of this.#backlog) if (event.seq > since) listener(event)
  }
}
