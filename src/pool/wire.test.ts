import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerId } from '../base/words.ts'
import { hasAnswer, itemParts, outcomePart, readAnswer, readItems, readOutcomes } from './wire.ts'

const peer = '12D3KooWother' as PeerId
const asked = { peer, request: 'chunks.get' as const, count: 3, maxBytes: 100 }
const misbehaved = { code: 'PEER_MISBEHAVED' }

async function* items(...list: [number, Uint8Array][]): AsyncGenerator<Uint8Array> {
  for (const [index, bytes] of list) yield* itemParts(index, bytes)
}

test('items come back as they were sent, in any order', async () => {
  const sent: [number, Uint8Array][] = [2, 0].map((index) => [index, Buffer.alloc(index + 1, index)])
  const got = await Array.fromAsync(readItems(items(...sent), asked))
  assert.deepEqual(
    got.map(({ index, bytes }) => [index, [...bytes]]),
    sent.map(([index, bytes]) => [index, [...bytes]]),
  )
})

test('items that were not asked, come twice, are empty or too long are the peer’s fault', async () => {
  const wrong = [
    items([3, Buffer.alloc(1)]),
    items([1, Buffer.alloc(1)], [1, Buffer.alloc(1)]),
    items([0, Buffer.alloc(0)]),
    items([0, Buffer.alloc(101)]),
  ]
  for (const body of wrong) await assert.rejects(Array.fromAsync(readItems(body, asked)), misbehaved)
})

test('room is asked for before the bytes of an item are read', async () => {
  const asks: number[] = []
  const room = (bytes: number): Promise<void> => Promise.resolve(void asks.push(bytes))
  await Array.fromAsync(readItems(items([0, Buffer.alloc(7)], [1, Buffer.alloc(9)]), asked, room))
  assert.deepEqual(asks, [7, 9])
  await assert.rejects(Array.fromAsync(readItems(items([0, Buffer.alloc(101)]), asked, room)))
  assert.deepEqual(asks, [7, 9])
})

test('outcomes are told once for what was offered', async () => {
  async function* body(...indexes: number[]): AsyncGenerator<Uint8Array> {
    for (const index of indexes) yield outcomePart(index, 'full')
  }
  assert.deepEqual(await Array.fromAsync(readOutcomes(body(1, 0), peer, 2)), [
    { index: 1, outcome: 'full' },
    { index: 0, outcome: 'full' },
  ])
  for (const wrong of [body(2), body(1, 1)])
    await assert.rejects(Array.fromAsync(readOutcomes(wrong, peer, 2)), misbehaved)
})

test('an answer in another form is the peer’s fault', () => {
  assert.throws(() => readAnswer(hasAnswer, Buffer.from([0x80]), peer, 'chunks.has'), misbehaved)
})
