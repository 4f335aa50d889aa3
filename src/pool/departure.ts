/**
 * Whether this device can go: every chunk here that something pins must lie on as many other devices as
 * its folder wants. The index says what others told; before anybody relies on it, each of those devices
 * proves that it has the bytes now (crypto.md's challenge), and reads them from its disk to do so.
 */
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId, PeerId, RecordHash } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Network } from '../net/network.ts'
import type { PoolStore } from './pool.ts'
import { proofsOf } from './proofs.ts'
import type { RemoteStore } from './remote-store.ts'
import type { Roster } from './roster.ts'
import { batchesAsked, readItems } from './wire.ts'

const lookChunks = 512
const nonceBytes = 32

export interface DepartureParts {
  store: PoolStore
  roster: Roster
  network: Network
  random: Random
  log: Log
  remote: (peer: PeerId) => RemoteStore
  /** A device has not got a chunk that it was known for. */
  onMissing: (peer: PeerId, id: ChunkId) => void
}

/** What a page of the chunks here showed. */
export interface Looked {
  chunks: number
  /** Those that too few other devices have. */
  lacking: number
  /** To go on behind; absent at the end. */
  next?: ChunkId
}

export class Departure {
  readonly #parts: DepartureParts

  constructor(parts: DepartureParts) {
    this.#parts = parts
  }

  /** A page of chunks by id, as the index knows them. */
  async look(after: ChunkId | undefined): Promise<Looked> {
    const { ids, next } = await this.#page(after, lookChunks)
    const relied = this.#reliedOn(ids)
    const lacking = ids.filter((id) => relied.get(id) === undefined).length
    return { chunks: ids.length, lacking, ...(next && { next }) }
  }

  /** The same, proved by the devices themselves. */
  async prove(after: ChunkId | undefined, signal: AbortSignal): Promise<Looked> {
    const { ids, next } = await this.#page(after, limits.getChunks)
    const failed = await this.#failing(ids, this.#reliedOn(ids), signal)
    return { chunks: ids.length, lacking: failed.size, ...(next && { next }) }
  }

  /**
   * Those of these chunks, which are all here, that fewer than `others` devices prove to have. A device
   * that says it keeps what it has not is no holder of it from then on.
   */
  async unproved(ids: readonly ChunkId[], others: number, signal: AbortSignal): Promise<ChunkId[]> {
    const unproved: ChunkId[] = []
    for (let at = 0; at < ids.length; at += limits.getChunks) {
      const page = ids.slice(at, at + limits.getChunks)
      unproved.push(...(await this.#failing(page, this.#reliedOn(page, others), signal)))
    }
    return unproved
  }

  /** Chunks that too few devices are relied on for, or that one of these does not prove. */
  async #failing(
    ids: readonly ChunkId[],
    relied: ReadonlyMap<ChunkId, PeerId[] | undefined>,
    signal: AbortSignal,
  ): Promise<Set<ChunkId>> {
    const nonce = this.#parts.random.bytes(nonceBytes)
    // A chunk that has rotted here is left out: it is no measure for others.
    const proofs = await proofsOf(this.#parts.store, nonce, [...relied.keys()], { signal })
    const asked = Map.groupBy(
      [...relied].flatMap(([id, peers]) => (peers ?? []).map((peer) => ({ id, peer }))),
      ({ peer }) => peer,
    )
    const failed = new Set<ChunkId>(ids.filter((id) => relied.get(id) === undefined))
    for (const [peer, questions] of asked) {
      const chunks = questions.map(({ id }) => id)
      for (const id of await this.#unproved(peer, nonce, chunks, proofs, signal)) failed.add(id)
    }
    return failed
  }

  /** Whether another device gives a batch of records back: it has that one, and all that it links to. */
  async hasBatch(peer: PeerId, last: RecordHash, signal: AbortSignal): Promise<boolean> {
    const reply = await this.#parts.network.request(
      peer,
      'feed.batches',
      encode(batchesAsked, { last: [last] }),
      { signal },
    )
    const items = { peer, request: 'feed.batches' as const, count: 1, maxBytes: limits.batchBytes }
    let found = false
    for await (const { bytes } of readItems(reply.body, items)) found ||= bytes.byteLength > 0
    return found
  }

  async #page(after: ChunkId | undefined, most: number): Promise<{ ids: ChunkId[]; next?: ChunkId }> {
    const ids: ChunkId[] = []
    for await (const id of this.#parts.store.chunks.list('', { after })) {
      if (ids.length === most) return { ids, next: ids.at(-1)! }
      ids.push(id)
    }
    return { ids }
  }

  /** The devices each chunk would lie on without this one, as many as are wanted; undefined when they are too few. */
  #reliedOn(ids: readonly ChunkId[], copies?: number): Map<ChunkId, PeerId[] | undefined> {
    const { roster } = this.#parts
    const keepers = new Set(roster.reachable().filter((peer) => peer !== roster.self))
    const holders = roster.holders(ids)
    return new Map(
      ids.map((id) => {
        const want = copies ?? this.#want(id)
        const peers = (holders.get(id) ?? []).filter((peer) => keepers.has(peer)).slice(0, want)
        return [id, peers.length < want ? undefined : peers]
      }),
    )
  }

  /** Of a shard, one other device; of any other chunk, the copies that its folder wants. */
  #want(id: ChunkId): number {
    return this.#parts.store.read.codingWith(id) === undefined ? this.#copies(id) : 1
  }

  /** Nothing is wanted of a chunk that only an unfinished upload pins (as folder and device); of any other at least one copy. */
  #copies(id: ChunkId): number {
    const { roster, store } = this.#parts
    const pins = store.read.standingPins(id).filter(({ folder, device }) => (folder as string) !== device)
    const folders = new Set(pins.map(({ folder }) => folder))
    return Math.max(0, ...[...folders].map((folder) => Math.max(1, roster.want(folder))))
  }

  /** Chunks that a device could not prove to have. One that it has not is no copy from now on. */
  async #unproved(
    peer: PeerId,
    nonce: Uint8Array,
    ids: readonly ChunkId[],
    proofs: ReadonlyMap<ChunkId, Uint8Array>,
    signal: AbortSignal,
  ): Promise<ChunkId[]> {
    const { remote, onMissing, log } = this.#parts
    try {
      const answers = await remote(peer).challenge(nonce, ids, { signal })
      return ids.filter((id, index) => {
        const answer = answers[index]
        const right = proofs.get(id)
        // It compared the bytes with their id before it answered.
        if (answer !== undefined && (right === undefined || Buffer.compare(answer, right) === 0)) return false
        onMissing(peer, id)
        return true
      })
    } catch (thrown) {
      signal.throwIfAborted()
      const { code, message } = asPeerStorError(thrown)
      log.info('a device proved nothing', { peer, code, reason: message })
      return [...ids]
    }
  }
}
