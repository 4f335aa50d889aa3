/**
 * Heads and bodies of the requests of this room (docs/FORMAT.md). Read by schema with limits; unknown
 * fields of `hello` are ignored, so that a later protocol can say more.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, DatabaseId, DeviceId, FolderId, PeerId, RecordHash } from '../base/words.ts'
import {
  boolean,
  bytes,
  decode,
  field,
  fields,
  id,
  list,
  optional,
  refuse,
  shortId,
  text,
  tuple,
  uint,
  type Read,
  type Schema,
} from '../codec/cbor-schema.ts'
import { ByteReader, lengthPrefix } from '../net/framing.ts'
import type { RequestName } from '../net/registry.ts'
import { digestsBytes, mostPrefix } from './pin-digests.ts'

/** Spoken by this program. A peer with another number is answered in this one while it understands it. */
export const protocol = 1

const listPage = 4096

/** Both halves of `hello`. `time`: the sender's wall clock in milliseconds. */
export const greeting = fields(
  {
    protocol: field(0, uint()),
    features: field(1, list(text(64), 64)),
    database: field(2, shortId<DatabaseId>()),
    change: field(3, uint()),
    time: field(4, uint()),
    statement: field(5, bytes(0, limits.statementBytes)),
    /** Answers only: the latest statements of all devices. */
    statements: optional(6, list(bytes(0, limits.statementBytes), limits.peers)),
  },
  { open: true },
)
export type Greeting = Read<typeof greeting>

/** `statements`: of any devices, news to the sender. */
export const notice = fields(
  {
    database: field(0, shortId<DatabaseId>()),
    change: field(1, uint()),
    statements: optional(2, list(bytes(0, limits.statementBytes), limits.noticeStatements)),
  },
  { open: true },
)
export type Notice = Read<typeof notice>

export const changesAsked = fields({ database: field(0, shortId<DatabaseId>()), since: field(1, uint()) })
/** `from` is 0 when the asked database is not this one; `last` is the newest change there is. */
export const changesHead = fields({
  database: field(0, shortId<DatabaseId>()),
  from: field(1, uint()),
  upTo: field(2, uint()),
  last: field(3, uint()),
})
/** One frame in the answer's body. */
export const changesBody = fields({
  batches: field(0, list(id<RecordHash>(), limits.feedChanges)),
  held: field(1, list(id<ChunkId>(), limits.feedChanges)),
  dropped: field(2, list(id<ChunkId>(), limits.feedChanges)),
})
export const changesBodyBytes = 3 * limits.feedChanges * 34 + 64

export const batchesAsked = fields({ last: field(0, list(id<RecordHash>(), limits.feedBatches)) })

export const chunksAsked = fields({ ids: field(0, list(id<ChunkId>(), limits.getChunks)) })
export const hasAsked = fields({ ids: field(0, list(id<ChunkId>(), limits.offerChunks)) })
/** A bit for each id, lowest bit first. */
export const hasAnswer = fields({ here: field(0, bytes(0, limits.offerChunks / 8)) })
const hexPrefix: Schema<string> = {
  write: (value) => value,
  read: (value, path) => {
    const prefix = text(64).read(value, path)
    return /^[0-9a-f]*$/.test(prefix) ? prefix : refuse(path, 'is no hex text')
  },
}
export const listAsked = fields({ prefix: field(0, hexPrefix), after: optional(1, id<ChunkId>()) })
export const listBody = fields({ ids: field(0, list(id<ChunkId>(), listPage)), more: field(1, boolean) })
export const listBodyBytes = listPage * 34 + 64
export const listPageIds = listPage

export const mostPins = 1024
export const mostPinsOfChunk = 64
const pin = fields({ folder: field(0, id<FolderId>()), device: field(1, id<DeviceId>()) })
const offeredChunk = tuple<[ChunkId, number[]]>(id<ChunkId>(), list(uint(mostPins - 1), mostPinsOfChunk))
/** Chunks with the numbers of their pins in `pins`. */
export const offer = fields({
  pins: field(0, list(pin, mostPins)),
  chunks: field(1, list(offeredChunk, limits.offerChunks)),
})
export type Offer = Read<typeof offer>

/** The answer to an offer is a stream of these: the chunk's place in the offer, and what became of it. */
export const outcomes = { kept: 0, full: 1, failed: 2 } as const
export type Outcome = keyof typeof outcomes
const outcomeOf = new Map<number, Outcome>(
  Object.entries(outcomes).map(([name, number]) => [number, name as Outcome]),
)
const outcomeBytes = 5

export const challenge = fields({
  nonce: field(0, bytes(32)),
  ids: field(1, list(id<ChunkId>(), limits.getChunks)),
})
/** Empty where the chunk is not here. */
export const challengeAnswer = fields({ proofs: field(0, list(bytes(0, 32), limits.getChunks)) })

/** The earliest of the times of those that are there, wall milliseconds; without one that was never read. */
export const verifiedAnswer = fields({ at: optional(0, uint()) })
const heldChunk = tuple<[ChunkId, number[], number]>(
  id<ChunkId>(),
  list(uint(mostPins - 1), mostPinsOfChunk),
  uint(),
)
/** Chunks with the numbers of their pins in `pins`, and the copies that the asking peer takes to be wanted. */
export const hold = fields({
  nonce: field(0, bytes(32)),
  pins: field(1, list(pin, mostPins)),
  chunks: field(2, list(heldChunk, limits.getChunks)),
})
/** The proof of a chunk that will stay; empty where none is promised; one byte where it is not here but not missed. */
export const holdAnswer = fields({ proofs: field(0, list(bytes(0, 32), limits.getChunks)) })

