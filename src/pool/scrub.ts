/**
 * Goes round over everything that lies on this disk, a stretch at a time, and mends what it finds damaged: a good
 * copy is fetched from whoever has one, records are made again or read from another peer's feed. Where nobody has
 * a good copy the damage is told, and looked at again later.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { CallOptions, ChunkId, RecordHash } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { VerifiedBytes } from '../codec/codec.ts'
import type { Verified } from '../store/verifier.ts'
import type { PoolStore, ScrubResult } from './pool.ts'

/** After a start people come first. */
const settleMs = 10 * 60_000
const idleMs = 3600_000
/** As long a rest as nine times the work, and never more than these bytes a second. */
const restShare = 9
const restLeastMs = 50
const restMostMs = 30_000
const bytesPerMs = 20_000
/** Damage that nobody could mend is tried again after this, and soon after somebody connects. */
const againMs = 3600_000
const cameMs = 10_000
const fetchesAtOnce = 4
/** Chunks of a list that are looked at in one go. */
const pageChunks = 256
/** How long a scrub on demand waits for rotten records to come from others. */
const recordsMs = 30_000
const pollMs = 200

export interface ScrubParts {
  store: Pick<PoolStore, 'chunks' | 'verifier' | 'read'>
  clock: Clock
  log: Log
  /** Time between two looks at the same segment, milliseconds. */
  cycleMs: () => number
  fetch: (id: ChunkId, signal: AbortSignal | undefined) => Promise<VerifiedBytes>
  /** Makes a batch again, or looks for it at others; resolves to whether it was made again. */
  mend: (last: RecordHash) => Promise<boolean>
  wake: (worker: string) => void
  /** Damage was found, and so much of it is mended. */
  onDamage: (found: number, healed: number) => void
}

/** Damage under way to be mended. */
interface Damage {
  chunks: Set<ChunkId>
  batches: Set<RecordHash>
  /** Made good from the index already. */
  madeGood: number
}

export class Scrub {
  readonly #parts: ScrubParts
  readonly #suspects = new Set<ChunkId>()
  /** Where the worker is. */
  #at: { segment: number; from: number } | undefined
  #startAt: number
  #againAt: number
  /** Segments read before this wall time are due, whatever the cycle. */
  #dueBefore = 0
  #checkedBytes = 0
  #found = 0
  #healed = 0

  constructor(parts: ScrubParts) {
    this.#parts = parts
    this.#startAt = this.#againAt = parts.clock.monotonicMs() + settleMs
  }

