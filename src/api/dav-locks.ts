/**
 * Locks of WebDAV clients (RFC 4918 §6): in memory, each with an end, a bounded number. They hold off
 * other WebDAV clients only; elsewhere versions keep what two writers wrote.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'

export interface LockWish {
  /** `FOLDER/PATH` as the verbs take it. */
  path: string
  /** Everything below too, present and to come. */
  deep: boolean
  exclusive: boolean
  /** What the client says of its user: an XML element, or ''. */
  owner: string
  /** Id of the subject: only it can use the token. */
  holder: string
  timeoutMs: number
}

export interface Lock extends Readonly<Omit<LockWish, 'timeoutMs'>> {
  /** A URI. */
  readonly token: string
  /** Clock milliseconds. */
  endsAt: number
}

export class DavLocks {
  readonly #clock: Clock
  readonly #random: Random
  readonly #byToken = new Map<string, Lock>()
  readonly #byPath = new Map<string, Set<Lock>>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** A new lock; `LOCKED` beside one that excludes it, `TOO_MANY` beyond `limits.davLocks`. */
  take({ timeoutMs, ...wish }: LockWish): Lock {
    const others = [...this.covering(wish.path), ...(wish.deep ? this.below(wish.path) : [])]
    const other = others.find(({ exclusive }) => exclusive || wish.exclusive)
    if (other !== undefined) throw fail('LOCKED', { path: other.path })
    if (this.#byToken.size >= limits.davLocks) this.#sweep()
    if (this.#byToken.size >= limits.davLocks)
      throw fail('TOO_MANY', { what: 'locks', limit: limits.davLocks })
    const lock = { ...wish, path: keyOf(wish.path), token: this.#newToken(), endsAt: 0 }
    this.refresh(lock, timeoutMs)
    this.#byToken.set(lock.token, lock)
    const same = this.#byPath.get(lock.path) ?? new Set()
    this.#byPath.set(lock.path, same.add(lock))
    return lock
  }

  refresh(lock: Lock, timeoutMs: number): void {
    lock.endsAt = this.#clock.monotonicMs() + Math.min(timeoutMs, limits.davLockMs)
  }

  /** Whole seconds until a lock ends. */
  secondsLeft(lock: Lock): number {
    return Math.max(0, Math.ceil((lock.endsAt - this.#clock.monotonicMs()) / 1000))
  }

  release(lock: Lock): void {
    this.#byToken.delete(lock.token)
    const same = this.#byPath.get(lock.path)
    same?.delete(lock)
    if (same?.size === 0) this.#byPath.delete(lock.path)
  }

  /** Locks on a path: its own, and deep ones above. */
  covering(path: string): Lock[] {
    const key = keyOf(path)
    const above = [...key.matchAll(/\//g)].map(({ index }) => key.slice(0, index))
    return ['', ...above, key]
      .flatMap((place) => [...(this.#byPath.get(place) ?? [])])
      .filter((lock) => (lock.deep || lock.path === key) && this.#isAlive(lock))
  }

  /** Locks on what lies below a path. */
  below(path: string): Lock[] {
    const start = path === '' ? '' : `${keyOf(path)}/`
    return [...this.#byToken.values()].filter(
      (lock) => lock.path !== '' && lock.path.startsWith(start) && this.#isAlive(lock),
    )
  }

  /** Nothing is there any more: its locks go too. */
  forget(path: string): void {
    const key = keyOf(path)
    for (const lock of this.#byToken.values())
      if (lock.path === key || lock.path.startsWith(`${key}/`)) this.release(lock)
  }

  #isAlive(lock: Lock): boolean {
    if (lock.endsAt > this.#clock.monotonicMs()) return true
    this.release(lock)
    return false
  }

  #sweep(): void {
    for (const lock of this.#byToken.values()) this.#isAlive(lock)
  }

  /** A random UUID (RFC 9562 §5.4) as a URI. */
  #newToken(): string {
    const bytes = this.#random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const parts = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(bytes.toString('hex'))?.slice(1) ?? []
    return `urn:uuid:${parts.join('-')}`
  }
}

/** The verbs normalise paths in the same way. */
const keyOf = (path: string): string => path.normalize('NFC')
