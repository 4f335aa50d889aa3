/**
 * A storage device that lies: each kind of corruption a hundred times, at random places. Nothing of it is
 * taken for the real thing, and each time somebody is told. `PEERSTOR_SEED=N` repeats a run.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { limits } from '../../src/base/limits.ts'
import { idOf, type ChunkId, type DatabaseId } from '../../src/base/words.ts'
import { bytes, encode, field, fields, list } from '../../src/codec/cbor-schema.ts'
import { hash, keyed } from '../../src/codec/hash.ts'
import { decodeBatch, signBatch } from '../../src/codec/record-bytes.ts'
import { recordKinds, type Batch, type SignedRecord } from '../../src/codec/record.ts'
import { newSigningKey } from '../../src/codec/sign.ts'
import { readCall } from '../../src/pool/serve-chunks.ts'
import {
  challenge,
  challengeAnswer,
  changesBody,
  changesHead,
  chunksAsked,
  frameBody,
  greeting,
  itemParts,
  nothing,
  outcomePart,
  offer,
  protocol,
} from '../../src/pool/wire.ts'
import { bodyOf, PoolWorld, type PoolDevice } from '../catalogue-fixture.ts'
import { Peers, type TestPeer } from '../sim/pools.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import type { SimNetwork } from '../sim/sim-network.ts'

const times = 100
const seed = Number(process.env['PEERSTOR_SEED'] ?? Math.floor(Math.random() * 1e9))
const random = new SeededRandom(seed)
const database = idOf<DatabaseId>(Buffer.alloc(16, 7))

/** What is sent in place of a sealed chunk; `other` is another one that the device holds. */
type Corrupt = (sealed: Buffer, other: Buffer) => Uint8Array
const anywhere = (bytes: Uint8Array): number => random.below(bytes.length)

const wrongChunks: Record<string, Corrupt> = {
  'one bit': (sealed) => flipped(sealed, anywhere(sealed)),
  'one bit of the commitment': (sealed) => flipped(sealed, random.below(32)),
  'one bit of the tag': (sealed) => flipped(sealed, sealed.length - 1 - random.below(16)),
  'a stretch of zeros': (sealed) => {
    const at = random.below(sealed.length - 64)
    return Buffer.from(sealed).fill(0, at, at + 32 + random.below(32))
  },
  'zeros alone': (sealed) => Buffer.alloc(sealed.length),
  noise: (sealed) => random.bytes(sealed.length),
  'an early end': (sealed) => sealed.subarray(0, 1 + random.below(sealed.length - 1)),
  'a late beginning': (sealed) => sealed.subarray(1 + random.below(sealed.length - 1)),
  'more at the end': (sealed) => Buffer.concat([sealed, random.bytes(1 + random.below(300))]),
  'more at the beginning': (sealed) => Buffer.concat([random.bytes(1 + random.below(300)), sealed]),
  'the chunk twice': (sealed) => Buffer.concat([sealed, sealed]),
  'another chunk': (_, other) => other,
  'the beginning of another': (sealed, other) => {
    const at = 32 + random.below(sealed.length - 64)
    return Buffer.concat([other.subarray(0, at), sealed.subarray(at)])
  },
  'the commitment of another': (sealed, other) => Buffer.concat([other.subarray(0, 32), sealed.subarray(32)]),
  'no commitment': (sealed) => sealed.subarray(32),
  'no tag': (sealed) => sealed.subarray(0, -16),
  'blocks in another order': (sealed) => {
    const at = 16 + random.below(sealed.length - 32)
    return Buffer.concat([sealed.subarray(at), sealed.subarray(0, at)])
  },
  'its hash in its place': (sealed) => hash(sealed),
}

/** Bytes in place of a whole answer. */
const wrongFrames: Record<string, (sealed: Buffer) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>> = {
  'what was not asked for': (sealed) => itemParts(1 + random.below(1000), sealed),
  'one twice': (sealed) => [...itemParts(0, flipped(sealed, 0)), ...itemParts(0, sealed)],
  'a length of nothing': () => [headOf(0, 0)],
  'a length beyond every chunk': (sealed) => [
    headOf(0, limits.sealedMax + 1 + random.below(2 ** 31)),
    sealed,
  ],
  'half a head': () => [headOf(0, 600).subarray(0, 1 + random.below(7))],
  'an end inside': (sealed) => [headOf(0, sealed.length), sealed.subarray(0, random.below(sealed.length))],
  'more behind it': (sealed) => [...itemParts(0, flipped(sealed, 3)), random.bytes(1 + random.below(7))],
  'no end': async function* (sealed) {
    yield headOf(0, limits.sealedMax)
    yield sealed
    const block = Buffer.alloc(256 * 1024, random.below(256))
    while (true) yield block
  },
}

const wrongProofs: Record<string, (nonce: Uint8Array, sealed: Buffer) => Uint8Array> = {
  'no proof': () => Buffer.alloc(0),
  'a proof of other bytes': (nonce, sealed) => keyed(nonce, flipped(sealed, anywhere(sealed))),
  'a proof of another time': (_, sealed) => keyed(Buffer.alloc(32, 9), sealed),
  'its id as a proof': (_, sealed) => hash(sealed),
}

