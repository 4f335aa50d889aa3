import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { free } from '../base/handover.ts'
import { limits } from '../base/limits.ts'
import { idOf, type RecordHash } from '../base/words.ts'
import { SmallFiles } from './small-files.ts'

const version = (n: number): RecordHash => idOf<RecordHash>(Buffer.alloc(32, `version ${n} `))

test('what was kept comes back as it was, whatever its readers and its owner did', () => {
  const files = new SmallFiles()
  const content = Buffer.from(randomBytes(10_000))
  const expected = Buffer.from(content)
  files.keep(version(1), content)
  content.fill(0)
  free(files.get(version(1))!)
  assert.ok(expected.equals(files.get(version(1))!))
  assert.equal(files.get(version(2))?.length, undefined)
})

test('the longest unused go when there are too many bytes; large ones are never kept', () => {
  const files = new SmallFiles()
  const count = limits.smallFilesBytes / limits.smallFileBytes
  for (let n = 0; n < count; n++) files.keep(version(n), Buffer.alloc(limits.smallFileBytes))
  files.get(version(0))
  files.keep(version(count), Buffer.alloc(1))
  assert.equal(files.get(version(0))?.length, limits.smallFileBytes)
  assert.equal(files.get(version(1))?.length, undefined)
  assert.equal(files.get(version(count))?.length, 1)
  files.keep(version(count + 1), Buffer.alloc(limits.smallFileBytes + 1))
  assert.equal(files.get(version(count + 1))?.length, undefined)
})
