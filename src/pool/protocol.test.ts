/** Programs of other times in one pool: what `hello` says that this one does not know is passed over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idOf, type ChunkId, type DatabaseId, type PeerId } from '../base/words.ts'
import { encodeCbor, type CborValue } from '../codec/cbor.ts'
import { encode } from '../codec/cbor-schema.ts'
import { Peers } from '../../test/sim/pools.ts'
import { changesBody, changesHead, frameBody, nothing, protocol } from './wire.ts'

const database = Buffer.alloc(16, 7)
const held = idOf<ChunkId>(Buffer.alloc(32, 9))

/** A member whose program is of another time: it says `greeting`, and that it holds one chunk. */
async function memberOf(all: Peers, greeting: (time: number) => Map<number, CborValue>): Promise<PeerId> {
  const peer = await all.add('x')
  await peer.crash()
  const network = all.world.open(peer.id, () => 'member')
  network.serve('hello', () => Promise.resolve({ head: encodeCbor(greeting(all.clock.now())) }))
  network.serve('feed.notify', () => Promise.resolve({ head: encode(nothing, {}) }))
  network.serve('feed.changes', () => {
    const position = { database: idOf<DatabaseId>(database), from: 0, upTo: 1, last: 1 }
    const body = frameBody(encode(changesBody, { batches: [], held: [held], dropped: [] }))
    return Promise.resolve({ head: encode(changesHead, position), body })
  })
  await network.start()
  network.keepConnected([...all.members.keys()])
  return peer.id
}

/** What format 1 says, with these changes. */
const greeting =
  (changes: [number, CborValue][] = []) =>
  (time: number): Map<number, CborValue> =>
    new Map<number, CborValue>(
      [
        ...new Map<number, CborValue>([
          [0, protocol],
          [1, []],
          [2, database],
          [3, 1],
          [4, time],
          [5, Buffer.alloc(0)],
          ...changes,
        ]),
      ].sort(([a], [b]) => a - b),
    )

const known: [string, [number, CborValue][]][] = [
  ['of this time', []],
  ['an earlier one that names no features', [[1, []]]],
  ['a later one with features that nobody here knows', [[1, ['erasure/9', 'time-travel']]]],
  [
    'a later protocol that says more',
    [
      [0, protocol + 1],
      [6, []],
      [40, 'news'],
      [41, [1, Buffer.alloc(3)]],
    ],
  ],
]

for (const [name, changes] of known)
  test(`the news of a program ${name} are taken`, async () => {
    const all = new Peers(31)
    const x = await memberOf(all, greeting(changes))
    const [a, b] = await all.addAll(['a', 'b'])
    await all.advance(10_000)
    for (const peer of [a!, b!]) assert.deepEqual(peer.store.read.holders([held]).get(held), [x], name)
    await all.close()
  })

test('a program of before the first protocol holds up nobody', async () => {
  const all = new Peers(32)
  await memberOf(all, greeting([[0, protocol - 1]]))
  const [a, b] = await all.addAll(['a', 'b'])
  const record = await a!.record()
  await all.advance(10_000)
  assert.ok(b!.store.batches.has(record))
  await all.close()
})
