/**
 * Makes shards of chunks and brings them to devices of their own; lets go of what they replace, or of
 * what replaces them, once the devices relied on have proved that they have the bytes (crypto.md §5).
 */
import { asPeerStorError, isCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId, FolderId, PeerId } from '../base/words.ts'
import type { Budget } from '../codec/budget.ts'
import type { Codec, Shard, VerifiedBytes } from '../codec/codec.ts'
import type { Coding } from '../codec/coding.ts'
import { keyed } from '../codec/hash.ts'
import type { ShardScheme } from '../codec/shards.ts'
import type { Pin } from '../store/chunk-store.ts'
import type { KnownCoding } from '../store/index-reader.ts'
import type { Health } from './health.ts'
import { planShards, shardFolder, type ShardPlan } from './plan-shards.ts'
import type { Membership, PoolParts, PoolStore } from './pool.ts'
import { proofsOf } from './proofs.ts'
import type { RemoteStore } from './remote-store.ts'
import type { Roster } from './roster.ts'

export interface ShardMakerParts {
  store: PoolStore
  roster: Roster
  health: Health
  membership: Pick<Membership, 'code' | 'members'>
  codec: Pick<Codec, 'shard'>
  budget: Pick<Budget, 'take'>
  random: Random
  log: Log
  remote: (peer: PeerId) => RemoteStore
  /** From this disk or from others, whole or by shards. */
  fetch: (id: ChunkId, signal: AbortSignal | undefined) => Promise<VerifiedBytes>
  inUse: PoolParts['inUse']
  /** A device has not got a chunk that it was known for. */
  onMissing: (peer: PeerId, id: ChunkId) => void
  /** Copies or shards are somewhere new, or gone from here. */
  onChanged: () => void
}

/** A coding with the bytes of some of its shards, by place. */
interface Made {
  coding: Coding
  bytes: Map<number, VerifiedBytes>
}

/** One shard, and where it should go. */
interface Delivery {
  id: ChunkId
  bytes: VerifiedBytes
  pins: Pin[]
  peer: PeerId
}

const nonceBytes = 32

export class ShardMaker {
  readonly #parts: ShardMakerParts

  constructor(parts: ShardMakerParts) {
    this.#parts = parts
  }

