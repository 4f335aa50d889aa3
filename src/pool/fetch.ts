/**
 * Gets chunks back: from this disk, else from the holder that should answer soonest, else from the
 * next. Wrong bytes rule a peer out for the whole transfer; a slow one gets company after a while, and
 * whoever is first wins.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError, fail, isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import type { Budget } from '../codec/budget.ts'
import type { Codec, VerifiedBytes } from '../codec/codec.ts'
import type { ShardPiece } from '../codec/shards.ts'
import type { KnownCoding } from '../store/index-reader.ts'
import { ChunkRequests, type Priority } from './chunk-requests.ts'
import type { Health } from './health.ts'
import type { FetchOptions, PoolStore } from './pool.ts'
import type { RemoteStore } from './remote-store.ts'
import type { Roster } from './roster.ts'

/** Chunks of one transfer in flight or waiting for their turn. */
const windowChunks = 64
/** Another holder is asked too when the first has sent nothing for so long. */
const hedgeMs = 5_000
/** What a chunk is taken to need before it is here. */
const expectedBytes = limits.chunkNormal

const ended = fail('INTERRUPTED', { what: 'a transfer that has ended' })

export interface FetcherParts {
  store: PoolStore
  codec: Pick<Codec, 'verify' | 'shard' | 'join'>
  roster: Roster
  health: Health
  budget: Pick<Budget, 'take' | 'tryTake'>
  remote: (peer: PeerId) => RemoteStore
  clock: Clock
  log: Log
  /** Devices that one transfer reads from at once. */
  sourcesAtOnce: () => number
  /** A holder does not have a chunk any more, or has other bytes. */
  onMissing: (peer: PeerId, id: ChunkId) => void
  /** A chunk on this disk does not match its id. */
  onDamage: (id: ChunkId) => void
}

/** What one transfer has learnt. */
interface Transfer {
  priority: Priority
  signal: AbortSignal
  /** Peers that sent wrong data. */
  banned: Set<PeerId>
  /** Peers it reads from, until one fails it. */
  sources: Set<PeerId>
  onSource: (peer: PeerId) => void
}

interface Coming {
  id: ChunkId
  bytes: Promise<VerifiedBytes>
  release: () => void
}

export class Fetcher {
  readonly #parts: FetcherParts
  readonly #requests = new Map<PeerId, ChunkRequests>()
  readonly #stopping = new AbortController()

  constructor(parts: FetcherParts) {
    this.#parts = parts
  }

  get(id: ChunkId, options: FetchOptions = {}): Promise<VerifiedBytes> {
    return this.#one(id, this.#transfer(options, []))
  }

  /**
   * In the order of `ids`. The chunk that is next is always fetched; those after it only while the
   * budget has room, so that transfers never wait for each other.
   */
  async *getAll(
    ids: AsyncIterable<ChunkId> | Iterable<ChunkId>,
    options: FetchOptions = {},
  ): AsyncGenerator<{ id: ChunkId; bytes: VerifiedBytes }> {
    const stop = new AbortController()
    const transfer = this.#transfer(options, [stop.signal])
    const source = new Lookahead(ids)
    const coming: Coming[] = []
    try {
      while (true) {
        await this.#fill(coming, source, transfer)
        const next = coming.shift()
        if (next === undefined) return
        try {
          yield { id: next.id, bytes: await next.bytes }
        } finally {
          next.release()
        }
      }
    } finally {
      // With a reason: without one each abort makes an error with its stack, 20 µs.
      stop.abort(ended)
      for (const { release } of coming) release()
      await source.close()
    }
  }

  stop(): void {
    this.#stopping.abort()
  }

