import assert from 'node:assert/strict'
import test from 'node:test'
import { type ChunkId, idBytes, idOf, parseId } from './words.ts'

test('an id is the hex of its bytes, also of a part of a larger buffer', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index)
  const id = idOf<ChunkId>(bytes.subarray(4, 36))
  assert.equal(id.slice(0, 6), '040506')
  assert.deepEqual([...idBytes(id)], [...bytes.subarray(4, 36)])
})

test('only lower-case hex of the right length is an id', () => {
  const id = 'ab'.repeat(32)
  assert.equal(parseId<ChunkId>(id, 'chunk'), id)
  for (const text of ['', 'ab', id.toUpperCase(), `${id}\n`, ` ${id}`, `${id}00`, 'g'.repeat(64)])
    assert.throws(() => parseId(text, 'chunk'), { code: 'BAD_ID' }, JSON.stringify(text))
})

test('an error about an id does not repeat endless input', () => {
  assert.throws(
    () => parseId('x'.repeat(1_000_000), 'chunk'),
    (error: Error) => error.message.length < 200,
  )
})
