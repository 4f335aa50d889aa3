/**
 * A member whose program lies, over real sockets: the honest peer has its chunks from the other holder,
 * shows nothing wrong, holds little memory meanwhile, and says in its log who it was.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { isCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { systemRandom } from '../../src/base/random.ts'
import { idOf, type ChunkId, type DatabaseId, type PeerId } from '../../src/base/words.ts'
import { encode } from '../../src/codec/cbor-schema.ts'
import { hashHex } from '../../src/codec/hash.ts'
import type { Answer } from '../../src/net/network.ts'
import type { Libp2pNetwork } from '../../src/net/libp2p-network.ts'
import { registry } from '../../src/net/registry.ts'
import { readCall } from '../../src/pool/serve-chunks.ts'
import {
  changesBody,
  changesHead,
  chunksAsked,
  frameBody,
  greeting,
  itemParts,
  nothing,
  protocol,
} from '../../src/pool/wire.ts'
import { realPool, type RealPeer } from './real-pool.ts'

const chunkBytes = 100_000
const piece = Buffer.alloc(64 * 1024)
const empty = encode(nothing, {})

/** Answers to `chunks.get`; those that are proof of a lie are to be found in the log. */
const answers: Record<
  string,
  { proof: boolean; body: (ids: readonly ChunkId[]) => AsyncIterable<Uint8Array> }
> = {
  'other bytes': {
    proof: true,
    body: async function* (ids) {
      for (const index of ids.keys()) yield* itemParts(index, Buffer.alloc(chunkBytes, index + 1))
    },
  },
  'what was not asked': {
    proof: true,
    body: async function* (ids) {
      yield* itemParts(ids.length, Buffer.alloc(chunkBytes))
    },
  },
  'one chunk again and again': {
    proof: true,
    body: async function* () {
      while (true) yield* itemParts(0, piece)
    },
  },
  'half a chunk': {
    proof: true,
    body: async function* () {
      yield itemHead(chunkBytes)
      yield Buffer.alloc(chunkBytes / 2)
    },
  },
  'a chunk of four gigabytes': {
    proof: true,
    body: async function* () {
      yield itemHead(0xffffffff)
      while (true) yield piece
    },
  },
  'an endless chunk': {
    proof: true,
    body: async function* () {
      yield itemHead(limits.sealedMax)
      while (true) yield piece
    },
  },
  'nothing at all': { proof: false, body: async function* () {} },
  'an error in the middle': {
    proof: false,
    // eslint-disable-next-line require-yield
    body: async function* () {
      throw new Error('no')
    },
  },
}

function itemHead(length: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(length, 4)
  return head
}

/** What the hostile member does now, and what it was asked and could send. */
const evil = { answer: 'other bytes', asked: 0, sent: 0 }

function prepareEvil(network: Libp2pNetwork): void {
  const database = idOf<DatabaseId>(Buffer.alloc(16, 7))
  network.serve('hello', () => {
    const head = { protocol, features: [], database, change: 0, time: Date.now(), statement: Buffer.alloc(0) }
    return Promise.resolve({ head: encode(greeting, head) })
  })
  network.serve('feed.notify', () => Promise.resolve({ head: empty }))
  network.serve('feed.changes', () => {
    const body = frameBody(encode(changesBody, { batches: [], held: [], dropped: [] }))
    return Promise.resolve({ head: encode(changesHead, { database, from: 0, upTo: 0, last: 0 }), body })
  })
  network.serve('chunks.get', (call): Promise<Answer> => {
    const { ids } = readCall(chunksAsked, call, 'chunks.get')
    evil.asked += 1
    return Promise.resolve({ head: empty, body: counted(answers[evil.answer]!.body(ids)) })
  })
}

async function* counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const bytes of body) {
    evil.sent += bytes.byteLength
    yield bytes
  }
}

