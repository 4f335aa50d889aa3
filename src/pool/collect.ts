/**
 * Drops from this disk what nothing needs: chunks that no standing pin has held for the time of quarantine, and whose
 * released pins have all fallen. Absence of news is no reason: a chunk goes when releases cover its pins, or, when its
 * pins were lost, after every folder here was compared with what its members need. A pass that would drop many of the
 * latter stops and asks.
 */
import { limits } from '../base/limits.ts'
import { fail } from '../base/errors.ts'
import type { ChunkId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { LooseChunk } from '../store/index-reader.ts'
import { isClockOff, type CollectionParts } from './collection.ts'
import { idsWith } from './pin-digests.ts'

/** Chunks dropped together: a few milliseconds. */
const pageChunks = 500
const walkEveryMs = 24 * 3600_000
/** What the wall clock may move against the monotonic one between two passes. */
const jumpMs = limits.collectClockMs
const row = ['work', 'collect'] as const

/** What a pass stopped before, until somebody agrees. */
export interface Held {
  id: string
  reason: string
  chunks: number
  bytes: number
  /** Of these, those that no pin held before this wall time. */
  before: number
}

export interface CollectResult {
  removed: number
  bytes: number
  held: Held[]
  /** Why nothing, or only a part, could be decided. */
  waiting: string[]
}

interface Tally {
  chunks: number
  bytes: number
}

export class Collect {
  readonly #parts: CollectionParts
  #nextAt: number
  #walkAt = 0
  /** Wall clock minus monotonic clock at the last pass. */
  #offset: number
  readonly #total = { passes: 0, chunks: 0, bytes: 0, seconds: 0 }
  #waiting: readonly string[] = []
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: CollectionParts) {
    this.#parts = parts
    this.#nextAt = parts.clock.monotonicMs() + parts.times().firstMs
    this.#offset = this.#offsetNow()
  }

  worker(): Worker {
    return {
      name: 'collect',
      work: (signal) => this.#work(signal),
      status: () => this.#status(),
      hurry: () => (this.#nextAt = 0),
    }
  }

  /** Since the start. */
  get total(): Readonly<{ passes: number; chunks: number; bytes: number; seconds: number }> {
    return this.#total
  }

  /** A pass at once. `dry`: only counts. `confirm`: the id of what a pass stopped before; it goes now. */
  pass(
    signal: AbortSignal,
    { dry = false, confirm }: { dry?: boolean | undefined; confirm?: string | undefined } = {},
  ): Promise<CollectResult> {
    const turn = this.#turn.then(() => this.#pass(signal, dry, this.#agreed(confirm)))
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  held(): Held[] {
    const held = this.#parts.store.own.get<Held>(...row)
    return held === undefined ? [] : [held]
  }

  async #work(signal: AbortSignal): Promise<WorkResult> {
    const { clock, times, log } = this.#parts
    const now = clock.monotonicMs()
    const leftMs = Math.min(this.#nextAt - now, times().everyMs)
    if (leftMs > 0) return { waitMs: Math.max(1, leftMs) }
    this.#nextAt = now + times().everyMs
    const jumped = Math.abs(this.#offsetNow() - this.#offset) > jumpMs
    this.#offset = this.#offsetNow()
    if (jumped) {
      // Hello tells by the next pass whether it is this clock that was set.
      log.warn('nothing is collected in this pass: the clock was set')
      return { waitMs: times().everyMs }
    }
    await this.pass(signal)
    return { waitMs: times().everyMs }
  }

  async #pass(signal: AbortSignal, dry: boolean, agreed: Held | undefined): Promise<CollectResult> {
    const { clock, log, onDropped } = this.#parts
    const startedAt = clock.monotonicMs()
    const result: CollectResult = { removed: 0, bytes: 0, held: [], waiting: [] }
    if (isClockOff(this.#parts)) result.waiting.push('the clocks of this device and others differ')
    else {
      await this.#findUnpinned(signal, dry)
      add(result, await this.#sweep({ released: true, before: this.#due() }, dry, signal))
      await this.#unasked(result, dry, agreed, signal)
    }
    result.held.push(...this.held().filter(({ id }) => dry || id !== agreed?.id))
    this.#waiting = [...result.waiting, ...result.held.map(({ reason }) => reason)]
    const seconds = (clock.monotonicMs() - startedAt) / 1000
    if (dry) return result
    this.#total.passes += 1
    this.#total.chunks += result.removed
    this.#total.bytes += result.bytes
    this.#total.seconds += seconds
    const { chunks: quarantined } = this.#parts.store.read.looseChunks()
    const { removed, bytes, waiting } = result
    const say = removed > 0 || waiting.length > 0 ? 'info' : 'debug'
    log[say]('collected', {
      removed,
      bytes,
      quarantined,
      seconds,
      ...(waiting[0] && { waiting: waiting[0] }),
    })
    if (removed > 0) onDropped()
    return result
  }

  /** Chunks whose pins were lost, or that were written without any: their quarantine begins when they are found. */
  async #findUnpinned(signal: AbortSignal, dry: boolean): Promise<void> {
    const { store, clock } = this.#parts
    if (dry || clock.monotonicMs() < this.#walkAt) return
    const pages = idsWith(
      (after, until, limit) => store.read.unpinned(after, until, limit),
      '',
      () => clock.sleep(1, signal),
    )
    for await (const ids of pages) await store.index([{ op: 'loose', ids, at: clock.now() }])
    this.#walkAt = clock.monotonicMs() + walkEveryMs
  }

  /** What nobody released explicitly: only when all is known, and not too much of it unasked. */
  async #unasked(
    result: CollectResult,
    dry: boolean,
    agreed: Held | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, membership } = this.#parts
    const due = { released: false, before: this.#due() }
    const found = await this.#sweep(due, true, signal)
    if (found.chunks === 0) return this.#hold(undefined, dry)
    // Since the last of them lost its pins: with all members away since then, nobody could pin it again.
    const compared = new Set(store.read.reconciled(due.before))
    const open = membership.folders().filter(({ id }) => !compared.has(id))
    if (open.length > 0) {
      const folders = open.length === 1 ? '1 folder was' : `${open.length} folders were`
      result.waiting.push(`${folders} not compared yet with what a device that reads it needs`)
      return
    }
    const { chunks } = await store.use()
    const isMuch = found.chunks >= limits.collectUnasked && found.chunks > chunks * limits.collectShare
    if (!isMuch) {
      add(result, await this.#sweep(due, dry, signal))
      return this.#hold(undefined, dry)
    }
    if (agreed !== undefined) {
      add(result, await this.#sweep({ ...due, before: agreed.before }, dry, signal))
      if (!dry) await this.#hold(undefined, dry)
    } else await this.#hold({ ...found, before: due.before }, dry)
  }

  /** Remembers what waits for somebody's word; the first word asked for stays the same. */
  async #hold(found: (Tally & { before: number }) | undefined, dry: boolean): Promise<void> {
    const { store, random } = this.#parts
    if (dry) return
    const [before] = this.held()
    if (found === undefined) {
      if (before !== undefined) await store.own.remove(...row)
      return
    }
    if (before !== undefined) return
    const held: Held = {
      id: Buffer.from(random.bytes(4)).toString('hex'),
      reason:
        'many chunks that nobody released would be dropped: are all devices and folders as they should be?',
      ...found,
    }
    await store.own.put(...row, held)
  }

  #agreed(confirm: string | undefined): Held | undefined {
    if (confirm === undefined) return undefined
    const held = this.held().find(({ id }) => id === confirm)
    if (held === undefined) throw fail('NOT_FOUND', { what: 'question of collection', name: confirm })
    return held
  }

  /** Drops what is due, or only counts it. */
  async #sweep(
    { released, before }: { released: boolean; before: number },
    dry: boolean,
    signal: AbortSignal,
  ): Promise<Tally> {
    const { store, clock, inUse } = this.#parts
    const now = clock.now()
    const tally: Tally = { chunks: 0, bytes: 0 }
    const may = (id: ChunkId): boolean =>
      store.read.isLooseSince(id, before, now) && !inUse(id) && !store.read.isNeeded(id)
    for (let after = 0; ;) {
      signal.throwIfAborted()
      const page = store.read.looseSince(before, now, after, pageChunks)
      const ofKind = page.filter((chunk) => chunk.released === released)
      const ids = ofKind.map(({ id }) => id)
      count(tally, ofKind, dry ? ids.filter(may) : await store.chunks.drop(ids, may))
      if (page.length < pageChunks) return tally
      after = page.at(-1)!.n
      await clock.sleep(1, signal)
    }
  }

  /** Loose since then or before: over. */
  #due(): number {
    return this.#parts.clock.now() - this.#parts.times().quarantineMs
  }

  #offsetNow(): number {
    return this.#parts.clock.now() - this.#parts.clock.monotonicMs()
  }

  #status(): string {
    const { chunks, bytes } = this.#parts.store.read.looseChunks()
    const waiting = this.#waiting.length === 0 ? '' : `; ${this.#waiting[0]}`
    return `${this.#total.chunks} chunks dropped since the start, ${chunks} (${bytes} bytes) in quarantine${waiting}`
  }
}

function count(tally: Tally, page: readonly LooseChunk[], ids: readonly ChunkId[]): void {
  const among = new Set(ids)
  for (const { id, bytes } of page) {
    if (!among.has(id)) continue
    tally.chunks += 1
    tally.bytes += bytes
  }
}

function add(result: CollectResult, { chunks, bytes }: Tally): void {
  result.removed += chunks
  result.bytes += bytes
}
