import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { Spelling } from './spelling.ts'

/** A disk that ignores case, with these names in every folder. */
function caselessDisk(names: string[]): { spelling: Spelling; reads: () => number } {
  let reads = 0
  const known = new Set(names.map((name) => join('/top', name).normalize('NFD').toLowerCase()))
  const spelling = new Spelling({
    has: async (place) => known.has(place.normalize('NFD').toLowerCase()),
    names: async () => {
      reads += 1
      return names
    },
  })
  return { spelling, reads: () => reads }
}

test('a name that differs only in its case is refused, the same name and new ones are not', async () => {
  const { spelling, reads } = caselessDisk(['README', 'a', 'u\u0308ber'])
  await spelling.require('/top/README')
  await spelling.require('/top/a')
  await spelling.require('/top/new')
  await spelling.require('/top/\u00fcber')
  assert.equal(reads(), 1)
  await assert.rejects(spelling.require('/top/readme'), { code: 'BAD_PATH' })
  await assert.rejects(spelling.require('/top/A'), { code: 'BAD_PATH' })
})
