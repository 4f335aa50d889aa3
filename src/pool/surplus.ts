/**
 * Gives up copies on this disk that are more than wanted, each only when as many others as are wanted have proved
 * within minutes that they have it, carry the pins that it has here, and promise to keep it (`holds.ts`). Dropping is
 * immediate; compaction returns the space.
 */
import type { Clock } from '../base/clock.ts'
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import type { Pin } from '../store/chunk-store.ts'
import type { Health } from './health.ts'
import type { Holds } from './holds.ts'
import { pinsBeside } from './keep.ts'
import type { PoolStore } from './pool.ts'
import { proofsOf } from './proofs.ts'
import type { RemoteStore } from './remote-store.ts'
import type { Roster } from './roster.ts'
import { mostPinsOfChunk } from './wire.ts'

export interface SurplusParts {
  store: PoolStore
  roster: Roster
  health: Health
  holds: Holds
  remote: (peer: PeerId) => RemoteStore
  clock: Clock
  random: Random
  log: Log
  /** An upload under way relies on a chunk here. */
  inUse: (id: ChunkId) => boolean
  /** A chunk on this disk does not match its id. */
  onDamage: (id: ChunkId) => void
  /** Chunks left this disk. */
  onDropped: (ids: readonly ChunkId[]) => void
}

/** A chunk to be given up, and on whom that relies. */
export interface SurplusChunk {
  id: ChunkId
  want: number
  relied: readonly PeerId[]
}

interface Candidate extends SurplusChunk {
  pins: readonly Pin[]
  /** A member that may know of a wish for more copies, where only devices that store are relied on. */
  witness: PeerId | undefined
}

type Answers = Map<ChunkId, Uint8Array | 'fine' | undefined>

export class Surplus {
  readonly #parts: SurplusParts

  constructor(parts: SurplusParts) {
    this.#parts = parts
  }

  /** Gives up at most `limits.getChunks` chunks; resolves to those that went. */
  async giveUp(chunks: readonly SurplusChunk[], signal: AbortSignal): Promise<ChunkId[]> {
    const { holds } = this.#parts
    const free = new Set(holds.begin(chunks.map(({ id }) => id)))
    try {
      return await this.#giveUp(
        chunks.filter(({ id }) => free.has(id)),
        signal,
      )
    } finally {
      holds.end([...free])
    }
  }

  async #giveUp(chunks: readonly SurplusChunk[], signal: AbortSignal): Promise<ChunkId[]> {
    const { clock, random, store, onDamage, onDropped } = this.#parts
    const candidates = chunks.flatMap((chunk) => this.#candidate(chunk))
    if (candidates.length === 0) return []
    const mine = candidates.map(({ id }) => id)
    const nonce = random.bytes(32)
    const askedAt = clock.monotonicMs()
    const [own, answers] = await Promise.all([
      proofsOf(store, nonce, mine, { signal, onDamage }),
      this.#ask(nonce, candidates, signal),
    ])
    const proved = candidates.filter((candidate) => this.#isProved(candidate, own, answers))
    if (clock.monotonicMs() - askedAt > limits.promiseUseMs) return []
    const ids = new Map(proved.map((candidate) => [candidate.id, candidate]))
    const gone = await store.chunks.drop([...ids.keys()], (id) => this.#isAsBefore(ids.get(id)!))
    if (gone.length > 0) onDropped(gone)
    return gone
  }

  #candidate(chunk: SurplusChunk): Candidate[] {
    const { store, roster, inUse } = this.#parts
    const pins = store.read.standingPins(chunk.id)
    if (pins.length > mostPinsOfChunk || inUse(chunk.id)) return []
    // Devices that only store see no file that asks for more copies: a member is asked too.
    const isMember = (peer: PeerId): boolean => roster.member(peer)?.role !== 'storage'
    if (isMember(roster.self) || chunk.relied.some(isMember)) return [{ ...chunk, pins, witness: undefined }]
    const witness = roster.others().find(({ peer, role }) => role !== 'storage' && roster.isLive(peer))?.peer
    return witness === undefined ? [] : [{ ...chunk, pins, witness }]
  }

  /** Every peer concerned is asked once, for all chunks that concern it. */
  async #ask(
    nonce: Uint8Array,
    candidates: readonly Candidate[],
    signal: AbortSignal,
  ): Promise<Map<PeerId, Answers>> {
    const peersOf = ({ relied, witness }: Candidate): PeerId[] =>
      witness === undefined ? [...relied] : [...relied, witness]
    const peers = [...new Set(candidates.flatMap(peersOf))]
    const answers = await Promise.all(
      peers.map((peer) => {
        const chunks = candidates.filter((candidate) => peersOf(candidate).includes(peer))
        return this.#askOne(peer, nonce, chunks, signal)
      }),
    )
    return new Map(peers.map((peer, index) => [peer, answers[index]!]))
  }

  async #askOne(
    peer: PeerId,
    nonce: Uint8Array,
    chunks: readonly Candidate[],
    signal: AbortSignal,
  ): Promise<Answers> {
    const { health, remote, log } = this.#parts
    const asked = chunks.map(({ id, pins, want }) => ({ id, pins, want }))
    try {
      const answers = await health.measured(peer, () => remote(peer).hold(nonce, asked, { signal }))
      return new Map(chunks.map(({ id }, index) => [id, answers[index]]))
    } catch (thrown) {
      signal.throwIfAborted()
      const { code, message } = asPeerStorError(thrown)
      log.info('a device did not say that it keeps chunks', { peer, code, reason: message })
      return new Map()
    }
  }

  #isProved(
    { id, relied, witness }: Candidate,
    own: ReadonlyMap<ChunkId, Uint8Array>,
    answers: ReadonlyMap<PeerId, Answers>,
  ): boolean {
    const right = own.get(id)
    if (right === undefined) return false
    if (witness !== undefined && answers.get(witness)?.get(id) === undefined) return false
    return relied.every((peer) => {
      const answer = answers.get(peer)?.get(id)
      if (answer === undefined || answer === 'fine') return false
      if (Buffer.compare(answer, right) === 0) return true
      // It compared the bytes with their id before it answered.
      this.#parts.log.error('a device answered for a chunk with a wrong proof', { peer, id })
      this.#parts.health.distrust(peer)
      return false
    })
  }

  /** Nothing came meanwhile that speaks against it: a pin, an upload, a wish for more, a device that is gone. */
  #isAsBefore({ id, pins, want, relied }: Candidate): boolean {
    const { store, roster, inUse, health } = this.#parts
    const now = store.read.standingPins(id)
    const counted = roster.counted()
    return (
      !inUse(id) &&
      pinsBeside(pins, now).length === 0 &&
      roster.wants([{ id, pins: now }]).get(id) === want &&
      relied.every((peer) => counted.includes(peer) && !health.isDoubted(peer))
    )
  }
}