/** What is passed on in place of a batch of records that a member signed; `other` is an earlier one. */
type CorruptBatch = (batch: Batch, other: Batch, pool: PoolDevice['keys']['pool']) => Uint8Array
const wrongBatches: Record<string, CorruptBatch> = {
  'one bit': ({ bytes }) => flipped(bytes, anywhere(bytes)),
  'an early end': ({ bytes }) => bytes.subarray(0, anywhere(bytes)),
  'more at the end': ({ bytes }) => Buffer.concat([bytes, random.bytes(1 + random.below(40))]),
  'no signature': ({ records }) => batchOf(records, new Uint8Array(64)),
  'the signature of another': ({ records }, other) => batchOf(records, other.signature),
  'the signature of a stranger': ({ records }, _, pool) =>
    signBatch(records, newSigningKey(random), pool).bytes,
  'the body of another': ({ records, signature }, other) => {
    const [first, ...rest] = records
    return batchOf([{ ...first!, body: other.records[0]!.body! }, ...rest], signature)
  },
  'one bit of a body': ({ records, signature }) => {
    const [first, ...rest] = records
    return batchOf([{ ...first!, body: flipped(first!.body!, anywhere(first!.body!)) }, ...rest], signature)
  },
  'a record less': ({ records, signature }) => batchOf(records.slice(0, -1), signature),
  'a record twice': ({ records, signature }) => batchOf([...records, records.at(-1)!], signature),
  'records in another order': ({ records, signature }) => batchOf(records.toReversed(), signature),
}

const kinds = [wrongChunks, wrongFrames, wrongProofs, wrongBatches].flatMap(Object.keys)

test('the list is as long as it should be', () => assert.ok(kinds.length >= 30, `${kinds.length} kinds`))

/** A device of the pool that says whatever a test likes. */
async function liar(all: Peers, handlers: Parameters<typeof serveAll>[1]): Promise<SimNetwork> {
  const peer = await all.add('x', { role: 'storage' })
  await peer.crash()
  const network = all.world.open(peer.id, () => 'member')
  serveAll(network, handlers)
  await network.start()
  network.keepConnected([...all.members.keys()])
  return network
}

function serveAll(
  network: SimNetwork,
  handlers: Partial<Record<'chunks.get' | 'chunks.challenge', Parameters<SimNetwork['serve']>[1]>>,
): void {
  const empty = encode(nothing, {})
  network.serve('hello', () => {
    const said = { protocol, features: [], database, change: 0, time: 0, statement: Buffer.alloc(0) }
    return Promise.resolve({ head: encode(greeting, said) })
  })
  network.serve('feed.notify', () => Promise.resolve({ head: empty }))
  network.serve('feed.changes', () => {
    const head = encode(changesHead, { database, from: 0, upTo: 0, last: 0 })
    return Promise.resolve({
      head,
      body: frameBody(encode(changesBody, { batches: [], held: [], dropped: [] })),
    })
  })
  network.serve('chunks.offer', (call) => {
    const { chunks } = readCall(offer, call, 'chunks.offer')
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const index of chunks.keys()) yield outcomePart(index, 'kept')
    }
    return Promise.resolve({ head: empty, body: body() })
  })
  for (const [name, handler] of Object.entries(handlers)) network.serve(name as 'chunks.get', handler)
}

/** A reader that knows of the liar alone, and how often it has raised an alarm. */
async function scene(
  handlers: Parameters<typeof serveAll>[1],
): Promise<{ all: Peers; reader: TestPeer; x: SimNetwork; alarms: { wrong: number; missing: number } }> {
  const all = new Peers(random.below(2 ** 31))
  const reader = await all.add('reader')
  const x = await liar(all, handlers)
  const alarms = { wrong: 0, missing: 0 }
  reader.pool.on((event) => {
    if (event.type === 'wrong') alarms.wrong += 1
    if (event.type === 'missing') alarms.missing += event.chunks
  })
  const isThere = (): boolean => reader.pool.health().some(({ connected }) => connected)
  for (let seconds = 0; !isThere() && seconds < 300; seconds++) await all.advance(1_000)
  assert.ok(isThere())
  return { all, reader, x, alarms }
}

function sealedChunks(): Map<ChunkId, Buffer> {
  const bytes = Array.from({ length: times }, () => random.bytes(random.between(304, 3_000)))
  return new Map(bytes.map((sealed) => [idOf<ChunkId>(hash(sealed)), sealed]))
}

const served: [
  string,
  (sealed: Buffer, other: Buffer) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
][] = [
  ...Object.entries(wrongChunks).map(
    ([name, corrupt]) =>
      [name, (sealed: Buffer, other: Buffer) => itemParts(0, corrupt(sealed, other))] as const,
  ),
  ...Object.entries(wrongFrames),
].map(([name, answer]) => [name, answer])

