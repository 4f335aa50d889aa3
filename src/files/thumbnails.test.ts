/** Pictures are made once for each content and size, and only so many are kept. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from '../base/limits.ts'
import { Thumbnails } from './thumbnails.ts'

test('equal content is decoded once, also when many ask at once, and room is bounded', async () => {
  let made = 0
  const thumbnails = new Thumbnails({
    make: () => {
      made += 1
      return Promise.resolve(new Uint8Array(limits.thumbnailsBytes / 4))
    },
    close: () => Promise.resolve(),
  })
  const read = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array())
  await Promise.all(Array.from({ length: 9 }, () => thumbnails.of('a', 128, read)))
  assert.equal(made, 1)
  for (const name of ['b', 'a', 'c', 'a', 'd', 'a']) await thumbnails.of(name, 128, read)
  assert.equal(made, 4)
  await thumbnails.of('b', 128, read)
  assert.equal(made, 5)
})
