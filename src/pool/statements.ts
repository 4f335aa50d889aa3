/**
 * What each device last said of itself (size, zone, addresses) reaches every device of the pool, also
 * those that never met it: `hello` answers with all that is held, and a newer one is passed on soon.
 * Statements are signed, and a peer passes on only what was news to it and is still the latest of its
 * device: the passing ends, and a device that speaks all the time is passed on a few times a second.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { PeerId } from '../base/words.ts'
import type { Membership, PoolStore } from './pool.ts'

/** Statements whose device is not known yet (its certificate may be on its way); the oldest falls. */
const mostWaiting = 64
/** News within this time is passed on together. */
const passOnAfterMs = 250

/** A statement that was news here; `from` told of it. */
export interface NewStatement {
  statement: Uint8Array
  from: PeerId | undefined
}

export interface StatementsParts {
  membership: Membership
  store: Pick<PoolStore, 'read'>
  clock: Clock
  log: Log
  /** These may be news to others. */
  onNews: (news: readonly NewStatement[]) => void
}

export class Statements {
  readonly #parts: StatementsParts
  #waiting: NewStatement[] = []
  #news: NewStatement[] = []
  #cancel: (() => void) | undefined

  constructor(parts: StatementsParts) {
    this.#parts = parts
  }

  /** Every device's latest one, this device's first. */
  all(): Uint8Array[] {
    const { membership, store } = this.#parts
    const others = store.read.statements().map(({ bytes }) => bytes)
    return [membership.statement(), ...others].filter(isSendable).slice(0, limits.peers)
  }

  async take(statements: readonly Uint8Array[], from: PeerId | undefined): Promise<void> {
    for (const statement of statements)
      if (isSendable(statement) && (await this.#isNews({ statement, from })))
        this.#news.push({ statement, from })
    if (this.#news.length > 0) this.#cancel ??= this.#parts.clock.after(passOnAfterMs, () => this.#passOn())
  }

  /** Records arrived: those that waited for a certificate are tried again. */
  async tryWaiting(): Promise<void> {
    for (const { statement, from } of this.#waiting.splice(0)) await this.take([statement], from)
  }

  stop(): void {
    this.#cancel?.()
  }

  #passOn(): void {
    this.#cancel = undefined
    const news = this.#news.splice(0)
    const latest = new Set(this.#parts.store.read.statements().map(({ bytes }) => textOf(bytes)))
    this.#parts.onNews(news.filter(({ statement }) => latest.has(textOf(statement))))
  }

  async #isNews(told: NewStatement): Promise<boolean> {
    try {
      return await this.#parts.membership.admitStatement(told.statement)
    } catch (thrown) {
      const { code, message } = asPeerStorError(thrown)
      this.#parts.log.debug('a statement was not taken', { code, reason: message })
      this.#waiting.push(told)
      if (this.#waiting.length > mostWaiting) this.#waiting.shift()
      return false
    }
  }
}

/** A store of an earlier program may hold longer ones. */
function isSendable({ length }: Uint8Array): boolean {
  return length > 0 && length <= limits.statementBytes
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
