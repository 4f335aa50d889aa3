/** What the pool needs of a store, in memory: for tests of this room alone. */
import {
  idOf,
  type ChunkId,
  type DatabaseId,
  type FolderId,
  type PeerId,
  type RecordHash,
} from '../../src/base/words.ts'
import { contributionFull, fail } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import type { Batch } from '../../src/codec/record.ts'
import type { ChunkToPut, FoundChunk, ListOptions, OwnChunkStore, Pin } from '../../src/store/chunk-store.ts'
import type { Group, IndexWrite } from '../../src/store/store.ts'
import { hash } from '../../src/codec/hash.ts'
import { noVerifier, type Verified, type Verifier } from '../../src/store/verifier.ts'
import type { PoolStore } from '../../src/pool/pool.ts'

type Change = { batch: RecordHash } | { chunk: ChunkId; held: boolean }

export class MemoryStore implements PoolStore, OwnChunkStore {
  readonly #quarantine = new Set<ChunkId>()
  readonly verifier: Verifier
  readonly database: DatabaseId
  readonly chunks: OwnChunkStore = this
  readonly read: PoolStore['read']
  readonly bytes = new Map<ChunkId, Buffer>()
  readonly batches = new Map<RecordHash, Batch>()
  readonly #pins = new Map<ChunkId, Map<string, Pin>>()
  readonly #changes: Change[] = []
  readonly #holdings = new Map<PeerId, Set<ChunkId>>()
  readonly #positions = new Map<PeerId, { database: DatabaseId; change: number }>()
  readonly #seen = new Map<PeerId, { at: number; addresses: string[] }>()
  contributed = Number.POSITIVE_INFINITY
  /** Of chunks that were not here, since the beginning. */
  writtenBytes = 0

