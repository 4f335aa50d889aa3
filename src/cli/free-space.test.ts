import assert from 'node:assert/strict'
import test from 'node:test'
import { chosenOf } from './free-space.ts'

test('numbers are chosen as people type them', () => {
  assert.deepEqual(chosenOf('1, 3-5 ,4', 9), [1, 3, 4, 5])
  assert.deepEqual(chosenOf('2 - 3', 9), [2, 3])
  assert.deepEqual(chosenOf('0 8-99999999999 12', 9), [8, 9])
  for (const none of ['', 'no', '5-3', '10']) assert.deepEqual(chosenOf(none, 9), [])
})
