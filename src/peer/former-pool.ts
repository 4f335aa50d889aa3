/**
 * The pool that this home was in before: its files are brought along, then its segments are removed.
 * `keys/before` holds its keys as long as not all of its files are durable in the new pool; an own row
 * names a pool that was given up as long as any of its segments may be left.
 */
import { join } from 'node:path'
import { loadPoolKeys, removePoolKeys, savePoolKeys, type PoolKeys } from '../access/device-keys.ts'
import type { InviteKind } from '../access/invite-code.ts'
import { asPeerStorError, fail } from '../base/errors.ts'
import type { PoolId } from '../base/words.ts'
import { removeSegmentsOf } from '../store/remove-pool.ts'
import type { OwnState } from '../store/store.ts'
import { bringFiles, type Brought } from './bring-files.ts'
import type { Core } from './create-core.ts'
import type { Problem } from './peer.ts'
import type { RunningParts } from './running-peer.ts'

/** How long the other devices' files are waited for, so that nothing is put beside what is there. */
const catchUpMs = 20_000

/** Whether a code lets this peer come with its files. */
export function requireMayBring(kind: InviteKind, asked: boolean): void {
  if (!asked) throw fail('POOL_NOT_EMPTY')
  if (kind === 'storage')
    throw fail('INVITE_REFUSED', {
      reason: 'it is for storage only, and this peer has files to take along',
    })
}

export class FormerPool {
  readonly #parts: RunningParts
  #stopping = new AbortController()
  #running: Promise<void> | undefined
  #trouble: string | undefined

  constructor(parts: RunningParts) {
    this.#parts = parts
  }

  /** What people should know of files that are not all here yet. */
  warning(): Problem[] {
    const coming = this.#running !== undefined
    const what = coming ? 'files of the pool before are being brought along' : this.#trouble
    if (what === undefined) return []
    return [{ kind: 'former-pool', what, severity: coming ? 'hint' : 'warning', next: 'peerstor status' }]
  }

  /** Before these keys are replaced: their pool's files are to be brought along. */
  async keep(keys: PoolKeys): Promise<void> {
    await savePoolKeys(this.#keysHome, keys, this.#parts.random)
  }

  /** Before a pool's keys are replaced or removed: nothing of it is wanted. */
  async giveUp(own: OwnState, pool: PoolId): Promise<void> {
    await own.put('pool', pool, { left: true })
  }

  /** Removes the segments of pools that were given up. */
  async clear({ store, catalogue }: Core): Promise<void> {
    const { disk, storage, log } = this.#parts
    for (const { id } of store.own.list('pool')) {
      if (id !== catalogue.pool) {
        const segments = await removeSegmentsOf(disk, storage, id as PoolId)
        log.info('a pool that this device has left was removed from its disk', { pool: id, segments })
      }
      await store.own.remove('pool', id)
    }
  }

  /** Brings along what is still to be brought; nothing when there is nothing. One run at a time. */
  async bring(core: Core): Promise<void> {
    const { signal } = this.#stopping
    this.#running ??= this.#bring(core, signal).finally(() => (this.#running = undefined))
    await this.#running
  }

  /** The same beside everything else, at start: trouble is told in the log and in `status`. */
  resume(core: Core): void {
    this.bring(core).catch((thrown: unknown) => {
      const { message: reason } = asPeerStorError(thrown)
      if (this.#stopping.signal.aborted) return
      this.#parts.log.error('files of the pool before are not all here yet', { reason })
    })
  }

  /** Ends a run before its pool closes; a later one goes on. */
  async pause(): Promise<void> {
    this.#stopping.abort()
    await this.#running?.catch(() => undefined)
    this.#stopping = new AbortController()
  }

  get #keysHome(): string {
    return join(this.#parts.home.keys, 'before')
  }

  async #bring(core: Core, signal: AbortSignal): Promise<void> {
    const old = await loadPoolKeys(this.#keysHome, this.#parts.peerKey)
    if (old === undefined) return
    if (old.pool !== core.catalogue.pool) await this.#bringFrom(old, core, signal)
    // Else a crash came before the keys were replaced: this home has never left.
    await removePoolKeys(this.#keysHome)
    await this.clear(core)
  }

  async #bringFrom(old: PoolKeys, core: Core, signal: AbortSignal): Promise<void> {
    await this.#caughtUp(core, signal)
    const brought = await this.#tellingTrouble(() => bringFiles(this.#parts, old, core, { signal }))
    this.#parts.log.info('the files of the pool before were brought along', { files: brought.files })
    await this.giveUp(core.store.own, old.pool)
  }

  async #tellingTrouble(run: () => Promise<Brought>): Promise<Brought> {
    try {
      const brought = await run()
      const [first] = brought.left
      if (first !== undefined)
        throw fail('FILES_LEFT', { count: brought.left.length, path: first.path, reason: first.reason })
      this.#trouble = undefined
      return brought
    } catch (thrown) {
      const { message, next } = asPeerStorError(thrown)
      this.#trouble = `files of the pool before are not all here yet: ${message}; ${next}`
      throw thrown
    }
  }

  /** Until another device's files are known here, or it takes too long. */
  async #caughtUp({ membership, pool }: Core, signal: AbortSignal): Promise<void> {
    if (membership.members().length < 2) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const leave = pool.on(({ type }) => {
      if (type === 'caught-up') resolve()
    })
    const cancel = this.#parts.clock.after(catchUpMs, resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    leave()
    cancel()
  }
}
