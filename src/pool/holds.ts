/**
 * Promises between holders. Who gives up a copy relies on others: each proves that it has the bytes, takes over the
 * pins that the copy had, and promises to keep the chunk for `limits.promiseMs`. A chunk is either promised here or
 * being given up here, never both: so of two devices that give up copies of one chunk none relies on the other.
 *
 * Promises are kept in memory. After a start with chunks on the disk nothing is given up until those of before,
 * which nobody remembers, have run out.
 */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Answer, Call } from '../net/network.ts'
import type { Pin } from '../store/chunk-store.ts'
import { pinsAt, pinsBeside, takenPins } from './keep.ts'
import type { PoolStore } from './pool.ts'
import { proofsOf } from './proofs.ts'
import type { Roster } from './roster.ts'
import { readCall } from './serve-chunks.ts'
import { hold, holdAnswer } from './wire.ts'

/** Not here, and no reason known here against fewer copies. */
const fine = Uint8Array.of(1)
const none = new Uint8Array(0)

export interface HoldsParts {
  store: PoolStore
  roster: Roster
  clock: Clock
  /** A chunk on this disk does not match its id. */
  onDamage: (id: ChunkId) => void
}

interface Asked {
  id: ChunkId
  pins: Pin[]
  want: number
}

export class Holds {
  readonly #parts: HoldsParts
  /** Until when (monotonic), in the order of their ends. */
  readonly #promised = new Map<ChunkId, number>()
  readonly #givingUp = new Set<ChunkId>()
  /** When promises of an earlier run have ended. */
  #freeAt = Number.POSITIVE_INFINITY

  constructor(parts: HoldsParts) {
    this.#parts = parts
  }

  /** To be called before the first promise can be asked for: who begins with an empty disk has promised nothing. */
  async begun(): Promise<void> {
    const { clock, store } = this.#parts
    const first = await store.chunks.list('')[Symbol.asyncIterator]().next()
    this.#freeAt = clock.monotonicMs() + (first.done === true ? 0 : limits.promiseMs)
  }

  /** Milliseconds until copies may be given up at all. */
  get waitMs(): number {
    return Math.max(0, this.#freeAt - this.#parts.clock.monotonicMs())
  }

  isPromised(id: ChunkId): boolean {
    return this.#parts.clock.monotonicMs() < (this.#promised.get(id) ?? 0)
  }

  /** Those of `ids` that may be given up: nothing is promised of them from here to `end`. */
  begin(ids: readonly ChunkId[]): ChunkId[] {
    const free = ids.filter((id) => !this.isPromised(id) && !this.#givingUp.has(id))
    for (const id of free) this.#givingUp.add(id)
    return free
  }

  end(ids: readonly ChunkId[]): void {
    for (const id of ids) this.#givingUp.delete(id)
  }

  /** Answers `chunks.hold`. */
  async answer(call: Call): Promise<Answer> {
    const { nonce, pins, chunks } = readCall(hold, call, 'chunks.hold')
    const { roster, store, onDamage } = this.#parts
    const sender = roster.members().find(({ peer }) => peer === call.from)
    const asked = chunks.map(([id, places, want]): Asked => {
      return { id, want, pins: pinsAt(call, pins, places, sender?.device) }
    })
    const here = await store.chunks.has(asked.map(({ id }) => id))
    const wants = roster.wants(
      asked.map(({ id, pins }) => ({ id, pins: [...pins, ...store.read.standingPins(id)] })),
    )
    const enough = asked.map(({ id, want }) => (wants.get(id) ?? Number.POSITIVE_INFINITY) <= want)
    const kept = await this.#promise(
      asked.filter((_, index) => here[index] && enough[index]),
      sender?.device,
    )
    const proofs = await proofsOf(store, nonce, kept, { signal: call.signal, onDamage })
    const answers = asked.map(({ id }, index) =>
      here[index] ? (proofs.get(id) ?? none) : enough[index] ? fine : none,
    )
    return { head: encode(holdAnswer, { proofs: answers }) }
  }

  /** Promises what stays here anyway, and takes over pins; those that are pinned here now as there. */
  async #promise(asked: readonly Asked[], own: Pin['device'] | undefined): Promise<ChunkId[]> {
    const { store, roster, clock } = this.#parts
    if (roster.member(roster.self)?.keeps !== true) return []
    this.#forgetOld()
    const free = asked.filter(({ id }) => !this.#givingUp.has(id) && this.#promised.size < limits.promises)
    const until = clock.monotonicMs() + limits.promiseMs
    for (const { id } of free) {
      this.#promised.delete(id)
      this.#promised.set(id, until)
    }
    const pins = free.flatMap(({ id, pins }) => {
      const here = store.read.standingPins(id)
      return takenPins(here, pinsBeside(here, pins), own).map((pin) => ({ id, pin }))
    })
    if (pins.length > 0) await store.commit({ pins })
    // Asked once more, now that it is promised: a drop may have been on its way before.
    const here = await store.chunks.has(free.map(({ id }) => id))
    return free
      .filter(
        ({ id, pins }, index) => here[index] && pinsBeside(store.read.standingPins(id), pins).length === 0,
      )
      .map(({ id }) => id)
  }

  #forgetOld(): void {
    const now = this.#parts.clock.monotonicMs()
    for (const [id, until] of this.#promised) {
      if (until > now) return
      this.#promised.delete(id)
    }
  }
}
