/**
 * Takes in what others offer: pulls the chunks that are not here from the offering peer, compares each
 * with its id, stores it with its pins and reports it once it is durable.
 *
 * Pins (crypto.md §5): a member pins for his own device; a holder that repairs or hands over passes on
 * the pins it holds. A lie costs space within this peer's contribution, never data: of one
 * chunk only so many pins are taken.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError, fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { ChunkId, DeviceId, PeerId } from '../base/words.ts'
import { Budget } from '../codec/budget.ts'
import type { Codec, VerifiedBytes } from '../codec/codec.ts'
import { free } from '../base/handover.ts'
import type { Call } from '../net/network.ts'
import type { Pin } from '../store/chunk-store.ts'
import { Channel } from './channel.ts'
import type { Health } from './health.ts'
import type { Membership, PoolParts, PoolStore } from './pool.ts'
import type { RemoteStore } from './remote-store.ts'
import { mostPinsOfChunk, outcomePart, type Offer, type Outcome } from './wire.ts'

/**
 * Requests for chunks in flight to one offering peer, all its offers together: the next answer streams
 * while the last is written. More would not fit its lanes and go over slower streams.
 */
const pullsAtOnce = limits.lanesPerPeer
/** What one request should bring, and how many chunks it asks for until their size is known. */
const pullBytes = 8 * 1024 * 1024
const firstPull = 16
/** Chunks are written together up to this many bytes, or when the oldest has waited so long. */
const writeBytes = 8 * 1024 * 1024
const writeAfterMs = 1_000

export interface KeeperParts {
  store: PoolStore
  codec: Pick<Codec, 'verify'>
  budget: Pick<Budget, 'take' | 'tryTake'>
  membership: Membership
  clock: Clock
  log: Log
  health: Health
  remote: (peer: PeerId) => RemoteStore
  /** See `PoolParts`. */
  unwanted: PoolParts['unwanted']
  /** Chunks became durable here. */
  onKept: (ids: readonly ChunkId[]) => void
}

/** What is known of a peer that offers. */
interface Sender {
  pulls: Budget
  /** Chunks in the next request. */
  page: number
}

interface Wanted {
  index: number
  id: ChunkId
  pins: Pin[]
}

