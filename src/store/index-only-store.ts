/**
 * What is left of a store whose folder is away: an unplugged disk. The index and this peer's own rows
 * can be read, the catalogue opens from spare copies, chunks come from other devices; nothing is written.
 */
import type { PeerStorError } from '../base/errors.ts'
import type { DatabaseId, RecordHash } from '../base/words.ts'
import type { Batch } from '../codec/record.ts'
import type { OwnChunkStore } from './chunk-store.ts'
import type { IndexWriter } from './index-thread.ts'
import { OwnRowStore } from './own-rows.ts'
import type { SpareCopies } from './spare-copies.ts'
import type { SqliteReader } from './sqlite-reader.ts'
import { noVerifier, type Verifier } from './verifier.ts'
import type { IndexWrite, OwnState, StorageUse, Store } from './store.ts'

export class IndexOnlyStore implements Store {
  readonly database: DatabaseId
  readonly chunks: OwnChunkStore
  readonly verifier: Verifier = noVerifier
  readonly read: SqliteReader
  readonly own: OwnState
  /** What every write fails with. */
  readonly away: PeerStorError
  readonly #index: IndexWriter
  readonly #spare: SpareCopies

  constructor(index: IndexWriter, read: SqliteReader, spare: SpareCopies, away: PeerStorError) {
    this.#index = index
    this.#spare = spare
    this.read = read
    this.away = away
    this.database = index.state.database
    this.own = new OwnRowStore(index.ownRows, (kind, id, value) => index.putOwn(kind, id, value))
    this.chunks = {
      has: (ids) => Promise.resolve(ids.map(() => false)),
      get: async function* () {},
      put: () => this.#refuse(),
      list: async function* () {},
      drop: () => this.#refuse(),
    }
  }

  has(): boolean {
    return false
  }

  stage(): Promise<void> {
    return this.#refuse()
  }

  hold(): Promise<never> {
    return this.#refuse()
  }

  commit(): Promise<void> {
    return this.#refuse()
  }

  async index(writes: readonly IndexWrite[]): Promise<void> {
    if (writes.length > 0) await this.#index.apply({ ops: writes })
  }

  async batch(last: RecordHash): Promise<Batch> {
    const batch = await this.#spare.batch(last)
    if (batch === undefined) throw this.away
    return batch
  }

  async batchOf(record: RecordHash): Promise<Batch> {
    const last = this.read.batchHolding(record)
    if (last === undefined) throw this.away
    return this.batch(last)
  }

  keepSpare(): void {}

  setContributed(): void {}

  /** What lies on the disk that is away. */
  use(): Promise<StorageUse> {
    const { used, chunks } = this.read.storage()
    return Promise.resolve({ usedBytes: used, chunks, diskBytes: 0, freeBytes: 0, away: true })
  }

  compact(): Promise<number> {
    return Promise.resolve(0)
  }

  async close(): Promise<void> {
    if (this.#index.shared === undefined) this.read.close()
    await this.#spare.close()
    await this.#index.close()
  }

  #refuse(): Promise<never> {
    return Promise.reject(this.away)
  }
}
