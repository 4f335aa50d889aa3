/** A peer over real sockets is a ChunkStore like any other. */
import { chunkStoreConformance } from '../conformance/chunk-store.ts'
import { realPool } from './real-pool.ts'

chunkStoreConformance('a remote peer', async () => {
  const ends: (() => unknown)[] = []
  const [a, b] = await realPool({ after: (end) => void ends.push(end as () => unknown) }, 2)
  return {
    store: a!.pool.storeOf(b!.id),
    pins: (id) => b!.store.read.pins(id),
    close: async () => {
      for (const end of ends) await end()
    },
  }
})
