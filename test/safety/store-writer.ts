/**
 * A process that writes into a store and says on stdout what was acknowledged: one line
 * `ack NUMBER SEGMENT END` each, where END is the end of the commit's batch in its segment. Killed, or
 * run under strace, by store-crash.test.ts.
 */
import { writeSync } from 'node:fs'
import { recordKinds } from '../../src/codec/record.ts'
import { hash } from '../../src/codec/hash.ts'
import type { ChunkToPut } from '../../src/store/chunk-store.ts'
import { chunkOf, pinOf } from '../conformance/chunk-store.ts'
import { Author, newFolder, StoreHome, newEntry } from '../store-fixture.ts'

export interface WriterJob {
  home: string
  seed: number
  from: number
  to: number
  /** Commits under way at once. */
  parallel: number
  threaded: boolean
}

/** The chunks of commit `n`: the same in every run of a seed. */
export function chunksOf(seed: number, n: number): ChunkToPut[] {
  return Array.from({ length: 1 + (n % 3) }, (_, index) => {
    const unique = hash(Buffer.from(`${seed} ${n} ${index}`))
    return chunkOf(Buffer.alloc(304 + (unique.readUInt16LE(0) % 40_000), unique), pinOf('a'))
  })
}

async function write({ home, seed, from, to, parallel, threaded }: WriterJob): Promise<void> {
  const store = await new StoreHome(home, { threaded }).open()
  const folder = newFolder()
  let next = from
  const lane = async (): Promise<void> => {
    const author = new Author()
    while (next < to) {
      const n = next
      next += 1
      const chunks = chunksOf(seed, n)
      const ids = chunks.map(({ id }) => id)
      const body = Buffer.from(JSON.stringify({ n, ids }))
      const head = { kind: recordKinds.version, folder, entry: newEntry(), parents: [] }
      const record = author.record(head, body)
      try {
        await store.stage(chunks)
        await store.commit({ batches: [author.batch(record)] })
      } catch (thrown) {
        writeSync(1, `failed ${n} ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
        continue
      }
      const place = store.read.batchPlace(record.hash)!
      writeSync(1, `ack ${n} ${place.segment} ${place.offset + place.length}\n`)
    }
  }
  await Promise.all(Array.from({ length: parallel }, lane))
  await store.close()
  writeSync(1, 'done\n')
}

if (process.argv[2] !== undefined && process.argv[1]?.endsWith('store-writer.ts') === true)
  await write(JSON.parse(process.argv[2]) as WriterJob)