export class Keeper {
  readonly #parts: KeeperParts
  readonly #offers = new Map<PeerId, number>()
  readonly #senders = new Map<PeerId, Sender>()
  /** Chunks being pulled from somebody; a second offer of one waits for the first. */
  readonly #pulling = new Map<ChunkId, Promise<unknown>>()

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** The body of the answer to an offer: a line for each chunk as soon as it is durable here. */
  keep(call: Call, offer: Offer): AsyncGenerator<Uint8Array> {
    const wanted = readOffer(call, offer, this.#parts.membership)
    if ((this.#offers.get(call.from) ?? 0) >= limits.offersPerPeer)
      throw fail('RATE_LIMITED', { who: call.from, seconds: 1 })
    return this.#lines(call, wanted)
  }

  async *#lines(call: Call, wanted: Wanted[]): AsyncGenerator<Uint8Array> {
    const lines = new Channel<Uint8Array>()
    const stop = new AbortController()
    const done: Done = (items, outcome) => {
      for (const { index } of items) lines.push(outcomePart(index, outcome))
    }
    this.#count(call.from, 1)
    const work = this.#work(call.from, wanted, AbortSignal.any([call.signal, stop.signal]), done).then(
      () => lines.end(),
      (error: unknown) => lines.fail(error),
    )
    try {
      yield* lines
    } finally {
      stop.abort()
      await work
      this.#count(call.from, -1)
    }
  }

  #count(from: PeerId, change: number): void {
    const open = (this.#offers.get(from) ?? 0) + change
    if (open === 0) this.#offers.delete(from)
    else this.#offers.set(from, open)
  }

  async #work(from: PeerId, wanted: Wanted[], signal: AbortSignal, done: Done): Promise<void> {
    const { store, membership } = this.#parts
    const here = await store.chunks.has(wanted.map(({ id }) => id))
    const known = wanted.filter((_, index) => here[index])
    const lacking = wanted.filter((_, index) => !here[index])
    if (known.length > 0) {
      const own = membership.members().find(({ peer }) => peer === from)?.device
      await store.commit({ pins: known.flatMap((wanted) => this.#newPins(wanted, own)) })
      done(known, 'kept')
    }
    const self = membership.members().find(({ peer }) => peer === membership.self)
    if (self?.keeps === false || self?.full === true) return done(lacking, 'full')
    const unwanted = this.#parts.unwanted(lacking)
    done(
      lacking.filter(({ id }) => unwanted.has(id)),
      'failed',
    )
    const welcome = lacking.filter(({ id }) => !unwanted.has(id))
    await this.#pullAll(from, welcome, signal, done)
  }

  #newPins({ id, pins }: Wanted, own: DeviceId | undefined): { id: ChunkId; pin: Pin }[] {
    return takenPins(this.#parts.store.read.pins(id), pins, own).map((pin) => ({ id, pin }))
  }

  async #pullAll(from: PeerId, lacking: Wanted[], signal: AbortSignal, done: Done): Promise<void> {
    let at = 0
    const sender = this.#sender(from)
    const pull = async (): Promise<void> => {
      while (!signal.aborted && at < lacking.length) {
        const others = await sender.pulls.use(1, () => {
          const page = lacking.slice(at, at + sender.page)
          at += page.length
          return this.#pullPage(from, page, signal, done)
        })
        // Only now, when this pull is over: whoever is waited for may need its place.
        if (others.length > 0) await this.#afterOthers(from, others, signal, done)
      }
    }
    await Promise.all(Array.from({ length: pullsAtOnce }, pull))
  }

  #sender(peer: PeerId): Sender {
    let sender = this.#senders.get(peer)
    if (sender === undefined)
      this.#senders.set(peer, (sender = { pulls: new Budget(pullsAtOnce), page: firstPull }))
    return sender
  }

  /** Pulls one page, but for what somebody else is sending already, which it returns. */
  async #pullPage(from: PeerId, page: Wanted[], signal: AbortSignal, done: Done): Promise<Wanted[]> {
    const mine = page.filter(({ id }) => !this.#pulling.has(id))
    const others = page.filter(({ id }) => this.#pulling.has(id))
    const pulled = this.#pull(from, mine, signal, done)
    for (const { id } of mine) this.#pulling.set(id, pulled)
    try {
      await pulled
    } finally {
      for (const { id } of mine) this.#pulling.delete(id)
    }
    return others
  }

  async #afterOthers(from: PeerId, others: Wanted[], signal: AbortSignal, done: Done): Promise<void> {
    await Promise.allSettled(others.flatMap(({ id }) => this.#pulling.get(id) ?? []))
    if (!signal.aborted) await this.#work(from, others, signal, done)
  }

  async #pull(from: PeerId, page: Wanted[], signal: AbortSignal, done: Done): Promise<void> {
    if (page.length === 0) return
    const writer = new Writer(this.#parts, done)
    const left = new Map(page.map((item) => [item.id, item]))
    const wrong: Wanted[] = []
    let pulled = 0
    try {
      await this.#parts.health.measured(from, async ({ answered, received }) => {
        const options = { signal, answered, room: (bytes: number) => writer.room(bytes, signal) }
        for await (const { id, bytes } of this.#parts.remote(from).getPage([...left.keys()], options)) {
          received(bytes.byteLength)
          pulled += bytes.byteLength
          const item = left.get(id)!
          left.delete(id)
          const verified = await this.#verified(id, bytes, from)
          if (verified !== undefined) await writer.add(item, verified)
          else {
            wrong.push(item)
            writer.giveBackLast()
          }
        }
      })
      await writer.flush()
      const wish = Math.ceil((pullBytes * page.length) / Math.max(1, pulled))
      this.#sender(from).page = Math.max(2, Math.min(limits.getChunks, wish))
    } catch (error) {
      this.#refuse([...wrong, ...writer.drop(), ...left.values()], error, from, done)
      return
    }
    done([...wrong, ...left.values()], 'failed')
  }

  /** Undefined when the bytes are wrong: one chunk that has rotted must not keep the others from being copied. */
  async #verified(id: ChunkId, bytes: Uint8Array, from: PeerId): Promise<VerifiedBytes | undefined> {
    try {
      return await this.#parts.codec.verify(id, bytes, from)
    } catch (error) {
      if (!isCode(error, 'CHUNK_DAMAGED')) throw error
      this.#parts.log.info('a chunk that was offered is damaged', { from, id })
      this.#parts.health.wrong(from)
      return undefined
    }
  }

