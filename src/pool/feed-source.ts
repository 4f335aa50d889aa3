/** This peer's feed as others read it: who I am, what is new since a change, whole batches. */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { PeerId, RecordHash } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Answer, Call, Network } from '../net/network.ts'
import type { Membership, PoolStore } from './pool.ts'
import { readCall } from './serve-chunks.ts'
import type { Statements } from './statements.ts'
import {
  batchesAsked,
  changesAsked,
  changesBody,
  changesHead,
  frameBody,
  greeting,
  itemParts,
  nothing,
  notice,
  protocol,
  type Greeting,
  type Notice,
} from './wire.ts'

export interface FeedSourceParts {
  network: Network
  store: PoolStore
  membership: Membership
  clock: Clock
  /** A peer said hello. */
  onGreeting: (peer: PeerId, greeting: Greeting) => Promise<void>
  /** A peer has changes up to `change` in `database`, or passes on statements. */
  onNotice: (peer: PeerId, notice: Notice) => Promise<void>
  statements: Statements
  /** A batch cannot be read from this disk. */
  onDamage: (last: RecordHash, error: unknown) => void
}

export function serveFeed(parts: FeedSourceParts): void {
  const { network, onNotice } = parts
  network.serve('hello', async (call) => {
    await parts.onGreeting(call.from, readCall(greeting, call, 'hello'))
    return { head: encode(greeting, { ...ownGreeting(parts), statements: parts.statements.all() }) }
  })
  network.serve('feed.notify', async (call) => {
    await onNotice(call.from, readCall(notice, call, 'feed.notify'))
    return { head: encode(nothing, {}) }
  })
  network.serve('feed.changes', (call) => Promise.resolve(answerChanges(parts, call)))
  network.serve('feed.batches', (call) => Promise.resolve(answerBatches(parts, call)))
}

export function ownGreeting({
  store,
  membership,
  clock,
}: Pick<FeedSourceParts, 'store' | 'membership' | 'clock'>): Greeting {
  return {
    protocol,
    features: [],
    database: store.database,
    change: store.read.lastChange(),
    time: Math.round(clock.now()),
    statement: membership.statement(),
  }
}

/** A page of changes; from the beginning when the asker knows another database, or more than there is. */
function answerChanges({ store }: FeedSourceParts, call: Call): Answer {
  const asked = readCall(changesAsked, call, 'feed.changes')
  const last = store.read.lastChange()
  const from = asked.database === store.database && asked.since <= last ? asked.since : 0
  const { batches, held, dropped, upTo } = store.read.changes(from, limits.feedChanges)
  const head = encode(changesHead, { database: store.database, from, upTo, last })
  return { head, body: frameBody(encode(changesBody, { batches, held, dropped })) }
}

/** Batches in the order asked; one that is not here, or rotted here, is left out: the asker comes again. */
function answerBatches(parts: FeedSourceParts, call: Call): Answer {
  const { last } = readCall(batchesAsked, call, 'feed.batches')
  return { head: encode(nothing, {}), body: batchParts(parts, last) }
}

async function* batchParts(
  { store, onDamage }: FeedSourceParts,
  hashes: readonly RecordHash[],
): AsyncGenerator<Uint8Array> {
  for (const [index, hash] of hashes.entries()) {
    if (!store.read.hasBatch(hash)) continue
    const bytes = await store.batch(hash).then(
      (batch) => batch.bytes,
      (error: unknown) => onDamage(hash, error),
    )
    if (bytes !== undefined) yield* itemParts(index, bytes)
  }
}
