/**
 * A peer as a ChunkStore. Reading asks it; `put` offers chunks, which the peer pulls from us
 * (`serve-chunks.ts` there and here) and answers once they are durable. What it sends is unverified;
 * an answer out of form ends the exchange with `PEER_MISBEHAVED`.
 */
import { contributionFull, fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { CallOptions, ChunkId, PeerId } from '../base/words.ts'
import { Budget } from '../codec/budget.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Network } from '../net/network.ts'
import type { ChunkStore, ChunkToPut, FoundChunk, ListOptions, Pin } from '../store/chunk-store.ts'
import {
  challenge,
  challengeAnswer,
  chunksAsked,
  hasAnswer,
  hasAsked,
  hold,
  holdAnswer,
  listAsked,
  listBody,
  listBodyBytes,
  misbehaved,
  mostPins,
  mostPinsOfChunk,
  offer,
  readAnswer,
  readBody,
  readItems,
  readOutcomes,
  type Offer,
  type Outcome,
  verifiedAnswer,
} from './wire.ts'

/** Chunks of offers under way that need not be in this peer's store: the asked peer pulls them from here. */
export class Outbox {
  readonly #chunks = new Map<ChunkId, { bytes: Uint8Array; uses: number }>()

  get(id: ChunkId): Uint8Array | undefined {
    return this.#chunks.get(id)?.bytes
  }

  /** Several offers may hold one chunk; it leaves with the last. */
  add({ id, bytes }: ChunkToPut): void {
    const here = this.#chunks.get(id)
    if (here === undefined) this.#chunks.set(id, { bytes, uses: 1 })
    else here.uses += 1
  }

  remove({ id }: ChunkToPut): void {
    const here = this.#chunks.get(id)
    if (here === undefined) return
    here.uses -= 1
    if (here.uses === 0) this.#chunks.delete(id)
  }
}

/** Offers at once to one peer; it refuses more than `limits.offersPerPeer`. */
const offersAtOnce = limits.offersPerPeer / 2

export interface OfferedChunk {
  id: ChunkId
  pins: readonly Pin[]
}

export interface HeldChunk extends OfferedChunk {
  /** Copies that are wanted of it, as far as is known here. */
  want: number
}

export interface RemoteOptions {
  network: Network
  outbox: Outbox
  peer: PeerId
}

export class RemoteStore implements ChunkStore {
  readonly peer: PeerId
  readonly #network: Network
  readonly #outbox: Outbox
  readonly #offers = new Budget(offersAtOnce)

  constructor({ network, outbox, peer }: RemoteOptions) {
    this.peer = peer
    this.#network = network
    this.#outbox = outbox
  }

  async has(ids: readonly ChunkId[], options: CallOptions = {}): Promise<boolean[]> {
    const here: boolean[] = []
    for (const page of pages(ids, limits.offerChunks)) {
      const reply = await this.#network.request(
        this.peer,
        'chunks.has',
        encode(hasAsked, { ids: page }),
        options,
      )
      await discard(reply.body)
      const { here: bits } = readAnswer(hasAnswer, reply.head, this.peer, 'chunks.has')
      if (bits.length !== Math.ceil(page.length / 8))
        throw misbehaved(this.peer, 'chunks.has', `${bits.length} bytes for ${page.length} chunks`)
      here.push(...page.map((_, index) => ((bits[index >> 3]! >> (index & 7)) & 1) === 1))
    }
    return here
  }

  async *get(ids: readonly ChunkId[], options: CallOptions = {}): AsyncGenerator<FoundChunk> {
    for (const page of pages([...new Set(ids)], limits.getChunks)) yield* this.getPage(page, options)
  }

  /**
   * One request for at most `limits.getChunks` distinct ids. `room` is awaited before the bytes of each
   * chunk are read; `answered` is called with the head.
   */
  async *getPage(
    ids: readonly ChunkId[],
    options: CallOptions & { room?: (bytes: number) => Promise<void>; answered?: () => void } = {},
  ): AsyncGenerator<FoundChunk> {
    const head = encode(chunksAsked, { ids: [...ids] })
    const reply = await this.#network.request(this.peer, 'chunks.get', head, callOptions(options))
    options.answered?.()
    const asked = {
      peer: this.peer,
      request: 'chunks.get' as const,
      count: ids.length,
      maxBytes: limits.sealedMax,
    }
    for await (const { index, bytes } of readItems(reply.body, asked, options.room))
      yield { id: ids[index]!, bytes }
  }

  async put(chunks: readonly ChunkToPut[], options: CallOptions = {}): Promise<void> {
    for (const page of pages(merged(chunks), limits.offerChunks)) await this.#putPage(page, options)
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ChunkId> {
    let { after } = options
    while (true) {
      const head = encode(listAsked, { prefix, ...(after === undefined ? {} : { after }) })
      const reply = await this.#network.request(this.peer, 'chunks.list', head, callOptions(options))
      const page = await readBody(listBody, reply.body, this.peer, 'chunks.list', listBodyBytes)
      for (const id of page.ids) {
        if (!id.startsWith(prefix) || (after !== undefined && id <= after))
          throw misbehaved(this.peer, 'chunks.list', 'its list is not in order')
        yield (after = id)
      }
      if (!page.more || page.ids.length === 0) return
    }
  }

  /** Offers at most `limits.offerChunks` chunks that can be pulled from here; yields what became of each. */
  async *offer(
    chunks: readonly OfferedChunk[],
    options: CallOptions = {},
  ): AsyncGenerator<{ id: ChunkId; outcome: Outcome }> {
    const end = await this.#offers.take(1, options.signal)
    try {
      const head = encode(offer, offerOf(chunks))
      const reply = await this.#network.request(this.peer, 'chunks.offer', head, callOptions(options))
      for await (const { index, outcome } of readOutcomes(reply.body, this.peer, chunks.length))
        yield { id: chunks[index]!.id, outcome }
    } finally {
      end()
    }
  }

  /** When the peer last read these and compared them, the earliest of those it has; see `Verifier.verifiedAt`. */
  async verifiedAt(ids: readonly ChunkId[], options: CallOptions = {}): Promise<number | undefined> {
    let first = Number.POSITIVE_INFINITY
    for (const page of pages(ids, limits.offerChunks)) {
      const head = encode(hasAsked, { ids: page })
      const reply = await this.#network.request(this.peer, 'chunks.verified', head, callOptions(options))
      await discard(reply.body)
      const { at } = readAnswer(verifiedAnswer, reply.head, this.peer, 'chunks.verified')
      if (at === undefined) return undefined
      first = Math.min(first, at)
    }
    return Number.isFinite(first) ? first : undefined
  }

  /** `keyed(nonce, sealed chunk)` for each id as the peer computes it now; undefined where it has none. */
  async challenge(
    nonce: Uint8Array,
    ids: readonly ChunkId[],
    options: CallOptions = {},
  ): Promise<(Uint8Array | undefined)[]> {
    const head = encode(challenge, { nonce, ids: [...ids] })
    const reply = await this.#network.request(this.peer, 'chunks.challenge', head, callOptions(options))
    await discard(reply.body)
    const { proofs } = readAnswer(challengeAnswer, reply.head, this.peer, 'chunks.challenge')
    if (proofs.length !== ids.length || proofs.some(({ length }) => length !== 0 && length !== 32))
      throw misbehaved(this.peer, 'chunks.challenge', 'its proofs do not fit the question')
    return proofs.map((proof) => (proof.length === 0 ? undefined : proof))
  }

  /**
   * Asks the peer to keep chunks whose copies here are given up, with the pins they have here; at most
   * `limits.getChunks`. For each: the proof when it promises to, `'fine'` when it has none and does not object.
   */
  async hold(
    nonce: Uint8Array,
    chunks: readonly HeldChunk[],
    options: CallOptions = {},
  ): Promise<(Uint8Array | 'fine' | undefined)[]> {
    const { pins, chunks: offered } = offerOf(chunks)
    const asked = offered.map(([id, places], index): [ChunkId, number[], number] => [
      id,
      places,
      chunks[index]!.want,
    ])
    const head = encode(hold, { nonce, pins, chunks: asked })
    const reply = await this.#network.request(this.peer, 'chunks.hold', head, callOptions(options))
    await discard(reply.body)
    const { proofs } = readAnswer(holdAnswer, reply.head, this.peer, 'chunks.hold')
    if (proofs.length !== chunks.length || proofs.some(({ length }) => ![0, 1, 32].includes(length)))
      throw misbehaved(this.peer, 'chunks.hold', 'its proofs do not fit the question')
    return proofs.map((proof) => (proof.length === 0 ? undefined : proof.length === 1 ? 'fine' : proof))
  }

  async #putPage(chunks: readonly ChunkToPut[], options: CallOptions): Promise<void> {
    const left = new Set(chunks.map(({ id }) => id))
    for (const chunk of chunks) this.#outbox.add(chunk)
    try {
      for await (const { id, outcome } of this.offer(chunks, options)) {
        if (outcome === 'full') throw contributionFull(0, `chunk ${id} on ${this.peer}`, 0)
        if (outcome === 'kept') left.delete(id)
      }
    } finally {
      for (const chunk of chunks) this.#outbox.remove(chunk)
    }
    if (left.size > 0)
      throw fail('PEER_UNREACHABLE', {
        peer: this.peer,
        reason: `it took ${left.size} chunks less than offered`,
      })
  }
}

