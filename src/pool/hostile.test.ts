/** Peers that lie, flood, or say nothing: they may cost time, never data, and nobody hangs on them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { idOf, type ChunkId, type DatabaseId, type DeviceId, type FolderId } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import { hash } from '../codec/hash.ts'
import type { Answer, Call, Handler } from '../net/network.ts'
import type { RequestName } from '../net/registry.ts'
import type { Pin } from '../store/chunk-store.ts'
import { Peers, type TestPeer } from '../../test/sim/pools.ts'
import type { SimNetwork } from '../../test/sim/sim-network.ts'
import { lengthPrefix } from '../net/framing.ts'
import {
  changesBody,
  changesHead,
  chunksAsked,
  greeting,
  itemParts,
  mostPinsOfChunk,
  nothing,
  offer,
  outcomePart,
  frameBody,
  protocol,
} from './wire.ts'
import { readCall } from './serve-chunks.ts'

const empty = encode(nothing, {})
const database = idOf<DatabaseId>(Buffer.alloc(16, 7))

/** What a hostile peer answers to `chunks.get`. */
const wrongAnswers: Record<string, (ids: readonly ChunkId[]) => AsyncIterable<Uint8Array>> = {
  'other bytes': async function* (ids) {
    for (const index of ids.keys()) yield* itemParts(index, Buffer.alloc(600, index))
  },
  'what was not asked': async function* (ids) {
    yield* itemParts(ids.length, Buffer.alloc(600))
  },
  'one chunk twice': async function* () {
    yield* itemParts(0, Buffer.alloc(600))
    yield* itemParts(0, Buffer.alloc(600))
  },
  'a chunk of four gigabytes': async function* () {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(0xffffffff, 4)
    yield head
    while (true) yield Buffer.alloc(65_536)
  },
  'an endless chunk': async function* () {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(limits.sealedMax, 4)
    yield head
    while (true) yield Buffer.alloc(65_536)
  },
  'half a chunk': async function* () {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(600, 4)
    yield head
    yield Buffer.alloc(300)
  },
  // eslint-disable-next-line require-yield
  'nothing, for ever': async function* () {
    await new Promise(() => undefined)
  },
  'nothing at all': async function* () {},
  noise: async function* () {
    yield Buffer.alloc(7, 0xff)
  },
}

/** A member that answers as told, and by default as a peer with no news. */
async function hostile(
  all: Peers,
  name: string,
  handlers: Partial<Record<RequestName, Handler>>,
): Promise<SimNetwork> {
  const peer = await all.add(name)
  await peer.crash()
  const network = all.world.open(peer.id, () => 'member')
  const usual: Partial<Record<RequestName, Handler>> = {
    hello: () => {
      const { clock } = all
      const head = {
        protocol,
        features: [],
        database,
        change: 0,
        time: clock.now(),
        statement: Buffer.alloc(0),
      }
      return Promise.resolve({ head: encode(greeting, head) })
    },
    'feed.notify': () => Promise.resolve({ head: empty }),
    'feed.changes': () => Promise.resolve(changes(0, 0, [], [])),
    'chunks.offer': (call) => Promise.resolve(acceptAll(call)),
  }
  for (const [request, handler] of Object.entries({ ...usual, ...handlers }))
    network.serve(request as RequestName, handler)
  await network.start()
  network.keepConnected([...all.members.keys()])
  return network
}

function changes(from: number, upTo: number, held: ChunkId[], dropped: ChunkId[]): Answer {
  const head = encode(changesHead, { database, from, upTo, last: upTo })
  return { head, body: frameBody(encode(changesBody, { batches: [], held, dropped })) }
}

/** "All durable here", without having asked for a byte. */
function acceptAll(call: Call): Answer {
  const { chunks } = readCall(offer, call, 'chunks.offer')
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const index of chunks.keys()) yield outcomePart(index, 'kept')
  }
  return { head: empty, body: body() }
}

async function readAll(peer: TestPeer, ids: readonly ChunkId[]): Promise<void> {
  const got: ChunkId[] = []
  const reading = (async () => {
    for await (const { id, bytes } of peer.pool.getAll(ids)) {
      assert.equal(hash(bytes).toString('hex'), id)
      got.push(id)
    }
  })()
  await peer.all.clock.until(reading, 3600_000)
  assert.deepEqual(got, [...ids])
}

