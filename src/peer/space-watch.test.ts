import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StoreHome } from '../../test/store-fixture.ts'
import { realDisk } from '../store/real-disk.ts'
import { SpaceWatch } from './space-watch.ts'

const gigabyte = 1e9

test('what is given by default stays over starts while the disk changes little', async (t) => {
  let free = 100 * gigabyte
  const disk = { ...realDisk, freeBytes: () => Promise.resolve(free) }
  const home = await StoreHome.make({ disk })
  t.after(() => home.remove())
  const given = async (setting?: number): Promise<number> => {
    const store = await home.open()
    const { contributed } = await SpaceWatch.over(store, () => setting)
    await store.close()
    return contributed
  }
  assert.equal(await given(), 10 * gigabyte)
  free = 90 * gigabyte
  assert.equal(await given(), 10 * gigabyte)
  assert.equal(await given(5 * gigabyte), 5 * gigabyte)
  free = 110 * gigabyte
  assert.equal(await given(), 10 * gigabyte)
  free = 50 * gigabyte
  assert.equal(await given(), 5 * gigabyte)
  free = 60 * gigabyte
  assert.equal(await given(), 5 * gigabyte)
})
