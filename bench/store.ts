/** The store alone: bulk chunks against `dd` with one fdatasync, and many small commits at once. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { realClock } from '../src/base/clock.ts'
import { hashHex } from '../src/codec/hash.ts'
import type { ChunkId } from '../src/base/words.ts'
import type { ChunkToPut } from '../src/store/chunk-store.ts'
import type { LocalStore } from '../src/store/local-store.ts'
import type { Group, IndexWrite } from '../src/store/store.ts'
import { chunkOf, pinOf } from '../test/conformance/chunk-store.ts'
import { Author, newFolder, StoreHome, versionRow } from '../test/store-fixture.ts'
import type { Contender, Workload } from './harness.ts'

const MiB = 1024 * 1024
const total = 1024 * MiB
const chunkBytes = 600 * 1024
const chunkCount = Math.ceil(total / chunkBytes)
/** Chunk bytes under way at once. */
const windowChunks = 32
const commitCount = 10_000
const commitsAtOnce = 512

/** A store that is made for a round and removed after it. */
class RoundStore {
  #home: StoreHome | undefined
  #store: LocalStore | undefined

  async fresh(): Promise<void> {
    await this.close()
    this.#home = await StoreHome.make({ threaded: true })
    this.#store = await this.#home.open()
  }

  get store(): LocalStore {
    return this.#store!
  }

  async close(): Promise<void> {
    await this.#store?.close()
    await this.#home?.remove()
    this.#store = undefined
  }
}

const bulk: Workload = {
  name: 'store-bulk',
  about:
    '1 GiB of random chunks of 600 KiB, staged and committed; reference: dd of as many bytes with conv=fdatasync',
  bytes: total,
  async prepare() {
    const home = await StoreHome.make()
    const source = join(home.home, 'source')
    const content = randomBytes(64 * MiB)
    for (let part = 0; part < total / content.length; part += 1)
      await writeFile(source, content, { flag: 'a' })
    const rounds = new RoundStore()
    const dd: Contender = {
      name: 'dd',
      run: async () => {
        const out = join(home.home, 'copy')
        await promisify(execFile)('dd', [`if=${source}`, `of=${out}`, 'bs=1M', 'conv=fdatasync'])
      },
      before: () => home.options.disk.remove(join(home.home, 'copy')),
    }
    const store: Contender = {
      name: 'stage and commit',
      before: () => rounds.fresh(),
      run: async () => {
        await stageBulk(rounds.store)
        await rounds.store.commit({})
      },
    }
    const close = async (): Promise<void> => {
      await rounds.close()
      await home.remove()
    }
    return { contenders: [dd, store], close }
  },
}

/** Stages chunks with a window; sealing is not measured here, so an id is of the chunk's number alone. */
async function stageBulk(store: LocalStore): Promise<void> {
  const content = randomBytes(chunkBytes)
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < chunkCount) {
      next += 1
      const id = hashHex(Buffer.from(`chunk ${next}`)) as ChunkId
      await store.stage([{ id, bytes: content, pins: [pinOf('a')] }])
    }
  }
  await Promise.all(Array.from({ length: windowChunks }, lane))
}

const small: Workload = {
  name: 'store-small',
  about: `${commitCount} commits of one small chunk, one record and its version, ${commitsAtOnce} at once; reference: 500, one at a time`,
  async prepare() {
    const rounds = new RoundStore()
    const contender = (name: string, count: number, atOnce: number): Contender => {
      let commits: SmallCommit[] = []
      return {
        name,
        before: async () => {
          commits = smallCommits(count)
          await rounds.fresh()
        },
        run: async () => {
          const started = realClock.monotonicMs()
          await commitAll(rounds.store, commits, atOnce)
          return { commitsPerSecond: Math.round((count * 1000) / (realClock.monotonicMs() - started)) }
        },
      }
    }
    const contenders = [contender('one at a time', 500, 1), contender('at once', commitCount, commitsAtOnce)]
    return { contenders, close: () => rounds.close() }
  },
}

interface SmallCommit {
  chunk: ChunkToPut
  group: Group
}

/** Signed before the clock starts: that is the codec's work. */
function smallCommits(count: number): SmallCommit[] {
  const folder = newFolder()
  const author = new Author()
  return Array.from({ length: count }, (_, n) => {
    const record = author.version(folder)
    const row = versionRow(record, `folder ${n % 20}/file ${n}`)
    const chunk = chunkOf(512, { folder, device: row.device })
    const index: IndexWrite[] = [
      { op: 'version', row },
      { op: 'content', version: row.version, ids: [chunk.id] },
    ]
    return { chunk, group: { batches: [author.batch(record)], index } }
  })
}

async function commitAll(store: LocalStore, commits: readonly SmallCommit[], atOnce: number): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < commits.length) {
      const { chunk, group } = commits[next]!
      next += 1
      await store.stage([chunk])
      await store.commit(group)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

export const workloads: Workload[] = [bulk, small]