const pinsPrefix: Schema<string> = {
  write: (value) => value,
  read: (value, path) => {
    const prefix = hexPrefix.read(value, path)
    return prefix.length % 2 === 0 && prefix.length <= mostPrefix
      ? prefix
      : refuse(path, 'has a wrong length')
  },
}
export const digestsAsked = fields({ folder: field(0, id<FolderId>()), prefix: field(1, pinsPrefix) })
/** `change`: the holder's newest when it began to look; `digests`: `pin-digests.ts`. */
export const digestsAnswer = fields({
  database: field(0, shortId<DatabaseId>()),
  change: field(1, uint()),
  digests: field(2, bytes(digestsBytes)),
})
export const pinsAsked = fields({
  folder: field(0, id<FolderId>()),
  prefix: field(1, pinsPrefix),
  after: optional(2, id<ChunkId>()),
})
export const pinsHead = fields({ database: field(0, shortId<DatabaseId>()), change: field(1, uint()) })
export const pinsBody = listBody
export const pinsBodyBytes = listBodyBytes

export const nothing = fields({}, { open: true })

/** Reads a peer's answer by schema; anything else than what was agreed is the peer's fault. */
export function readAnswer<T>(
  schema: Schema<T>,
  head: Uint8Array,
  peer: PeerId,
  request: RequestName,
  maxBytes: number = limits.requestHeadBytes,
): T {
  try {
    return decode(schema, head, `the answer to ${request}`, maxBytes)
  } catch (error) {
    throw misbehaved(peer, request, 'it is not in the agreed form', error)
  }
}

/** The one frame of an answer's body. */
export async function readBody<T>(
  schema: Schema<T>,
  body: AsyncIterable<Uint8Array>,
  peer: PeerId,
  request: RequestName,
  maxBytes: number,
): Promise<T> {
  const reader = new ByteReader(body, `the answer to ${request}`)
  try {
    const frame = await asPeersFault(peer, request, reader.frame(maxBytes))
    if (frame === undefined) throw misbehaved(peer, request, 'its body is missing')
    return readAnswer(schema, frame, peer, request, maxBytes)
  } finally {
    await reader.close()
  }
}

/** One frame as a body. */
export async function* frameBody(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield lengthPrefix(bytes.byteLength)
  yield bytes
}

/** One item of a bulk answer: its place in the request (4 bytes), its length (4 bytes), its bytes. */
export function* itemParts(index: number, item: Uint8Array): Generator<Uint8Array> {
  const head = Buffer.allocUnsafe(8)
  head.writeUInt32BE(index, 0)
  head.writeUInt32BE(item.byteLength, 4)
  yield head
  yield item
}

/**
 * The items of a bulk answer as they arrive. Each of the `count` asked things comes at most once, with
 * 1 to `maxBytes` bytes; whoever sends more is dropped. `room` is awaited before the bytes are read.
 */
export async function* readItems(
  body: AsyncIterable<Uint8Array>,
  asked: { peer: PeerId; request: RequestName; count: number; maxBytes: number },
  room?: (bytes: number) => Promise<void>,
): AsyncGenerator<{ index: number; bytes: Buffer }> {
  const { peer, request, count, maxBytes } = asked
  const reader = new ByteReader(body, `the answer to ${request}`)
  const seen = new Set<number>()
  try {
    while (true) {
      const head = await asPeersFault(peer, request, reader.exactlyOrEnd(8))
      if (head === undefined) return
      const index = head.readUInt32BE(0)
      const length = head.readUInt32BE(4)
      if (index >= count || seen.has(index)) throw misbehaved(peer, request, 'it sent what was not asked')
      if (length === 0 || length > maxBytes) throw misbehaved(peer, request, `an item has ${length} bytes`)
      seen.add(index)
      await room?.(length)
      yield { index, bytes: await asPeersFault(peer, request, reader.exactly(length)) }
    }
  } finally {
    await reader.close()
  }
}

/** One line of the answer to an offer. */
export function outcomePart(index: number, outcome: Outcome): Buffer {
  const part = Buffer.allocUnsafe(outcomeBytes)
  part.writeUInt32BE(index, 0)
  part.writeUInt8(outcomes[outcome], 4)
  return part
}

/** The lines of the answer to an offer of `count` chunks, each at most once. */
export async function* readOutcomes(
  body: AsyncIterable<Uint8Array>,
  peer: PeerId,
  count: number,
): AsyncGenerator<{ index: number; outcome: Outcome }> {
  const reader = new ByteReader(body, 'the answer to chunks.offer')
  const seen = new Set<number>()
  try {
    while (true) {
      const line = await asPeersFault(peer, 'chunks.offer', reader.exactlyOrEnd(outcomeBytes))
      if (line === undefined) return
      const index = line.readUInt32BE(0)
      const outcome = outcomeOf.get(line.readUInt8(4))
      if (index >= count || seen.has(index) || outcome === undefined)
        throw misbehaved(peer, 'chunks.offer', 'it answered for what was not offered')
      seen.add(index)
      yield { index, outcome }
    }
  } finally {
    await reader.close()
  }
}

export function misbehaved(peer: PeerId, request: RequestName, reason: string, cause?: unknown): Error {
  return fail('PEER_MISBEHAVED', { peer, request, reason }, cause)
}

/** A stream that ends early or is too long is the sender's fault; a broken connection is not. */
async function asPeersFault<T>(peer: PeerId, request: RequestName, reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    const code = (error as { code?: unknown }).code
    if (code === 'BAD_INPUT' || code === 'TOO_LARGE')
      throw misbehaved(peer, request, (error as Error).message, error)
    throw error
  }
}
