import { chunkStoreConformance } from '../../test/conformance/chunk-store.ts'
import { StoreHome } from '../../test/store-fixture.ts'
import { MemoryStore } from './memory-store.ts'

chunkStoreConformance('memory store', async () => {
  const store = new MemoryStore()
  return { store, pins: (id) => store.pins(id) }
})

const onDisk = (threaded: boolean) => async () => {
  const home = await StoreHome.make({ threaded })
  const store = await home.open()
  return {
    store: store.chunks,
    pins: store.read.pins.bind(store.read),
    close: async () => {
      await store.close()
      await home.remove()
    },
  }
}

chunkStoreConformance('disk, index on the same thread', onDisk(false))
chunkStoreConformance('disk, index on the store thread', onDisk(true))