  constructor(random: Random) {
    this.database = idOf<DatabaseId>(random.bytes(16))
    this.verifier = {
      ...noVerifier,
      chunks: (ids) => this.#verify(ids),
      quarantined: () => [...this.#quarantine],
    }
    this.read = {
      hasChunk: (id) => this.bytes.has(id),
      lengthOf: (id) => this.bytes.get(id)?.byteLength,
      // Shards are tested over the real index.
      codingsOf: () => [],
      codingWith: () => undefined,
      uncoded: () => [],
      codingsToTend: () => ({ codings: [] }),
      strengths: (ids, peers) => new Map(ids.map((id) => [id, this.#strength(id, peers)])),
      pins: (id) => [...(this.#pins.get(id)?.values() ?? [])],
      standingPins: (id) => [...(this.#pins.get(id)?.values() ?? [])],
      lastChange: () => this.#changes.length,
      changes: (since, limit) => this.#changesSince(since, limit),
      hasBatch: (last) => this.batches.has(last),
      isPartialBatch: () => false,
      hasPartialBatches: () => false,
      feedPosition: (peer) => this.#positions.get(peer),
      holders: (ids) => new Map(ids.map((id) => [id, this.#holders(id)])),
      lacking: (folder, want, peers, after, limit, until, priority) =>
        this.#lacking(folder, want, peers, after, limit, until, priority),
      priorities: () => this.priority.size,
      prioritised: (ids) => new Set(ids.filter((id) => this.priority.has(id))),
      sharedChunk: (peer, at) => {
        const shared = [...this.#heldBy(peer)].filter((id) => this.bytes.has(id))
        return shared[Math.floor(at * shared.length)]
      },
      statements: () => [],
      seen: () => [...this.#seen].map(([peer, seen]) => ({ peer, ...seen })),
    }
  }

  has(ids: readonly ChunkId[]): Promise<boolean[]> {
    return Promise.resolve(ids.map((id) => this.bytes.has(id)))
  }

  async *get(ids: readonly ChunkId[]): AsyncGenerator<FoundChunk> {
    for (const id of ids) {
      await Promise.resolve()
      const bytes = this.bytes.get(id)
      if (bytes !== undefined) yield { id, bytes: Buffer.from(bytes) }
    }
  }

  async put(chunks: readonly ChunkToPut[]): Promise<void> {
    await Promise.resolve()
    const growth = chunks.reduce((sum, { id, bytes }) => sum + (this.bytes.has(id) ? 0 : bytes.byteLength), 0)
    if (this.usedBytes + growth > this.contributed)
      throw contributionFull(this.contributed, 'a chunk', growth)
    for (const { id, bytes, pins } of chunks) {
      this.#quarantine.delete(id)
      if (!this.bytes.has(id)) this.writtenBytes += bytes.byteLength
      if (!this.bytes.has(id)) this.#changes.push({ chunk: id, held: true })
      this.bytes.set(id, Buffer.from(bytes))
      for (const pin of pins) this.#pin(id, pin)
    }
  }

  async *list(prefix: string, { after = '' as ChunkId }: ListOptions = {}): AsyncGenerator<ChunkId> {
    for (const id of [...this.bytes.keys()].sort())
      if (id.startsWith(prefix) && id > after) yield await Promise.resolve(id)
  }

  async drop(ids: readonly ChunkId[], may: (id: ChunkId) => boolean = () => true): Promise<ChunkId[]> {
    const drops = ids.filter((id) => this.bytes.has(id) && may(id))
    await this.commit({ drops })
    return drops
  }

  async commit({ batches = [], pins = [], drops = [], index = [] }: Group): Promise<void> {
    await Promise.resolve()
    for (const batch of batches) {
      const last = batch.records.at(-1)!.hash
      if (this.batches.has(last)) continue
      this.batches.set(last, batch)
      this.#changes.push({ batch: last })
    }
    for (const { id, pin } of pins) this.#pin(id, pin)
    for (const id of drops) if (this.bytes.delete(id)) this.#changes.push({ chunk: id, held: false })
    await this.index(index)
  }

  async index(writes: readonly IndexWrite[]): Promise<void> {
    await Promise.resolve()
    for (const write of writes) this.#apply(write)
  }

  batch(last: RecordHash): Promise<Batch> {
    const batch = this.batches.get(last)
    return batch === undefined
      ? Promise.reject(fail('RECORD_UNKNOWN', { hash: last }))
      : Promise.resolve(batch)
  }

  #verify(ids: readonly ChunkId[]): Promise<Verified> {
    const here = ids.filter((id) => this.bytes.has(id))
    const chunks = here.filter((id) => hash(this.bytes.get(id)!).toString('hex') !== id)
    for (const id of chunks) {
      this.bytes.delete(id)
      this.#quarantine.add(id)
      this.#changes.push({ chunk: id, held: false })
    }
    return Promise.resolve({
      checked: here.length,
      bytes: 0,
      chunks,
      batches: [],
      madeGood: 0,
      next: undefined,
    })
  }

  get usedBytes(): number {
    return this.bytes.values().reduce((sum, { length }) => sum + length, 0)
  }

  #pin(id: ChunkId, pin: Pin): void {
    const pins = this.#pins.get(id) ?? new Map<string, Pin>()
    this.#pins.set(id, pins.set(`${pin.folder}/${pin.device}`, pin))
  }

  #apply(write: IndexWrite): void {
    if (write.op === 'held') for (const id of write.ids) this.#heldBy(write.peer).add(id)
    else if (write.op === 'dropped') for (const id of write.ids) this.#heldBy(write.peer).delete(id)
    else if (write.op === 'forget-holdings') this.#holdings.delete(write.peer)
    else if (write.op === 'feed')
      this.#positions.set(write.peer, { database: write.database, change: write.change })
    else if (write.op === 'seen')
      this.#seen.set(write.peer, { at: write.at, addresses: [...write.addresses] })
    else throw new Error(`the pool wrote ${write.op}`)
  }

  #heldBy(peer: PeerId): Set<ChunkId> {
    const held = this.#holdings.get(peer) ?? new Set()
    this.#holdings.set(peer, held)
    return held
  }

  #holders(id: ChunkId): PeerId[] {
    return [...this.#holdings].filter(([, held]) => held.has(id)).map(([peer]) => peer)
  }

  #strength(id: ChunkId, peers: readonly PeerId[]): number {
    const here = this.self !== undefined && this.bytes.has(id) ? [this.self] : []
    return [...this.#holders(id), ...here].filter((peer) => peers.includes(peer)).length
  }

  #changesSince(since: number, limit: number): ReturnType<PoolStore['read']['changes']> {
    const page = this.#changes.slice(since, since + limit)
    const batches = page.flatMap((change) => ('batch' in change ? [change.batch] : []))
    const touched = new Set(page.flatMap((change) => ('chunk' in change ? [change.chunk] : [])))
    const held = [...touched].filter((id) => this.bytes.has(id))
    const dropped = [...touched].filter((id) => !this.bytes.has(id))
    return { batches, held, dropped, upTo: since + page.length }
  }

  #lacking(
    folder: FolderId,
    want: number,
    peers: readonly PeerId[],
    after: ChunkId | undefined,
    limit: number,
    until: ChunkId | undefined,
    priority = false,
  ): { id: ChunkId; holders: PeerId[] }[] {
    const rows = []
    for (const id of [...this.bytes.keys()].sort()) {
      if ((after !== undefined && id <= after) || (until !== undefined && id > until)) continue
      if (priority && !this.priority.has(id)) continue
      if (![...(this.#pins.get(id)?.values() ?? [])].some((pin) => pin.folder === folder)) continue
      // The self row is the owner's business: the fixture's owner adds its own PeerId as a holder.
      const holders = [...this.#holders(id), ...(this.self === undefined ? [] : [this.self])]
      if (holders.filter((peer) => peers.includes(peer)).length < want) rows.push({ id, holders })
      if (rows.length === limit) break
    }
    return rows
  }

  /** Chunks of files that ask for the most copies. */
  readonly priority = new Set<ChunkId>()

  /** Whose store it is: counts as a holder of what is here. */
  self: PeerId | undefined
}
