/**
 * What each device last said of itself (size, zone, addresses) reaches every device of the pool, also
 * those that never met it: `hello` answers with all that is held, and a newer one is passed on at once.
 * Statements are signed, and a peer passes on only what was news to it, so that the passing ends.
 */
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { PeerId } from '../base/words.ts'
import type { Membership, PoolStore } from './pool.ts'

/** Statements whose device is not known yet: its certificate may be on its way. */
const mostWaiting = 64

export interface StatementsParts {
  membership: Membership
  store: Pick<PoolStore, 'read'>
  log: Log
  /** These were news; `from` told of them. */
  onNews: (statements: readonly Uint8Array[], from: PeerId | undefined) => void
}

export class Statements {
  readonly #parts: StatementsParts
  #waiting: Uint8Array[] = []

  constructor(parts: StatementsParts) {
    this.#parts = parts
  }

  /** Every device's latest one, this device's first. */
  all(): Uint8Array[] {
    const { membership, store } = this.#parts
    const others = store.read.statements().map(({ bytes }) => bytes)
    return [membership.statement(), ...others].filter(({ length }) => length > 0).slice(0, limits.peers)
  }

  async take(statements: readonly Uint8Array[], from: PeerId | undefined): Promise<void> {
    const news: Uint8Array[] = []
    for (const statement of statements)
      if (statement.length > 0 && (await this.#isNews(statement))) news.push(statement)
    if (news.length > 0) this.#parts.onNews(news, from)
  }

  /** Records arrived: those that waited for a certificate are tried again. */
  async tryWaiting(): Promise<void> {
    if (this.#waiting.length > 0) await this.take(this.#waiting.splice(0), undefined)
  }

  async #isNews(statement: Uint8Array): Promise<boolean> {
    try {
      return await this.#parts.membership.admitStatement(statement)
    } catch (thrown) {
      const { code, message } = asPeerStorError(thrown)
      this.#parts.log.debug('a statement was not taken', { code, reason: message })
      if (this.#waiting.length < mostWaiting) this.#waiting.push(statement)
      return false
    }
  }
}
