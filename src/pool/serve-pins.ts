/** The holder's side of collection: what a folder has pinned here, and releases of it. */
import { fail } from '../base/errors.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import { encode } from '../codec/cbor-schema.ts'
import type { Answer, Call } from '../net/network.ts'
import { takeRelease, type CollectionParts } from './collection.ts'
import { digestsOf, idBefore, type PageOf } from './pin-digests.ts'
import { readCall } from './serve-chunks.ts'
import {
  digestsAnswer,
  digestsAsked,
  frameBody,
  listPageIds,
  nothing,
  pinsAsked,
  pinsBody,
  pinsHead,
} from './wire.ts'

/** Walks over all pins that one peer may have under way here. */
const walksPerPeer = 2

export function servePins(parts: CollectionParts): void {
  const { network } = parts
  const walks = new Map<PeerId, number>()
  network.serve('pins.digests', (call) => answerDigests(parts, call, walks))
  network.serve('pins.list', (call) => Promise.resolve(answerList(parts, call)))
  network.serve('pins.release', (call) => answerRelease(parts, call))
}

async function answerDigests(
  { store, clock }: CollectionParts,
  call: Call,
  walks: Map<PeerId, number>,
): Promise<Answer> {
  const { folder, prefix } = readCall(digestsAsked, call, 'pins.digests')
  const { from } = call
  const open = walks.get(from) ?? 0
  if (open >= walksPerPeer) throw fail('RATE_LIMITED', { who: from, seconds: 1 })
  walks.set(from, open + 1)
  try {
    const change = store.read.lastChange()
    const page: PageOf = (after, until, limit) => store.read.pinnedFor(folder, after, until, limit)
    const digests = await digestsOf(page, prefix, () => clock.sleep(1, call.signal))
    return { head: encode(digestsAnswer, { database: store.database, change, digests }) }
  } finally {
    walks.set(from, walks.get(from)! - 1)
  }
}

function answerList({ store }: CollectionParts, call: Call): Answer {
  const { folder, prefix, after = idBefore(prefix) } = readCall(pinsAsked, call, 'pins.list')
  const head = encode(pinsHead, { database: store.database, change: store.read.lastChange() })
  const ids = store.read.pinnedFor(folder, after, prefix.padEnd(64, 'f') as ChunkId, listPageIds)
  return { head, body: frameBody(encode(pinsBody, { ids, more: ids.length === listPageIds })) }
}

async function answerRelease(parts: CollectionParts, call: Call): Promise<Answer> {
  const { devices, ...release } = parts.folders.read(call.head, call.from)
  if (release.database !== parts.store.database)
    throw fail('BAD_INPUT', { what: 'the release', reason: 'the index here was made anew' })
  await takeRelease(parts, release, devices)
  return { head: encode(nothing, {}) }
}
