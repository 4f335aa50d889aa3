import assert from 'node:assert/strict'
import { test } from 'node:test'
import { free, handOver, markOwned } from '../base/handover.ts'

test('memory that one owner has is given back at once', () => {
  const bytes = Buffer.allocUnsafeSlow(100_000)
  free(bytes)
  assert.equal(bytes.byteLength, 0)
  free(bytes)
})

test('memory that others may look at stays', () => {
  const shared = new Uint8Array(100_000).fill(7)
  free(shared.subarray(0, 50_000))
  assert.equal(shared.byteLength, 100_000)
  const pooled = Buffer.from('a small one lies in a pool of many')
  free(pooled)
  free(new Uint8Array(pooled.buffer))
  assert.equal(pooled.toString(), 'a small one lies in a pool of many')
})

test('a part of a buffer that the codec made is freed and handed over as a whole', () => {
  const part = markOwned(new Uint8Array(100_000).subarray(0, 10))
  const transfer: ArrayBuffer[] = []
  assert.equal(handOver(part, transfer), part)
  assert.deepEqual(transfer, [part.buffer])
  free(part)
  assert.equal(part.buffer.byteLength, 0)
})
