/**
 * Slows guessing: an address that presented too many wrong tokens is answered 429 for a while. A right
 * token is never refused: 256 random bits are not found by guessing, and a neighbour behind the same
 * address must not be able to lock anybody out. Passwords can be guessed: `check` refuses right ones too.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'

const addressesMax = 10_000

export class SignInLimit {
  readonly #clock: Clock
  readonly #most: number
  readonly #windowMs: number
  readonly #failures = new Map<string, { count: number; until: number }>()

  /** `most` wrong ones in `windowMs` from each address. */
  constructor(clock: Clock, most = 20, windowMs = 60_000) {
    this.#clock = clock
    this.#most = most
    this.#windowMs = windowMs
  }

  /** Counts a wrong token; fails with `RATE_LIMITED` when there were too many. */
  failed(address: string): void {
    const key = networkOf(address)
    const now = this.#clock.monotonicMs()
    const known = this.#failures.get(key)
    const entry = known !== undefined && known.until > now ? known : { count: 0, until: now + this.#windowMs }
    entry.count += 1
    this.#failures.delete(key)
    this.#failures.set(key, entry)
    if (this.#failures.size > addressesMax) this.#failures.delete(this.#failures.keys().next().value ?? '')
    if (entry.count > this.#most) throw this.#refusal(address, entry.until - now)
  }

  /** Before a password is looked at: fails with `RATE_LIMITED` when there were too many wrong ones. */
  check(address: string): void {
    const known = this.#failures.get(networkOf(address))
    const leftMs = known === undefined ? 0 : known.until - this.#clock.monotonicMs()
    if (known !== undefined && leftMs > 0 && known.count >= this.#most) throw this.#refusal(address, leftMs)
  }

  #refusal(who: string, leftMs: number): Error {
    return fail('RATE_LIMITED', { who, seconds: Math.ceil(leftMs / 1000) })
  }
}

/** An IPv4 address, or the /64 of an IPv6 address: what one asker can hold. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:')) return address.slice(7)
  return address.split(':').slice(0, 4).join(':')
}