  /** Makes shards of chunks, tells everybody, and brings them to their devices; resolves to how many chunks lack some. */
  async code(
    folder: FolderId,
    scheme: ShardScheme,
    ids: readonly ChunkId[],
    signal: AbortSignal,
  ): Promise<number> {
    const made: Made[] = []
    for (const id of ids) {
      const chunk = await this.#parts.fetch(id, signal)
      const { length } = chunk
      const shards = await this.#parts.codec.shard(chunk, scheme)
      const coding = { chunk: id, length, scheme, shards: shards.map((shard) => shard.id) }
      made.push({ coding, bytes: new Map(shards.map(({ bytes }, place) => [place, bytes])) })
    }
    if (made.length === 0) return 0
    // Said first: a shard that nobody can make sense of helps nobody.
    await this.#parts.membership.code(
      folder,
      made.map(({ coding }) => coding),
    )
    this.#parts.onChanged()
    return this.#bring(folder, made, signal)
  }

  /** Makes missing shards of a chunk again, from any k; resolves to whether all are somewhere now. */
  async mend(
    folder: FolderId,
    coding: KnownCoding,
    counted: readonly PeerId[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const bytes = await this.#missing(coding, counted, signal)
    if (bytes === undefined) return false
    return (await this.#bring(folder, [{ coding, bytes }], signal, counted)) === 0
  }

  /** Where each shard of a coding is, and where missing ones should go. */
  plan(
    { chunk, scheme, shards }: Coding,
    counted: readonly PeerId[],
    failed?: ReadonlySet<PeerId>,
  ): ShardPlan {
    const { roster } = this.#parts
    const among = new Set(counted)
    const holders = roster.holders(shards)
    const ranking = roster.ranking(chunk, scheme.k + scheme.m)
    return planShards({
      open: roster.open(ranking).filter((peer) => failed?.has(peer) !== true),
      holders: shards.map((shard) => holders.get(shard)!.filter((peer) => among.has(peer))),
    })
  }

  /** Bytes of the shards that no device counts for; undefined when the coding turns out to be wrong. */
  async #missing(
    coding: KnownCoding,
    counted: readonly PeerId[],
    signal: AbortSignal,
  ): Promise<Map<number, VerifiedBytes> | undefined> {
    const { roster, store, fetch } = this.#parts
    const { relied } = this.plan(coding, counted)
    const places = relied.flatMap((peer, place) => (peer === undefined ? [place] : []))
    const holders = roster.holders(coding.shards)
    const canGive = (place: number): boolean =>
      holders.get(coding.shards[place]!)!.some((peer) => roster.isLive(peer))
    const [only = 0, ...more] = places
    // A device that goes has it still.
    if (more.length === 0 && canGive(only) && !store.read.hasChunk(coding.chunk))
      return new Map([[only, await fetch(coding.shards[only]!, signal)]])
    const shards = await this.#again(coding, await fetch(coding.chunk, signal))
    return shards && new Map(places.map((place) => [place, shards[place]!.bytes]))
  }

  /** Makes all shards anew and compares their ids with what a record said; undefined when that was wrong. */
  async #again(
    { n, chunk, scheme, shards }: KnownCoding,
    bytes: VerifiedBytes,
  ): Promise<Shard[] | undefined> {
    const made = await this.#parts.codec.shard(bytes, scheme)
    if (made.every(({ id }, place) => id === shards[place])) return made
    this.#parts.log.warn('a record names wrong shards for a chunk', { id: chunk })
    await this.#parts.store.index([{ op: 'not-coded', coding: n }])
    return undefined
  }

  /** Brings what is missing and at hand to devices; tries the next in rank where one fails. Resolves to how many chunks lack shards still. */
  async #bring(
    folder: FolderId,
    made: readonly Made[],
    signal: AbortSignal,
    counted: readonly PeerId[] = this.#parts.roster.counted(),
  ): Promise<number> {
    const failed = new Set<PeerId>()
    for (;;) {
      const plans = made.map(({ coding }) => this.plan(coding, counted, failed))
      const deliveries = made.flatMap(({ coding, bytes }, index) =>
        plans[index]!.moves.flatMap(({ place, peer }): Delivery[] => {
          const shard = bytes.get(place)
          const pins = this.#pins(shardFolder(folder), coding)
          return shard === undefined ? [] : [{ id: coding.shards[place]!, bytes: shard, pins, peer }]
        }),
      )
      if (deliveries.length === 0 || signal.aborted)
        return plans.filter(({ moves, unplaced }) => moves.length + unplaced > 0).length
      await Promise.all(
        [...Map.groupBy(deliveries, ({ peer }) => peer)].map(async ([peer, some]) => {
          if (!(await this.#deliver(peer, some, signal))) failed.add(peer)
        }),
      )
      this.#parts.onChanged()
    }
  }

  async #deliver(peer: PeerId, shards: readonly Delivery[], signal: AbortSignal): Promise<boolean> {
    const { store, roster, health, remote, log } = this.#parts
    try {
      if (peer === roster.self) await store.chunks.put(shards)
      else await remote(peer).put(shards, { signal })
    } catch (thrown) {
      const { code, message } = asPeerStorError(thrown)
      log.info('shards were not taken', { peer, shards: shards.length, code, reason: message })
      if (code === 'QUOTA_FULL' && peer !== roster.self) health.noRoom(peer)
      return false
    }
    if (peer !== roster.self) await store.index([{ op: 'held', peer, ids: shards.map(({ id }) => id) }])
    return true
  }

  /** For `folder`, by the devices for which the chunk or shards of it are kept here: a storage-only device pins nothing for itself. */
  #pins(folder: FolderId, { chunk, shards }: Coding): Pin[] {
    const { membership, roster, store } = this.#parts
    const here = new Set(
      [chunk, ...shards].flatMap((id) => store.read.standingPins(id).map(({ device }) => device)),
    )
    if (here.size === 0) here.add(membership.members().find(({ peer }) => peer === roster.self)!.device)
    return [...here].map((device) => ({ folder, device }))
  }

  /** Brings whole copies of a chunk to those of `peers`; resolves to whether each took it. */
  async copy(
    folder: FolderId,
    coding: Coding,
    peers: readonly PeerId[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { store, roster, remote, fetch, onChanged } = this.#parts
    const { chunk: id } = coding
    const chunk = { id, bytes: await fetch(id, signal), pins: this.#pins(folder, coding) }
    const taken = await Promise.allSettled(
      peers.map(async (peer) => {
        if (peer === roster.self) return store.chunks.put([chunk])
        await remote(peer).put([chunk], { signal })
        await store.index([{ op: 'held', peer, ids: [id] }])
      }),
    )
    onChanged()
    return taken.every(({ status }) => status === 'fulfilled')
  }

  /**
   * Drops the whole copies here of chunks whose shards lie, each proved now, on devices of their own.
   * Resolves to how many were dropped.
   */
  async dropWhole(folder: FolderId, codings: readonly KnownCoding[], signal: AbortSignal): Promise<number> {
    const { random, roster } = this.#parts
    const nonce = random.bytes(nonceBytes)
    const claims: { coding: KnownCoding; peer: PeerId; id: ChunkId; proof: Buffer }[] = []
    for (const coding of codings) {
      const { relied } = this.plan(coding, roster.reachable())
      if (!this.#isOnlyFor(coding.chunk, folder) || relied.includes(undefined)) continue
      const shards = await this.#again(coding, await this.#parts.fetch(coding.chunk, signal))
      for (const [place, { id, bytes }] of shards?.entries() ?? [])
        claims.push({ coding, peer: relied[place]!, id, proof: keyed(nonce, bytes) })
    }
    const proved = new Set<ChunkId>()
    for (const [peer, some] of Map.groupBy(claims, ({ peer }) => peer)) {
      const ids = some.map(({ id }) => id)
      const proofs = await this.#proofs(peer, nonce, ids, signal)
      for (const { id, proof } of some) {
        const answer = proofs?.get(id)
        if (answer !== undefined && Buffer.compare(answer, proof) === 0) proved.add(id)
        else if (proofs !== undefined) this.#parts.onMissing(peer, id)
      }
    }
    const whole = Map.groupBy(claims, ({ coding }) => coding.chunk)
    return this.#drop(
      [...whole].filter(([, some]) => some.every(({ id }) => proved.has(id))).map(([chunk]) => chunk),
      (chunk) => this.#isOnlyFor(chunk, folder),
    )
  }

  /** Drops shards here, once at least `least` of `peers` have each proved what they have of `instead`. */
  async dropShards(
    ids: readonly ChunkId[],
    instead: readonly { id: ChunkId; peers: readonly PeerId[]; least: number }[],
    signal: AbortSignal,
  ): Promise<number> {
    const nonce = this.#parts.random.bytes(nonceBytes)
    for (const { id, peers, least } of instead) {
      let proved = 0
      for (const peer of peers) {
        // It compared the bytes with their id before it answered.
        const proofs = await this.#proofs(peer, nonce, [id], signal)
        if (proofs?.has(id) === true) proved += 1
        else if (proofs !== undefined) this.#parts.onMissing(peer, id)
      }
      if (proved < least) return 0
    }
    return this.#drop(ids.filter((id) => this.#parts.store.read.hasChunk(id)))
  }

  /** Whether nothing but the files of a folder asks for a chunk: no upload under way, no other kind of pin. */
  #isOnlyFor(id: ChunkId, folder: FolderId): boolean {
    const { store, inUse } = this.#parts
    return !inUse(id) && store.read.pins(id).every((pin) => pin.folder === folder)
  }

  /** `may` is asked in the step that writes: an upload may have come to rely on a chunk meanwhile. */
  async #drop(ids: readonly ChunkId[], may?: (id: ChunkId) => boolean): Promise<number> {
    if (ids.length === 0) return 0
    const dropped = await this.#parts.store.chunks.drop(ids, may)
    this.#parts.onChanged()
    return dropped.length
  }

  /** What a device answers for chunks that it should have, those left out that it has not; undefined: no answer. */
  async #proofs(
    peer: PeerId,
    nonce: Uint8Array,
    ids: readonly ChunkId[],
    signal: AbortSignal,
  ): Promise<Map<ChunkId, Uint8Array> | undefined> {
    const { store, roster, health, remote, log } = this.#parts
    if (peer === roster.self) return proofsOf(store, nonce, ids)
    try {
      const proofs = await remote(peer).challenge(nonce, ids, { signal })
      return new Map(ids.flatMap((id, at) => (proofs[at] === undefined ? [] : [[id, proofs[at]] as const])))
    } catch (thrown) {
      if (isCode(thrown, 'PEER_MISBEHAVED')) health.distrust(peer)
      log.debug('shards were not proved', { peer, reason: asPeerStorError(thrown).message })
      return undefined
    }
  }
}