for (const [name, answer] of Object.entries(wrongAnswers))
  test(`a holder that sends ${name} is passed over`, async () => {
    const all = new Peers(11)
    const [a, b] = await all.addAll(['a', 'b'])
    const asked = { count: 0 }
    const x = await hostile(all, 'x', {
      'chunks.get': (call) => {
        asked.count += 1
        return Promise.resolve({ head: empty, body: answer(readCall(chunksAsked, call, 'chunks.get').ids) })
      },
    })
    await all.advance(2_000)
    const ids = await a!.upload(100)
    await all.advance(5_000)
    for (const id of ids) assert.ok(a!.store.read.holders([id]).get(id)?.includes(x.peer))
    const c = await all.add('c')
    await all.advance(5_000)
    // All that c knows of holders is what they said; x is known for everything.
    await c.store.index([{ op: 'held', peer: x.peer, ids }])
    await a!.crash()
    await readAll(c, ids)
    // Wrong data bans it for the rest of the transfer; bad luck does not.
    const most = name.startsWith('nothing') ? 10 : 3
    assert.ok(asked.count > 0 && asked.count <= most, `asked ${asked.count} times`)
    assert.equal(c.budget.free, limits.bulkBytes)
    assert.ok(b!.store.bytes.size > 0)
    x.die()
    await all.close()
  })

for (const [name, answer] of Object.entries(wrongAnswers))
  test(`nothing is stored of an offer whose sender gives ${name}`, async () => {
    const all = new Peers(12)
    const [a, b] = await all.addAll(['a', 'b'])
    const x = await hostile(all, 'x', {
      'chunks.get': (call) =>
        Promise.resolve({ head: empty, body: answer(readCall(chunksAsked, call, 'chunks.get').ids) }),
    })
    await all.advance(2_000)
    const ids = Array.from({ length: 10 }, () => idOf<ChunkId>(all.random.bytes(32)))
    const head = encode(offer, { pins: [a!.pin], chunks: ids.map((id) => [id, [0]]) })
    const outcomes: number[] = []
    const asking = (async () => {
      const reply = await x.request(b!.id, 'chunks.offer', head)
      for await (const part of reply.body) outcomes.push(part[4]!)
    })()
    await all.clock.until(asking, 600_000).catch(() => undefined)
    assert.ok(outcomes.every((outcome) => outcome !== 0))
    assert.equal(b!.store.bytes.size, 0)
    assert.equal(b!.budget.free, limits.bulkBytes)
    x.die()
    await all.close()
  })

test('one damaged chunk of an offer is refused, the others are kept', async () => {
  const all = new Peers(14)
  const [a, b] = await all.addAll(['a', 'b'])
  const ids = await a!.write(10)
  const rotten = Buffer.from(a!.store.bytes.get(ids[3]!)!)
  rotten[0]! ^= 1
  a!.store.bytes.set(ids[3]!, rotten)
  await all.advance(2_000)
  a!.pool.replicate(a!.pin.folder, ids)
  await all.advance(5_000)
  assert.deepEqual(
    ids.map((id) => b!.store.bytes.has(id)),
    ids.map((id) => id !== ids[3]),
  )
  assert.equal(b!.budget.free, limits.bulkBytes)
  await all.close()
})

test('offers of the same chunks that fail half-way all end, and the chunks can be offered again', async () => {
  const all = new Peers(15)
  const [a, b] = await all.addAll(['a', 'b'])
  let failing = true
  const bytes = Array.from({ length: 64 }, () => all.random.bytes(600))
  const ids = bytes.map((one) => idOf<ChunkId>(hash(one)))
  const x = await hostile(all, 'x', {
    'chunks.get': async (call) => {
      const asked = readCall(chunksAsked, call, 'chunks.get').ids
      await all.clock.sleep(1_000)
      if (failing) throw fail('NOT_HERE', { what: 'chunks', reason: 'not now' })
      async function* parts(): AsyncGenerator<Uint8Array> {
        for (const [index, id] of asked.entries()) yield* itemParts(index, bytes[ids.indexOf(id)]!)
      }
      return { head: empty, body: parts() }
    },
  })
  await all.advance(2_000)
  const kept = async (order: readonly ChunkId[]): Promise<number> => {
    const head = encode(offer, { pins: [a!.pin], chunks: order.map((id) => [id, [0]]) })
    const reply = await x.request(b!.id, 'chunks.offer', head)
    let count = 0
    for await (const part of reply.body) if (part[4] === 0) count += 1
    return count
  }
  const orders = [ids, [...ids].reverse(), all.random.shuffled(ids), all.random.shuffled(ids)]
  const offers = Promise.all(orders.map((order) => kept(order)))
  await all.advance(20_000)
  failing = false
  await all.clock.until(offers, 600_000)
  assert.equal(await all.clock.until(kept(ids), 600_000), 64)
  x.die()
  await all.close()
})

