import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from './limits.ts'

test('every limit is a finite positive number', () => {
  for (const [name, value] of Object.entries(limits)) assert.ok(Number.isFinite(value) && value > 0, name)
})

test('a part never waits longer, nor takes more, than the whole', () => {
  assert.ok(limits.dialTimeoutMs <= limits.requestTimeoutMs)
  assert.ok(limits.graceLastCopyMs < limits.graceMs)
  assert.ok(limits.strangerBodyBytes < limits.requestBodyBytes)
})
