import { chunkStoreConformance } from '../../test/conformance/chunk-store.ts'
import { StoreHome } from '../../test/store-fixture.ts'
import type { ChunkStore } from './chunk-store.ts'
import { MemoryStore } from './memory-store.ts'
import { VerifyStore } from './verify-store.ts'

chunkStoreConformance('memory store', async () => {
  const store = new MemoryStore()
  return { store, pins: (id) => store.pins(id) }
})

const onDisk =
  (threaded: boolean, wrap: (store: ChunkStore) => ChunkStore = (store) => store) =>
  async () => {
    const home = await StoreHome.make({ threaded })
    const store = await home.open()
    return {
      store: wrap(store.chunks),
      pins: store.read.pins.bind(store.read),
      close: async () => {
        await store.close()
        await home.remove()
      },
    }
  }

chunkStoreConformance('disk, index on the same thread', onDisk(false))
chunkStoreConformance('disk, index on the store thread', onDisk(true))
chunkStoreConformance(
  'verified disk',
  onDisk(false, (store) => new VerifyStore(store, 'this device')),
)
