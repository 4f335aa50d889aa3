import assert from 'node:assert/strict'
import test from 'node:test'
import type { ChunkId, EntryId } from '../base/words.ts'
import {
  boolean,
  bytes,
  choice,
  decode,
  encode,
  field,
  fields,
  id,
  integer,
  list,
  optional,
  shortId,
  text,
  tuple,
  uint,
  type Read,
} from './cbor-schema.ts'
import { encodeCbor, type CborValue } from './cbor.ts'

const letter = fields({
  kind: field(0, choice({ note: 1, order: 2 })),
  from: field(1, id<ChunkId>()),
  entry: optional(2, shortId<EntryId>()),
  count: field(3, uint(10)),
  offset: optional(4, integer(-5, 5)),
  names: field(5, list(text(4), 2)),
  seal: field(6, bytes(2, 3)),
  pair: field(7, tuple<[number, boolean]>(uint(), boolean)),
})

const good: Read<typeof letter> = {
  kind: 'order',
  from: 'ab'.repeat(32) as ChunkId,
  entry: 'cd'.repeat(16) as EntryId,
  count: 10,
  offset: -5,
  names: ['ä', 'four'],
  seal: Buffer.from([1, 2]),
  pair: [7, true],
}

test('a message is read back as it was written, with and without its optional fields', () => {
  assert.deepEqual(decode(letter, encode(letter, good), 'a letter', 1000), good)
  const { entry: _, offset: __, ...least } = good
  assert.deepEqual(decode(letter, encode(letter, least), 'a letter', 1000), least)
})

const form = letter.write(good) as Map<number, CborValue>
const bad: [string, number, CborValue | undefined, RegExp][] = [
  ['an unknown word', 0, 3, /a letter is not valid: kind is none of note, order/],
  ['a short id', 1, Buffer.alloc(31), /from has 31 bytes instead of 32/],
  ['no id', 1, undefined, /from is missing/],
  ['a number over its limit', 3, 11, /count is 11, outside 0 to 10/],
  ['a text for a number', 3, 'x', /count is not an integer/],
  ['too many items', 5, ['a', 'b', 'c'], /names has 3 items, more than 2/],
  ['too long an item', 5, ['a', 'ääb'], /names\[1\] is longer than 4 bytes/],
  ['no list', 5, 0, /names is not a list/],
  ['too many bytes', 6, Buffer.alloc(4), /seal has 4 bytes instead of 2 to 3/],
  ['half a pair', 7, [7], /pair is not a list of 2/],
  ['a pair of wrong types', 7, [7, 7], /pair\[1\] is not true or false/],
  ['an unknown field', 8, 0, /unknown field 8/],
]
for (const [name, key, value, message] of bad)
  test(`${name} is refused by name`, () => {
    const map = new Map(form)
    if (value === undefined) map.delete(key)
    else map.set(key, value)
    assert.throws(() => decode(letter, encodeCbor(map), 'a letter', 1000), { code: 'BAD_INPUT', message })
  })

test('an open message may have fields of the future', () => {
  const open = fields({ count: field(0, uint()) }, { open: true })
  const bytes = encodeCbor(
    new Map<number, CborValue>([
      [0, 1],
      [9, 'new'],
    ]),
  )
  assert.deepEqual(decode(open, bytes, 'a hello', 100), { count: 1 })
})

test('a value that is no map is refused', () => {
  assert.throws(() => decode(letter, encodeCbor([1]), 'a letter', 1000), { message: /is not a map/ })
})
