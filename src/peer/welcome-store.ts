/**
 * The records of an answer to a joiner, from their arrival until the new pool's own store has them: in a
 * store in the home's temporary folder, so that they are judged whole and held nowhere in memory. It
 * goes with the next start at the latest.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PoolId } from '../base/words.ts'
import type { WelcomePlace } from '../access/welcome.ts'
import { openStore, type StoreOptions } from '../store/open-store.ts'
import type { LocalStore } from '../store/local-store.ts'

export type WelcomeStoreParts = Pick<StoreOptions, 'disk' | 'peer' | 'clock' | 'random' | 'log'> & {
  home: string
}

/** Batches read from the store at once. */
const page = 256

export class WelcomeStore {
  readonly place: WelcomePlace
  readonly #folder: string
  readonly #store: LocalStore

  /** An empty one of a pool; what an earlier try left is removed. */
  static async open({ home, ...parts }: WelcomeStoreParts, pool: PoolId): Promise<WelcomeStore> {
    const folder = join(home, 'tmp', 'welcome')
    await rm(folder, { recursive: true, force: true })
    await parts.disk.makeFolder(folder)
    const database = join(folder, 'index.db')
    const own = { folder: join(folder, 'segments'), database, contributed: 0, threaded: false }
    return new WelcomeStore(folder, await openStore({ ...parts, ...own, pool }))
  }

  private constructor(folder: string, store: LocalStore) {
    this.#folder = folder
    this.#store = store
    this.place = store
  }

  /** All of them, each behind what it links to. */
  async *batches(): AsyncGenerator<Uint8Array> {
    const { read } = this.#store
    for (let since = 0; since < read.lastChange();) {
      const { batches, upTo } = read.changes(since, page)
      for (const last of batches) yield (await this.#store.batch(last)).bytes
      since = upTo
    }
  }

  async remove(): Promise<void> {
    await this.#store.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