/** Each chunk once, with the pins of all its mentions. */
function merged(chunks: readonly ChunkToPut[]): ChunkToPut[] {
  const byId = new Map<ChunkId, ChunkToPut>()
  for (const chunk of chunks) {
    const pins = [...(byId.get(chunk.id)?.pins ?? []), ...chunk.pins]
    byId.set(chunk.id, { ...chunk, pins })
  }
  return [...byId.values()]
}

function offerOf(chunks: readonly OfferedChunk[]): Offer {
  const places = new Map<string, number>()
  const pins: Offer['pins'] = []
  const placeOf = (pin: Pin): number[] => {
    const key = `${pin.folder}/${pin.device}`
    const known = places.get(key)
    if (known !== undefined) return [known]
    // Only a chunk that a thousand writers share would leave pins out; theirs come with their own offers.
    if (pins.length >= mostPins) return []
    const place = pins.push({ folder: pin.folder, device: pin.device }) - 1
    places.set(key, place)
    return [place]
  }
  return {
    chunks: chunks.map(({ id, pins: own }) => [id, own.slice(0, mostPinsOfChunk).flatMap(placeOf)]),
    pins,
  }
}

/** Only what the network knows of: `exactOptionalPropertyTypes` and stray options stay outside. */
function callOptions({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal }
}

function* pages<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

async function discard(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.()
}
