import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { chunkOf } from '../../test/conformance/chunk-store.ts'
import { Author, newFolder, StoreHome } from '../../test/store-fixture.ts'
import { realClock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { createLog } from '../base/log.ts'
import { realDisk } from '../store/real-disk.ts'
import { Unfinished } from './unfinished.ts'

/** Uploads of one device over a real store, whose disk says how much is free only when it is let. */
async function homeOf(t: TestContext, isPromised = false) {
  let free = Promise.resolve()
  let asked = (): void => undefined
  const disk: Disk = {
    ...realDisk,
    freeBytes: async (folder) => {
      asked()
      await free
      return realDisk.freeBytes(folder)
    },
  }
  // What the disk said is forgotten at once: it is asked for every write.
  let now = 0
  const clock = { ...realClock, monotonicMs: () => (now += 10_000) }
  const home = await StoreHome.make({ disk, clock })
  const store = await home.open()
  t.after(async () => {
    await store.close()
    await home.remove()
  })
  const { device } = new Author()
  const id = newFolder()
  const unfinished = new Unfinished({
    store,
    catalogue: { device, folders: () => [{ id }] } as never,
    log: createLog(() => undefined),
    onDropped: () => undefined,
    wake: () => undefined,
    isPromised: () => isPromised,
  })
  /** From now on the disk is slow; resolves when it is asked, to what lets it answer. */
  const slow = async (): Promise<() => void> => {
    const gate = Promise.withResolvers<void>()
    free = gate.promise
    await new Promise<void>((resolve) => (asked = resolve))
    return () => {
      free = Promise.resolve()
      gate.resolve()
    }
  }
  return { store, unfinished, pin: { folder: id, device }, slow }
}

test('what an upload left stays when another begins to rely on it while the disk is asked', async (t) => {
  const { store, unfinished, pin, slow } = await homeOf(t)
  const chunk = chunkOf(500, pin)
  const failing = unfinished.begin()
  failing.use(chunk.id, true)
  await store.chunks.put([chunk])
  // The drop is decided twice: when it is looked for, and when the disk has answered.
  const ended = failing.failed()
  const answer = await slow()
  const second = unfinished.begin()
  if (store.has(chunk.id)) second.use(chunk.id, false)
  answer()
  await ended
  assert.ok(store.has(chunk.id))
  await second.failed()
  assert.ok(!store.has(chunk.id), 'nobody needs it any more')
})

test('what is passed on stays while another device relies on it', async (t) => {
  for (const isPromised of [true, false]) {
    const { store, unfinished, pin } = await homeOf(t, isPromised)
    const chunk = chunkOf(500, pin)
    const upload = unfinished.begin()
    upload.use(chunk.id, true)
    await store.chunks.put([chunk])
    await upload.passed([chunk.id])
    assert.equal(store.has(chunk.id), isPromised)
    upload.kept()
  }
})