for (const [name, answer] of served)
  test(`chunks: ${name}, ${times} times: none is accepted, each is told of (seed ${seed})`, async () => {
    const chunks = sealedChunks()
    const others = [...chunks.values()]
    const { all, reader, x, alarms } = await scene({
      'chunks.get': (call) => {
        const [id] = readCall(chunksAsked, call, 'chunks.get').ids
        const sealed = chunks.get(id!)!
        const other = others.find((bytes) => bytes !== sealed)!
        async function* body(): AsyncGenerator<Uint8Array> {
          yield* answer(sealed, other)
        }
        return Promise.resolve({ head: encode(nothing, {}), body: body() })
      },
    })
    await reader.store.index([{ op: 'held', peer: x.peer, ids: [...chunks.keys()] }])
    let told = 0
    for (const id of chunks.keys()) {
      const outcome = reader.pool.get(id).then(
        () => 'accepted',
        (error: { code: string }) => error.code,
      )
      assert.equal(await all.clock.until(outcome, 600_000), 'CHUNK_UNAVAILABLE')
      assert.ok(alarms.wrong > told, `${id}: nobody was told`)
      told = alarms.wrong
    }
    assert.equal(reader.store.bytes.size, 0)
    assert.equal(reader.budget.free, limits.bulkBytes)
    x.die()
    await all.close()
  })

for (const [name, prove] of Object.entries(wrongProofs))
  test(`challenges: ${name}, ${times} times: none is believed, each is told of (seed ${seed})`, async () => {
    const own = new Map<ChunkId, Buffer>()
    const { all, reader, x, alarms } = await scene({
      'chunks.challenge': (call) => {
        const { nonce, ids } = readCall(challenge, call, 'chunks.challenge')
        const proofs = ids.map((id) => prove(nonce, own.get(id)!))
        return Promise.resolve({ head: encode(challengeAnswer, { proofs }) })
      },
    })
    const ids = await reader.write(times)
    for (const id of ids) own.set(id, Buffer.from(reader.store.bytes.get(id)!))
    await reader.store.index([{ op: 'held', peer: x.peer, ids }])
    for (let hours = 0; alarms.missing < times && hours < 48; hours++) await all.advance(3_600_000)
    assert.equal(alarms.missing, times)
    const held = reader.store.read.holders(ids)
    assert.ok(ids.every((id) => held.get(id)?.includes(x.peer) !== true))
    x.die()
    await all.close()
  })

test(`records: ${Object.keys(wrongBatches).length} kinds, ${times} times each: none is accepted, each is refused (seed ${seed})`, async () => {
  const world = new PoolWorld(random.below(2 ** 31))
  const first = await world.found()
  const second = await first.invite()
  for (const bytes of await first.batches()) await second.catalogue.admit([bytes])
  const before = second.view()
  for (let round = 0; round < times; round++) await putTwo(first, round)
  const all = (await first.batches()).map((bytes) => decodeBatch(bytes))
  const versions = all.filter(({ records }) => records.some(({ head }) => head.kind === recordKinds.version))
  const known = new Set((await second.batches()).map((bytes) => decodeBatch(bytes).records.at(-1)!.hash))
  const next = versions.find(({ records }) => !known.has(records.at(-1)!.hash))!
  for (const [name, corrupt] of Object.entries(wrongBatches))
    for (let time = 0; time < times; time++) {
      const other = random.pick(versions.filter((batch) => batch !== next))
      const wrong = Buffer.from(corrupt(next, other, first.keys.pool))
      const { refused } = await second.catalogue.admit([wrong])
      assert.equal(refused.length, 1, `${name}: it was not refused`)
      assert.equal(second.view(), before, `${name}: it shows`)
    }
  for (const { bytes } of all) await second.catalogue.admit([Buffer.from(bytes)])
  assert.equal(second.view(), first.view(), 'the real ones are taken in after all')
  await first.close()
  await second.close()
})

/** Two versions in one batch. */
async function putTwo(device: PoolDevice, round: number): Promise<void> {
  const versionOf = (path: string) => ({
    folder: device.files,
    parents: [],
    entry: undefined,
    body: bodyOf(path),
    chunks: [],
  })
  await device.catalogue.write([versionOf(`a${round}`), versionOf(`b${round}`)])
}

const batchForm = fields({
  records: field(0, list(list(bytes(1, limits.recordBody), 2), limits.batchRecords)),
  signature: field(1, bytes(64)),
})

/** The bytes of a batch, whether it is a right one or not. */
function batchOf(records: readonly SignedRecord[], signature: Uint8Array): Uint8Array {
  const rows = records.map(({ headBytes, body }) => (body === undefined ? [headBytes] : [headBytes, body]))
  return encode(batchForm, { records: rows, signature })
}

function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at]! ^= 1 << random.below(8)
  return copy
}

function headOf(index: number, length: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(index, 0)
  head.writeUInt32BE(length >>> 0, 4)
  return head
}
