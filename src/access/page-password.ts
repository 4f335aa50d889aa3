/** The password of the page, where one is set: what is stored of it, and checking it one at a time. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { hashPassword, isPassword, type PasswordHash } from '../codec/password.ts'
import type { OwnState } from '../store/store.ts'

export class PagePassword {
  readonly #own: OwnState
  readonly #random: Random
  #turn: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(own: OwnState, random: Random) {
    this.#own = own
    this.#random = random
  }

  isSet(): boolean {
    return this.#known() !== undefined
  }

  async set(password: string): Promise<void> {
    if (password.length < limits.passwordLettersMin)
      throw fail('BAD_INPUT', {
        what: 'the password',
        reason: `it has fewer than ${limits.passwordLettersMin} letters`,
      })
    await this.#own.put('password', 'page', await this.#inTurn(() => hashPassword(password, this.#random)))
  }

  async remove(): Promise<void> {
    await this.#own.remove('password', 'page')
  }

  /** Whether it is the password as set now; false when none is. */
  async accepts(password: string): Promise<boolean> {
    const known = this.#known()
    if (known === undefined) return false
    const accepted = await this.#inTurn(() => isPassword(password, known))
    return accepted && this.#known()?.hash === known.hash
  }

  #known(): PasswordHash | undefined {
    return this.#own.get<PasswordHash>('password', 'page')
  }

  /** Each check takes 64 MiB: one at a time, and only so many wait. */
  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.#waiting >= limits.passwordsWaiting)
      throw fail('RATE_LIMITED', { who: 'the sign-in page', seconds: 10 })
    this.#waiting += 1
    const turn = this.#turn.then(run, run)
    this.#turn = turn.catch(() => undefined)
    return await turn.finally(() => (this.#waiting -= 1))
  }
}