  #refuse(items: Wanted[], error: unknown, from: PeerId, done: Done): void {
    const full = isCode(error, 'QUOTA_FULL') || isCode(error, 'DISK_FULL')
    const { code, message } = asPeerStorError(error)
    this.#parts.log.info('an offer was not taken whole', {
      from,
      chunks: items.length,
      code,
      reason: message,
    })
    done(items, full ? 'full' : 'failed')
  }
}

type Done = (items: readonly Wanted[], outcome: Outcome) => void

/** Collects verified chunks and writes them together; holds budget until they are durable. */
class Writer {
  readonly #parts: KeeperParts
  readonly #done: Done
  #items: { item: Wanted; bytes: VerifiedBytes }[] = []
  #bytes = 0
  #since = 0
  #releases: (() => void)[] = []

  constructor(parts: KeeperParts, done: Done) {
    this.#parts = parts
    this.#done = done
  }

  /** Waits for room for the next chunk, holding nothing while it waits. */
  async room(bytes: number, signal: AbortSignal): Promise<void> {
    let release = this.#parts.budget.tryTake(bytes)
    if (release === undefined) {
      await this.flush()
      release = await this.#parts.budget.take(bytes, signal)
    }
    this.#releases.push(release)
  }

  async add(item: Wanted, bytes: VerifiedBytes): Promise<void> {
    if (this.#items.length === 0) this.#since = this.#parts.clock.monotonicMs()
    this.#items.push({ item, bytes })
    this.#bytes += bytes.byteLength
    const waited = this.#parts.clock.monotonicMs() - this.#since
    if (this.#bytes >= writeBytes || waited >= writeAfterMs) await this.flush()
  }

  /** The room of the chunk read last. */
  giveBackLast(): void {
    this.#releases.pop()?.()
  }

  async flush(): Promise<void> {
    if (this.#items.length === 0) return
    await this.#parts.store.chunks.put(
      this.#items.map(({ item, bytes }) => ({ id: item.id, bytes, pins: item.pins })),
    )
    for (const { bytes } of this.#items) free(bytes)
    const written = this.drop()
    this.#done(written, 'kept')
    this.#parts.onKept(written.map(({ id }) => id))
  }

  /** Gives up what is not written; returns it. */
  drop(): Wanted[] {
    const items = this.#items.map(({ item }) => item)
    for (const release of this.#releases.splice(0)) release()
    this.#items = []
    this.#bytes = 0
    return items
  }
}

const textOf = ({ folder, device }: Pin): string => folder + device

/**
 * Pins cost no contributed space, and any member may pass on any: of one chunk only so many are taken,
 * beside those of the senders for themselves.
 */
export function takenPins(here: readonly Pin[], told: readonly Pin[], own: DeviceId | undefined): Pin[] {
  const known = new Set(here.map(textOf))
  return told.filter(
    (pin) => pin.device === own || known.has(textOf(pin)) || known.add(textOf(pin)).size <= mostPinsOfChunk,
  )
}

/** Those of `pins` that are not in `here`. */
export function pinsBeside(here: readonly Pin[], pins: readonly Pin[]): Pin[] {
  const known = new Set(here.map(textOf))
  return pins.filter((pin) => !known.has(textOf(pin)))
}

/** The pins that a chunk of a request names by their places in its list; one that is not there is refused. */
export function pinsAt(call: Call, listed: readonly Pin[], places: readonly number[], own?: DeviceId): Pin[] {
  return places.map((place) => {
    const pin = listed[place]
    if (pin === undefined) throw fail('BAD_INPUT', { what: 'the offer', reason: `it has no pin ${place}` })
    if (call.role === 'storage' && pin.device === own)
      throw fail('FORBIDDEN', { role: call.role, action: 'pin chunks for itself' })
    return pin
  })
}

/** The offer's chunks with their pins; a pin list that names what is not there is refused. */
function readOffer(call: Call, offer: Offer, membership: Membership): Wanted[] {
  const sender = membership.members().find(({ peer }) => peer === call.from)
  const seen = new Set<ChunkId>()
  return offer.chunks.map(([id, places], index) => {
    if (seen.has(id)) throw fail('BAD_INPUT', { what: 'the offer', reason: `it names chunk ${id} twice` })
    seen.add(id)
    const pins = pinsAt(call, offer.pins, places, sender?.device)
    if (pins.length === 0) throw fail('BAD_INPUT', { what: 'the offer', reason: `chunk ${id} has no pin` })
    return { index, id, pins }
  })
}