/** Chunks that no folder needs, so that nobody brings them to the reader before it asks. */
async function writeUnpinned({ store }: RealPeer): Promise<ChunkId[]> {
  const chunks = Array.from({ length: 8 }, () => {
    const bytes = systemRandom.bytes(chunkBytes)
    return { id: hashHex(bytes) as ChunkId, bytes, pins: [] }
  })
  await store.chunks.put(chunks)
  return chunks.map(({ id }) => id)
}

async function readAll(reader: RealPeer, ids: readonly ChunkId[]): Promise<void> {
  const got: ChunkId[] = []
  for await (const { id, bytes } of reader.pool.getAll(ids)) {
    assert.equal(hashHex(bytes), id)
    got.push(id)
  }
  assert.deepEqual(got, [...ids])
}

/** Lets the reader ask the liar for chunks that another has; how many lines of its log name the liar. */
async function ask(holder: RealPeer, reader: RealPeer, liar: PeerId): Promise<number> {
  const ids = await writeUnpinned(holder)
  // Only the liar is known to hold them: it is asked first.
  await reader.store.index([{ op: 'held', peer: liar, ids }])
  reader.lines.length = 0
  await readAll(reader, ids)
  assert.ok((await reader.store.chunks.has(ids)).every((is) => !is))
  return reader.lines.filter(
    ({ message, fields }) => message === 'a device sent wrong data for a chunk' && fields['peer'] === liar,
  ).length
}

test('a holder that answers wrongly is passed over, in bounded memory, and named in the log', async (t) => {
  let liar: PeerId | undefined
  const [holder, reader] = await realPool(t, 2, (network) => {
    liar = network.peer
    prepareEvil(network)
  })
  for (const [name, { proof }] of Object.entries(answers)) {
    let named = 0
    // On a slow machine the other holder may be first, and the lie is never heard to its end.
    for (let tries = proof ? 10 : 1; tries > 0 && named === 0; tries--) {
      Object.assign(evil, { answer: name, asked: 0, sent: 0 })
      named = await ask(holder!, reader!, liar!)
      assert.ok(evil.asked > 0, `${name}: it was asked`)
      // What it could send went no further than the windows of its connection and one chunk.
      assert.ok(evil.sent < 64 * 1024 ** 2, `${name}: it sent ${evil.sent} bytes`)
    }
    assert.equal(named > 0, proof, `${name}: ${named} lines`)
  }
})

/** Resolves when the other end has closed the connection. */
function closedAfter(port: number, noise: Buffer): Promise<void> {
  return new Promise((closed) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.once('close', () => closed())
    socket.resume()
    socket.write(noise)
  })
}

test('noise on the port of libp2p and lanes is closed, and requests that are too large are refused', async (t) => {
  let network: Libp2pNetwork | undefined
  const [holder, reader] = await realPool(t, 2, (made) => prepareEvil((network = made)))
  const port = Number(/\/tcp\/(\d+)/.exec(reader!.network.addresses()[0]!)![1])
  const noises: Buffer[] = [
    Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    // As a lane begins, with a record of no TLS; as libp2p begins, with a line that has no end.
    Buffer.concat([Buffer.from([0x16, 3, 1, 0xff, 0xff]), Buffer.alloc(70_000, 0xee)]),
    Buffer.concat([Buffer.from('\x13/multistream/1.0.0\n'), Buffer.alloc(70_000, 0xff)]),
    Buffer.alloc(1_000_000),
  ]
  // What might still become a handshake is given up after `limits.dialTimeoutMs`.
  await Promise.all(noises.map((noise) => closedAfter(port, noise)))
  const head = Buffer.alloc(registry['chunks.get'].headBytes + 1)
  await assert.rejects(
    network!.request(reader!.id, 'chunks.get', head),
    (thrown) =>
      isCode(thrown, 'TOO_LARGE') || isCode(thrown, 'BAD_INPUT') || isCode(thrown, 'PEER_UNREACHABLE'),
  )
  const ids = await writeUnpinned(holder!)
  await reader!.store.index([{ op: 'held', peer: holder!.id, ids }])
  await readAll(reader!, ids)
})
