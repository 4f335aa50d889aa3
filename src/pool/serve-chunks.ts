/**
 * What other peers may ask of this peer's chunks. Registered with the network, which has already
 * checked the caller's role; the forms and limits are `wire.ts`.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import { encode, decode, type Schema } from '../codec/cbor-schema.ts'
import type { Answer, Call, Network } from '../net/network.ts'
import { registry, type RequestName } from '../net/registry.ts'
import type { Holds } from './holds.ts'
import type { Keeper } from './keep.ts'
import type { PoolStore } from './pool.ts'
import { proofsOf } from './proofs.ts'
import type { Outbox } from './remote-store.ts'
import {
  challenge,
  challengeAnswer,
  chunksAsked,
  frameBody,
  hasAnswer,
  hasAsked,
  itemParts,
  listAsked,
  listBody,
  listPageIds,
  nothing,
  offer,
  verifiedAnswer,
} from './wire.ts'

export interface ServeChunksParts {
  network: Network
  store: Pick<PoolStore, 'chunks' | 'read' | 'verifier'>
  outbox: Outbox
  keeper: Keeper
  holds: Pick<Holds, 'answer'>
  /** A chunk on this disk does not match its id. */
  onDamage: (id: ChunkId) => void
}

export function serveChunks(parts: ServeChunksParts): void {
  const { network, keeper, holds } = parts
  const gets = new Map<PeerId, number>()
  network.serve('chunks.get', (call) => Promise.resolve(answerGet(parts, call, gets)))
  network.serve('chunks.has', (call) => answerHas(parts, call))
  network.serve('chunks.list', (call) => answerList(parts, call))
  network.serve('chunks.verified', (call) => {
    const at = parts.store.verifier.verifiedAt(readCall(hasAsked, call, 'chunks.verified').ids)
    return Promise.resolve({ head: encode(verifiedAnswer, at === undefined ? {} : { at }) })
  })
  network.serve('chunks.challenge', (call) => answerChallenge(parts, call))
  network.serve('chunks.hold', (call) => holds.answer(call))
  network.serve('chunks.offer', (call) => {
    const offered = readCall(offer, call, 'chunks.offer')
    return Promise.resolve({ head: encode(nothing, {}), body: keeper.keep(call, offered) })
  })
}

/** Reads a request's head by schema; `BAD_INPUT` goes back to the caller. */
export function readCall<T>(schema: Schema<T>, call: Call, name: RequestName): T {
  return decode(schema, call.head, `the request ${name}`, registry[name].headBytes)
}

function answerGet({ store, outbox }: ServeChunksParts, call: Call, gets: Map<PeerId, number>): Answer {
  const { ids } = readCall(chunksAsked, call, 'chunks.get')
  const { from } = call
  if ((gets.get(from) ?? 0) >= limits.getsPerPeer) throw fail('RATE_LIMITED', { who: from, seconds: 1 })
  const placeOf = new Map(ids.map((id, index) => [id, index]))
  const lent = new Map(ids.flatMap((id) => [[id, outbox.get(id)] as const].filter(([, bytes]) => bytes)))
  const elsewhere = [...placeOf.keys()].filter((id) => !lent.has(id))
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const [id, bytes] of lent) yield* itemParts(placeOf.get(id)!, bytes!)
    if (elsewhere.length === 0) return
    for await (const { id, bytes } of store.chunks.get(elsewhere, { signal: call.signal }))
      yield* itemParts(placeOf.get(id)!, bytes)
  }
  return { head: encode(nothing, {}), body: counted(gets, from, body()), given: lent.size === 0 }
}

/** Counts an answer while it is read: each holds a chunk in memory, as long as its reader likes. */
async function* counted(
  counts: Map<PeerId, number>,
  peer: PeerId,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  counts.set(peer, (counts.get(peer) ?? 0) + 1)
  try {
    yield* body
  } finally {
    const left = (counts.get(peer) ?? 1) - 1
    if (left > 0) counts.set(peer, left)
    else counts.delete(peer)
  }
}

async function answerHas({ store }: ServeChunksParts, call: Call): Promise<Answer> {
  const { ids } = readCall(hasAsked, call, 'chunks.has')
  const here = await store.chunks.has(ids, { signal: call.signal })
  const bits = Buffer.alloc(Math.ceil(ids.length / 8))
  here.forEach((is, index) => {
    if (is) bits[index >> 3]! |= 1 << (index & 7)
  })
  return { head: encode(hasAnswer, { here: bits }) }
}

async function answerList({ store }: ServeChunksParts, call: Call): Promise<Answer> {
  const { prefix, after } = readCall(listAsked, call, 'chunks.list')
  const ids = []
  let more = false
  for await (const id of store.chunks.list(prefix, { signal: call.signal, after })) {
    if (ids.length === listPageIds) {
      more = true
      break
    }
    ids.push(id)
  }
  return { head: encode(nothing, {}), body: frameBody(encode(listBody, { ids, more })) }
}

async function answerChallenge({ store, onDamage }: ServeChunksParts, call: Call): Promise<Answer> {
  const { nonce, ids } = readCall(challenge, call, 'chunks.challenge')
  const proofs = await proofsOf(store, nonce, ids, { signal: call.signal, onDamage })
  const answer = ids.slice(0, limits.getChunks).map((id) => proofs.get(id) ?? new Uint8Array(0))
  return { head: encode(challengeAnswer, { proofs: answer }) }
}