test('a lying holder loses the holding, and repair makes another copy', async () => {
  const all = new Peers(13)
  const [a, b, c] = await all.addAll(['a', 'b', 'c'])
  const x = await hostile(all, 'x', {
    'chunks.get': () => Promise.resolve({ head: empty, body: wrongAnswers['nothing at all']!([]) }),
  })
  await all.advance(2_000)
  const ids = await a!.upload(60)
  await all.advance(5_000)
  const lied = ids.filter((id) => a!.store.read.holders([id]).get(id)?.includes(x.peer))
  assert.ok(lied.length > 10)
  // Only the liar can be asked: what it said it holds is not there.
  await b!.crash()
  await c!.crash()
  const kept = lied.map((id) => ({ id, bytes: a!.store.bytes.get(id)!, pins: a!.store.read.pins(id) }))
  for (const { id, bytes, pins } of kept) {
    a!.store.bytes.delete(id)
    await assert.rejects(
      all.clock.until(a!.pool.get(id)),
      (error: { code: string; data: { causes: string[] } }) => {
        assert.equal(error.code, 'CHUNK_UNAVAILABLE')
        assert.ok(error.data.causes.some((cause) => cause.startsWith(x.peer)))
        return true
      },
    )
    await a!.store.put([{ id, bytes, pins }])
  }
  await b!.start()
  await c!.start()
  await all.advance(120_000)
  for (const id of ids) assert.deepEqual(all.holders(id).sort(), ['a', 'b', 'c'])
  x.die()
  await all.close()
})

const wrongFeeds: Record<string, () => Answer> = {
  'a page that leads nowhere': () => {
    const head = encode(changesHead, { database, from: 0, upTo: 0, last: 99 })
    return { head, body: frameBody(encode(changesBody, { batches: [], held: [], dropped: [] })) }
  },
  'numbers that contradict each other': () => {
    const head = encode(changesHead, { database, from: 50, upTo: 10, last: 20 })
    return { head, body: frameBody(encode(changesBody, { batches: [], held: [], dropped: [] })) }
  },
  'an endless page': () => ({
    head: encode(changesHead, { database, from: 0, upTo: 5, last: 5 }),
    body: (async function* () {
      yield lengthPrefix(0x7fffffff)
      while (true) yield Buffer.alloc(65_536)
    })(),
  }),
  'no page at all': () => ({ head: encode(changesHead, { database, from: 0, upTo: 5, last: 5 }) }),
  noise: () => ({ head: Buffer.from([0xff, 0xff]) }),
}

for (const [name, answer] of Object.entries(wrongFeeds))
  test(`a feed with ${name} holds up nobody else`, async () => {
    const all = new Peers(14)
    const x = await hostile(all, 'x', {
      hello: () => {
        const { clock } = all
        const head = {
          protocol,
          features: [],
          database,
          change: 99,
          time: clock.now(),
          statement: Buffer.alloc(0),
        }
        return Promise.resolve({ head: encode(greeting, head) })
      },
      'feed.changes': () => Promise.resolve(answer()),
    })
    const [a, b] = await all.addAll(['a', 'b'])
    await all.advance(5_000)
    const record = await a!.record()
    await all.advance(5_000)
    assert.ok(b!.store.batches.has(record))
    // Nor is it asked without pause.
    const before = all.world.asked.get('feed.changes') ?? 0
    await all.advance(60_000)
    assert.ok((all.world.asked.get('feed.changes') ?? 0) - before < 60)
    x.die()
    await all.close()
  })