  /** Bytes read and compared, damage found and mended, since the start. */
  get counts(): { checkedBytes: number; found: number; healed: number } {
    return { checkedBytes: this.#checkedBytes, found: this.#found, healed: this.#healed }
  }

  worker(): Worker {
    return {
      name: 'scrub',
      work: (signal) => this.#work(signal),
      status: () => this.#status(),
      hurry: () => {
        this.#startAt = this.#againAt = 0
        this.#dueBefore = this.#parts.clock.now()
      },
    }
  }

  /** Somebody met wrong bytes: they are read again from the disk, and mended. */
  async suspect(id: ChunkId): Promise<void> {
    if (this.#suspects.has(id)) return
    this.#suspects.add(id)
    try {
      await this.#settle(await this.#parts.store.verifier.chunks([id]), undefined)
    } finally {
      this.#suspects.delete(id)
    }
  }

  /** A peer came that may have what nobody had. */
  came(): void {
    if (this.#parts.store.verifier.quarantined().length === 0) return
    this.#againAt = Math.min(this.#againAt, this.#parts.clock.monotonicMs() + cameMs)
    this.#parts.wake('scrub')
  }

  /** Everything on this disk, or those of `ids` that are here, at full speed; resolves when all is mended that can be. */
  async run(
    ids: readonly ChunkId[] | undefined,
    options: CallOptions<ScrubResult> = {},
  ): Promise<ScrubResult> {
    const { verifier } = this.#parts.store
    const before = new Set(ids)
    const damage: Damage = {
      chunks: new Set(verifier.quarantined().filter((id) => ids === undefined || before.has(id))),
      batches: new Set(),
      madeGood: 0,
    }
    const result: ScrubResult = { checked: 0, bytes: 0, damaged: 0, healed: 0 }
    const pages = ids === undefined ? this.#segments(options) : this.#pages(ids, options)
    for await (const found of pages) {
      options.signal?.throwIfAborted()
      result.checked += found.checked
      result.bytes += found.bytes
      add(damage, found)
      this.#checkedBytes += found.bytes
      options.onProgress?.(result)
    }
    const healed = await this.#mend(damage, recordsMs, options.signal)
    result.damaged = damage.chunks.size + damage.batches.size + damage.madeGood
    result.healed = healed
    return result
  }

  async *#segments({ signal }: CallOptions): AsyncGenerator<Verified> {
    const { verifier } = this.#parts.store
    const never = new AbortController().signal
    yield await verifier.chunks(verifier.quarantined())
    for (const { number } of verifier.segments())
      for (let from: number | undefined = 0; from !== undefined;) {
        const found: Verified = await verifier.segment(number, from, signal ?? never)
        yield found
        from = found.next
      }
  }

  async *#pages(ids: readonly ChunkId[], { signal }: CallOptions): AsyncGenerator<Verified> {
    for (let first = 0; first < ids.length; first += pageChunks) {
      signal?.throwIfAborted()
      yield await this.#parts.store.verifier.chunks(ids.slice(first, first + pageChunks))
    }
  }

  async #work(signal: AbortSignal): Promise<WorkResult> {
    const { clock, store } = this.#parts
    const now = clock.monotonicMs()
    if (now < this.#startAt) return { waitMs: this.#startAt - now }
    if (now >= this.#againAt) await this.#again(signal)
    const next = this.#at ?? this.#due()
    if (typeof next === 'number') return { waitMs: Math.max(1, Math.min(next, this.#againAt - now)) }
    const found = await store.verifier.segment(next.segment, next.from, signal)
    this.#at = found.next === undefined ? undefined : { ...next, from: found.next }
    await this.#settle(found, signal)
    const tookMs = clock.monotonicMs() - now
    const restMs = Math.max(restLeastMs, restShare * tookMs, found.bytes / bytesPerMs)
    return { waitMs: Math.min(restMostMs, restMs) }
  }

  /** The segment that was read longest ago, or how long until it is due. */
  #due(): { segment: number; from: number } | number {
    const { clock, store, cycleMs } = this.#parts
    const [first] = store.verifier.segments().sort((a, b) => (a.verified ?? 0) - (b.verified ?? 0))
    if (first === undefined) return idleMs
    const { number, verified } = first
    const isDue = verified === undefined || verified < this.#dueBefore
    const leftMs = isDue ? 0 : verified + cycleMs() - clock.now()
    return leftMs > 0 ? Math.min(leftMs, idleMs) : { segment: number, from: 0 }
  }

  /** What nobody could mend before. */
  async #again(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#parts
    this.#againAt = clock.monotonicMs() + againMs
    const chunks = new Set(store.verifier.quarantined())
    if (chunks.size === 0) return
    await store.verifier.chunks([...chunks])
    await this.#mend({ chunks, batches: new Set(), madeGood: 0 }, 0, signal)
  }

  async #settle(found: Verified, signal: AbortSignal | undefined): Promise<void> {
    this.#checkedBytes += found.bytes
    const damage: Damage = { chunks: new Set(), batches: new Set(), madeGood: 0 }
    add(damage, found)
    await this.#mend(damage, 0, signal)
  }

  /** Resolves to how much of it is good again. */
  async #mend(damage: Damage, waitMs: number, signal: AbortSignal | undefined): Promise<number> {
    const { chunks, batches, madeGood } = damage
    const found = chunks.size + batches.size + madeGood
    if (found === 0) return 0
    const records = this.#mendRecords(batches, waitMs, signal)
    const healed = (await this.#fetchAll([...chunks], signal)) + (await records) + madeGood
    this.#found += found
    this.#healed += healed
    this.#parts.log.warn('damage was found on this disk', { found, healed })
    this.#parts.onDamage(found, healed)
    return healed
  }

  async #fetchAll(ids: readonly ChunkId[], signal: AbortSignal | undefined): Promise<number> {
    const left = [...ids]
    const one = async (): Promise<void> => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        signal?.throwIfAborted()
        await this.#fetch(id, signal)
      }
    }
    await Promise.all(Array.from({ length: fetchesAtOnce }, one))
    return ids.filter((id) => this.#parts.store.read.hasChunk(id)).length
  }

  async #fetch(id: ChunkId, signal: AbortSignal | undefined): Promise<void> {
    const { store, fetch, log } = this.#parts
    if (store.read.hasChunk(id)) return
    try {
      const bytes = await fetch(id, signal)
      await store.chunks.put([{ id, bytes, pins: store.read.standingPins(id) }])
    } catch (error) {
      log.warn('a damaged chunk could not be mended', { id, reason: asPeerStorError(error).message })
    }
  }

  /** Those that were not made again come by the feeds, which takes a while. */
  async #mendRecords(
    batches: ReadonlySet<RecordHash>,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { mend, clock, store } = this.#parts
    const isWhole = (last: RecordHash): boolean => !store.read.isPartialBatch(last)
    for (const last of batches) await mend(last).catch(() => false)
    const until = clock.monotonicMs() + waitMs
    while (![...batches].every(isWhole) && clock.monotonicMs() < until) await clock.sleep(pollMs, signal)
    return [...batches].filter(isWhole).length
  }

  #status(): string {
    const { verifier } = this.#parts.store
    const segments = verifier.segments()
    const read = segments.filter(({ verified }) => verified !== undefined).length
    const damaged = verifier.quarantined().length
    const waiting = damaged === 0 ? 'no damage' : `${damaged} damaged chunks wait for a good copy`
    const mended = this.#healed === 0 ? '' : `, ${this.#healed} mended`
    return `${read} of ${segments.length} segments verified; ${waiting}${mended}`
  }
}

function add(damage: Damage, { chunks, batches, madeGood }: Verified): void {
  for (const id of chunks) damage.chunks.add(id)
  for (const last of batches) damage.batches.add(last)
  damage.madeGood += madeGood
}
