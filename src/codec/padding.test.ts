import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from '../base/limits.ts'
import { paddedLength } from './padding.ts'

test('padding follows Padmé from 256 bytes on', () => {
  for (const [length, padded] of [
    [0, 256],
    [256, 256],
    [257, 272],
    [272, 272],
    [273, 288],
    [1000, 1024],
    [1025, 1088],
    [524_304, 540_672],
    [1_048_576, 1_048_576],
    [1_048_577, 1_081_344],
  ] as const)
    assert.equal(paddedLength(length), padded, `${length} bytes`)
})

test('padding never shortens, costs at most 12 %, and leaves few sizes', () => {
  const seen = new Set<number>()
  for (let length = 256; length < limits.chunkMax; length += 101) {
    const padded = paddedLength(length)
    assert.ok(padded >= length && padded <= length * 1.12)
    assert.equal(paddedLength(padded), padded, 'a padded length stays')
    seen.add(padded)
  }
  assert.ok(seen.size < 350, `${seen.size} sizes up to 1 MiB`)
})