test('a batch other than the one asked for is not taken in', async () => {
  const all = new Peers(15)
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(1_000)
  const record = await a!.record()
  await all.advance(2_000)
  const batch = a!.store.batches.get(record)!
  const claimed = idOf<never>(all.random.bytes(32))
  const x = await hostile(all, 'x', {
    hello: () => {
      const head = { protocol, features: [], database, change: 1, time: 0, statement: Buffer.alloc(0) }
      return Promise.resolve({ head: encode(greeting, head) })
    },
    'feed.changes': () => {
      const head = encode(changesHead, { database, from: 0, upTo: 1, last: 1 })
      return Promise.resolve({
        head,
        body: frameBody(encode(changesBody, { batches: [claimed], held: [], dropped: [] })),
      })
    },
    'feed.batches': () => {
      async function* body(): AsyncGenerator<Uint8Array> {
        yield* itemParts(0, batch.bytes)
      }
      return Promise.resolve({ head: empty, body: body() })
    },
  })
  await all.advance(20_000)
  assert.equal(b!.store.batches.size, 1)
  assert.ok(!b!.store.batches.has(claimed))
  assert.ok((b!.pool.health().find(({ peer }) => peer === x.peer)?.reputation ?? 1) < 0.5)
  x.die()
  await all.close()
})

test('pins: none for itself from a storage-only peer, none at all from strangers', async () => {
  const all = new Peers(16)
  const [a] = await all.addAll(['a'])
  const storage = await all.add('s', { role: 'storage' })
  const stranger = all.world.open('peer-z' as never, () => 'member')
  await stranger.start()
  await all.advance(1_000)
  const ids = await a!.write(1)
  const own = encode(offer, { pins: [storage.pin], chunks: [[ids[0]!, [0]]] })
  const passedOn = encode(offer, { pins: [a!.pin], chunks: [[ids[0]!, [0]]] })
  const ask = async (network: SimNetwork, head: Uint8Array): Promise<string> => {
    const asking = (async () => {
      for await (const _ of (await network.request(a!.id, 'chunks.offer', head)).body);
    })()
    return all.clock.until(asking).then(
      () => 'taken',
      (error: { code: string }) => error.code,
    )
  }
  assert.equal(await ask(storage.network, own), 'FORBIDDEN')
  assert.equal(await ask(storage.network, passedOn), 'taken')
  assert.equal(await ask(stranger, passedOn), 'PEER_REFUSED')
  stranger.die()
  await all.close()
})

test('a member that makes up pins without end gets a few of them kept, and its own always', async () => {
  const all = new Peers(17)
  const [a, b] = await all.addAll(['a', 'b'])
  await all.advance(1_000)
  const [id] = await a!.write(1)
  const offers = async (pins: Pin[]): Promise<void> => {
    const head = encode(offer, { pins, chunks: [[id!, [...pins.keys()]]] })
    for await (const _ of (await b!.network.request(a!.id, 'chunks.offer', head)).body);
  }
  for (let round = 0; round < 5; round++) {
    const pins = Array.from({ length: 64 }, () => ({
      folder: idOf<FolderId>(all.random.bytes(32)),
      device: idOf<DeviceId>(all.random.bytes(32)),
    }))
    await all.clock.until(offers(pins))
  }
  await all.clock.until(offers([b!.pin]))
  const kept = a!.backing.read.pins(id!)
  assert.equal(kept.length, mostPinsOfChunk + 1)
  assert.ok(kept.some(({ device }) => device === b!.device))
  await all.close()
})

test('a peer that takes nothing costs one offer, and the next in rank gets the copies', async () => {
  const all = new Peers(17)
  const [a] = await all.addAll(['a', 'b', 'c', 'd'])
  let offers = 0
  const x = await hostile(all, 'x', {
    'chunks.offer': (call) => {
      offers += 1
      const { chunks } = readCall(offer, call, 'chunks.offer')
      async function* body(): AsyncGenerator<Uint8Array> {
        for (const index of chunks.keys()) yield outcomePart(index, 'failed')
      }
      return Promise.resolve({ head: empty, body: body() })
    },
  })
  await all.advance(2_000)
  const ids = await a!.upload(200)
  await all.advance(5_000)
  for (const id of ids) assert.equal(all.holders(id).length, 3)
  assert.ok(offers <= 2, `${offers} offers`)
  x.die()
  await all.close()
})
