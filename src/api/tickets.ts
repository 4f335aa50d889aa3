/** Single-use tickets for WebSockets opened where neither a header nor a cookie can be sent. */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Subject } from '../peer/peer.ts'

const lifeMs = 30_000
const ticketsMax = 1024

export class Tickets {
  readonly #clock: Clock
  readonly #random: Random
  readonly #open = new Map<string, { subject: Subject; until: number }>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** A new ticket for `subject`; the oldest falls when there are too many. */
  give(subject: Subject): { ticket: string; expires: string } {
    const ticket = this.#random.bytes(32).toString('base64url')
    this.#open.set(ticket, { subject, until: this.#clock.monotonicMs() + lifeMs })
    if (this.#open.size > ticketsMax) this.#open.delete(this.#open.keys().next().value ?? '')
    return { ticket, expires: new Date(this.#clock.now() + lifeMs).toISOString() }
  }

  /** The subject of a ticket, once. */
  take(ticket: string): Subject | undefined {
    const found = this.#open.get(ticket)
    this.#open.delete(ticket)
    return found !== undefined && found.until > this.#clock.monotonicMs() ? found.subject : undefined
  }
}