  #transfer(
    { priority = 'download', signal, onSource = () => undefined }: FetchOptions,
    more: AbortSignal[],
  ): Transfer {
    const signals = [this.#stopping.signal, ...more, ...(signal === undefined ? [] : [signal])]
    return { priority, signal: AbortSignal.any(signals), banned: new Set(), sources: new Set(), onSource }
  }

  async #fill(coming: Coming[], source: Lookahead, transfer: Transfer): Promise<void> {
    while (coming.length < windowChunks) {
      // Only the first is worth waiting for; the rest comes with what is known already.
      if (coming.length > 0 && !source.ready) return source.prepare()
      const release = coming.length === 0 ? () => undefined : this.#parts.budget.tryTake(expectedBytes)
      if (release === undefined) return
      const id = await source.next()
      if (id === undefined) return release()
      const bytes = this.#one(id, transfer)
      // Failures are met in order, by whoever reads.
      bytes.catch(() => undefined)
      coming.push({ id, bytes, release })
    }
  }

  async #one(id: ChunkId, transfer: Transfer): Promise<VerifiedBytes> {
    transfer.signal.throwIfAborted()
    const here = await this.#here(id, transfer)
    if (here !== undefined) return here
    const codings = this.#parts.store.read.codingsOf(id)
    return codings.length === 0 ? this.#copy(id, transfer) : this.#coded(id, codings, transfer)
  }

  async #here(id: ChunkId, transfer: Transfer): Promise<VerifiedBytes | undefined> {
    const here = await this.#local(id)
    if (here !== undefined) transfer.onSource(this.#parts.roster.self)
    return here
  }

  /** A chunk of which others have copies, or a shard, which can be made again from the others. */
  async #copy(id: ChunkId, transfer: Transfer): Promise<VerifiedBytes> {
    try {
      return await this.#remote(id, this.#candidates(id, transfer), transfer)
    } catch (thrown) {
      const coding = this.#parts.store.read.codingWith(id)
      if (coding === undefined || !isCode(thrown, 'CHUNK_UNAVAILABLE')) throw thrown
      const chunk = await this.#one(coding.chunk, transfer)
      const shards = await this.#parts.codec.shard(chunk, coding.scheme)
      const shard = shards.find((shard) => shard.id === id)
      if (shard === undefined) throw thrown
      return shard.bytes
    }
  }

  /** A chunk of which others have shards, and maybe copies too. */
  async #coded(id: ChunkId, codings: readonly KnownCoding[], transfer: Transfer): Promise<VerifiedBytes> {
    const { log } = this.#parts
    const holders = this.#candidates(id, transfer).filter((peer) => this.#isHolder(id, peer))
    if (holders.length > 0) {
      try {
        return await this.#remote(id, holders, transfer)
      } catch (thrown) {
        transfer.signal.throwIfAborted()
        log.debug('no whole copy could be had', { id, reason: asPeerStorError(thrown).message })
      }
    }
    for (const coding of codings.toSorted((a, b) => this.#lacking(a) - this.#lacking(b))) {
      try {
        return await this.#join(coding, transfer)
      } catch (thrown) {
        transfer.signal.throwIfAborted()
        log.info('the shards of a chunk could not be had', {
          id,
          reason: asPeerStorError(thrown).message,
        })
      }
    }
    // For want of news, whoever is connected.
    return this.#remote(id, this.#candidates(id, transfer), transfer)
  }

  /** How many shards too few are known to be within reach. */
  #lacking({ scheme, shards }: KnownCoding): number {
    const { roster } = this.#parts
    const live = [...roster.holders(shards).values()].filter((peers) =>
      peers.some((peer) => roster.isLive(peer)),
    )
    return Math.max(0, scheme.k - live.length)
  }

  #isHolder(id: ChunkId, peer: PeerId): boolean {
    const { store, health } = this.#parts
    return health.isConnected(peer) && store.read.holders([id]).get(id)!.includes(peer)
  }

  async #join(coding: KnownCoding, transfer: Transfer): Promise<VerifiedBytes> {
    const { codec, store, log } = this.#parts
    const { n, chunk, length, scheme } = coding
    const pieces = await this.#pieces(coding, transfer)
    try {
      return await codec.join(chunk, length, scheme, pieces)
    } catch (thrown) {
      // Each shard is what its id says: they are no shards of this chunk.
      if (!isCode(thrown, 'CHUNK_DAMAGED')) throw thrown
      log.warn('a record names wrong shards for a chunk', { id: chunk })
      await store.index([{ op: 'not-coded', coding: n }])
      throw thrown
    }
  }

  /** Any k shards, asked for at once; another one whenever one fails, or when they take too long. */
  async #pieces({ chunk, scheme, shards }: KnownCoding, transfer: Transfer): Promise<ShardPiece[]> {
    const stop = new AbortController()
    const asked = { ...transfer, signal: AbortSignal.any([transfer.signal, stop.signal]) }
    const left = this.#placesByEase(shards)
    const pieces: ShardPiece[] = []
    const causes: string[] = []
    let cancel = (): void => undefined
    try {
      return await new Promise<ShardPiece[]>((resolve, reject) => {
        let open = 0
        const askNext = (): void => {
          const place = left.shift()
          if (place === undefined) {
            if (open === 0) reject(unavailable(chunk, pieces.length, causes))
            return
          }
          open += 1
          this.#piece(shards[place]!, asked)
            .then((bytes) => {
              open -= 1
              pieces.push({ place, bytes })
              if (pieces.length === scheme.k) resolve(pieces)
              return undefined
            })
            .catch((error: unknown) => {
              open -= 1
              causes.push(asPeerStorError(error).message)
              if (transfer.signal.aborted) reject(asError(transfer.signal.reason))
              else if (!stop.signal.aborted) askNext()
            })
        }
        const hedge = (): void => {
          cancel = this.#parts.clock.after(hedgeMs, () => {
            if (left.length > 0) askNext()
            hedge()
          })
        }
        for (let count = 0; count < scheme.k; count++) askNext()
        hedge()
      })
    } finally {
      cancel()
      stop.abort(fail('INTERRUPTED', { what: `another request for shards of ${chunk}` }))
    }
  }

  async #piece(id: ChunkId, transfer: Transfer): Promise<VerifiedBytes> {
    const here = await this.#here(id, transfer)
    return here ?? (await this.#remote(id, this.#candidates(id, transfer), transfer))
  }

  /** What is here, then what a connected device has; data before parity, which takes less work. */
  #placesByEase(shards: readonly ChunkId[]): number[] {
    const { store, health, roster } = this.#parts
    const holders = roster.holders(shards)
    const effort = (id: ChunkId): number => {
      if (store.read.hasChunk(id)) return 0
      return holders.get(id)!.some((peer) => health.isConnected(peer)) ? 1 : 2
    }
    const places = shards.map((id, place) => ({ place, effort: effort(id) }))
    return places.sort((a, b) => a.effort - b.effort || a.place - b.place).map(({ place }) => place)
  }

  /** Read twice before it counts as damaged: memory and cables fail too. */
  async #local(id: ChunkId): Promise<VerifiedBytes | undefined> {
    const { store, onDamage, log } = this.#parts
    if (!store.read.hasChunk(id)) return undefined
    for (const attempt of ['first', 'second'] as const) {
      try {
        return await this.#read(id)
      } catch (error) {
        log.warn('a chunk on this disk could not be read', { id, reason: asPeerStorError(error).message })
        if (attempt === 'second' && isCode(error, 'CHUNK_DAMAGED')) onDamage(id)
      }
    }
    return undefined
  }

  async #read(id: ChunkId): Promise<VerifiedBytes | undefined> {
    const { store, codec } = this.#parts
    for await (const { bytes } of store.chunks.get([id])) return codec.verify(id, bytes, 'this device')
    // The index knows of it, and the disk cannot give it.
    if (store.read.hasChunk(id)) throw fail('CHUNK_DAMAGED', { id, source: 'this device' })
    return undefined
  }

  /** Asks holder after holder; the next one starts when the one before fails or takes too long. */
  async #remote(id: ChunkId, candidates: readonly PeerId[], transfer: Transfer): Promise<VerifiedBytes> {
    const left = [...candidates]
    const count = left.length
    const causes: string[] = []
    const stop = new AbortController()
    const signal = AbortSignal.any([transfer.signal, stop.signal])
    try {
      return await new Promise<VerifiedBytes>((resolve, reject) => {
        let open = 0
        const askNext = (): void => {
          if (stop.signal.aborted) return
          const peer = this.#nextOf(left, transfer)
          if (peer === undefined) {
            if (open === 0)
              reject(
                transfer.signal.aborted ? asError(transfer.signal.reason) : unavailable(id, count, causes),
              )
            return
          }
          left.splice(left.indexOf(peer), 1)
          transfer.sources.add(peer)
          open += 1
          const cancel = this.#parts.clock.after(hedgeMs, askNext)
          this.#of(peer)
            .get(id, transfer.priority, signal)
            .then((bytes) => {
              transfer.onSource(peer)
              resolve(bytes)
              return bytes
            })
            .catch((error: unknown) => {
              cancel()
              open -= 1
              this.#note(peer, id, error, transfer, causes)
              if (transfer.signal.aborted) reject(asError(transfer.signal.reason))
              else askNext()
            })
          stop.signal.addEventListener('abort', cancel, { once: true })
        }
        askNext()
      })
    } finally {
      stop.abort(fail('INTERRUPTED', { what: `another request for chunk ${id}` }))
    }
  }

  /** The next to ask; with enough sources in use one of them, unless none of them has the chunk. */
  #nextOf(left: readonly PeerId[], { banned, sources }: Transfer): PeerId | undefined {
    const able = left.filter((peer) => !banned.has(peer))
    const used =
      sources.size < this.#parts.sourcesAtOnce() ? undefined : able.find((peer) => sources.has(peer))
    return used ?? able[0]
  }

  #note(peer: PeerId, id: ChunkId, error: unknown, transfer: Transfer, causes: string[]): void {
    const { code, message } = asPeerStorError(error)
    if (code !== 'NOT_FOUND') transfer.sources.delete(peer)
    causes.push(`${peer}: ${message}`)
    if (code === 'CHUNK_DAMAGED' || code === 'NOT_FOUND') this.#parts.onMissing(peer, id)
    if (code === 'CHUNK_DAMAGED' || code === 'PEER_MISBEHAVED') {
      // Once a transfer: it is not asked again.
      if (!transfer.banned.has(peer))
        this.#parts.log.warn('a device sent wrong data for a chunk', { peer, id, code, reason: message })
      transfer.banned.add(peer)
    } else if (code !== 'INTERRUPTED')
      this.#parts.log.debug('a holder did not give a chunk', { peer, code, reason: message })
  }

  /** Known holders, the one that should answer soonest first; then, for want of news, everybody else connected. */
  #candidates(id: ChunkId, transfer: Transfer): PeerId[] {
    const { roster, health } = this.#parts
    const holders = (roster.holders([id]).get(id) ?? []).filter((peer) => peer !== roster.self)
    const others = roster
      .others()
      .map(({ peer }) => peer)
      .filter((peer) => health.isConnected(peer) && !holders.includes(peer))
    const byCost = (peers: PeerId[]): PeerId[] =>
      peers
        .map((peer) => ({ peer, cost: health.cost(peer) * (1 + this.#of(peer).waiting / limits.getChunks) }))
        .sort((a, b) => a.cost - b.cost || (a.peer < b.peer ? -1 : 1))
        .map(({ peer }) => peer)
    return [...byCost(holders), ...byCost(others)].filter((peer) => !transfer.banned.has(peer))
  }

  #of(peer: PeerId): ChunkRequests {
    let requests = this.#requests.get(peer)
    if (requests === undefined) {
      const { remote, health, codec } = this.#parts
      this.#requests.set(peer, (requests = new ChunkRequests(remote(peer), health, codec)))
    }
    return requests
  }
}

function unavailable(id: ChunkId, count: number, causes: readonly string[]): Error {
  return fail('CHUNK_UNAVAILABLE', { id, count, causes })
}

function asError(reason: unknown): Error {
  return asPeerStorError(reason)
}

/** Reads ids one ahead, so that the window can see whether the next is known without waiting. */
class Lookahead {
  readonly #source: AsyncIterator<ChunkId> | Iterator<ChunkId>
  #next: Promise<IteratorResult<ChunkId>> | undefined
  #ready = false

  constructor(ids: AsyncIterable<ChunkId> | Iterable<ChunkId>) {
    this.#source = Symbol.asyncIterator in ids ? ids[Symbol.asyncIterator]() : ids[Symbol.iterator]()
  }

  /** Whether `next` answers at once. */
  get ready(): boolean {
    return this.#ready
  }

  prepare(): void {
    if (this.#next !== undefined) return
    this.#ready = false
    this.#next = Promise.resolve(this.#source.next())
    const settled = (): void => {
      this.#ready = true
    }
    this.#next.then(settled, settled)
  }

  async next(): Promise<ChunkId | undefined> {
    this.prepare()
    const result = await this.#next!
    this.#next = undefined
    this.#ready = false
    if (result.done === true) return undefined
    this.prepare()
    // A source that has the next id at once is ready before the caller asks.
    await Promise.resolve()
    await Promise.resolve()
    return result.value
  }

  async close(): Promise<void> {
    this.#next?.catch(() => undefined)
    await this.#source.return?.()
  }
}
