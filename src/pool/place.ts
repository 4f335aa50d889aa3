/**
 * Where chunks belong: weighted rendezvous hashing over (chunk id, pool id). A pure function of what
 * members signed, so that every peer computes the same list; who is offline or slow does not enter.
 *
 * A chunk's score on a peer is `-ln(u) / weight`, `u` in (0, 1) mixed from the chunk id and the peer's
 * seed; the lowest score comes first. Then whoever shares an owner, or after that a zone, with one
 * already chosen steps back.
 */
import { idBytes, type ChunkId, type PeerId, type PoolId } from '../base/words.ts'
import { derive } from '../codec/hash.ts'

/** What placement knows of a device. */
export interface Place {
  peer: PeerId
  owner: string
  zone: string | undefined
  /** Bytes it will keep. */
  contributed: number
}

/** No device counts for more than this many times the median contribution. */
const mostMedians = 4
/** Owners and zones are spread over the first so many places: more than any policy wants, hand-overs included. */
const spreadPlaces = 10

interface Candidate {
  place: Place
  weight: number
  seed: readonly [number, number, number, number]
}

interface Scored {
  candidate: Candidate
  score: number
}

export class Placement {
  readonly #candidates: Candidate[]
  readonly #spread: boolean

  constructor(pool: string, places: readonly Place[]) {
    const cap = mostMedians * median(places.map(({ contributed }) => contributed))
    this.#candidates = places.map((place) => ({
      place,
      weight: Math.max(1, Math.min(place.contributed, cap)),
      seed: seedOf(pool, place.peer),
    }))
    const owners = new Set(places.map(({ owner }) => owner))
    const zones = new Set(places.map(({ zone }) => zone))
    this.#spread = owners.size > 1 || zones.size > 1
  }

  /** All devices, the first where the chunk belongs most. */
  rank(id: ChunkId): PeerId[] {
    const scored = this.#scored(id)
    const order = this.#spread ? spread(scored) : scored
    return order.map(({ candidate }) => candidate.place.peer)
  }

  #scored(id: ChunkId): Scored[] {
    const bytes = idBytes(id)
    const words = [0, 4, 8, 12].map((at) => bytes.readUInt32LE(at))
    return this.#candidates
      .map((candidate) => ({ candidate, score: score(words, candidate) }))
      .sort((a, b) => a.score - b.score || (a.candidate.place.peer < b.candidate.place.peer ? -1 : 1))
  }
}

/** Moves forward, place by place, who shares the fewest owners, then zones, with those before. */
function spread(scored: readonly Scored[]): Scored[] {
  const left = [...scored]
  const chosen: Scored[] = []
  const owners = new Map<string, number>()
  const zones = new Map<string, number>()
  const shared = ({ candidate: { place } }: Scored): number =>
    (owners.get(place.owner) ?? 0) * 1024 + (zones.get(place.zone ?? '') ?? 0)
  while (left.length > 0 && chosen.length < spreadPlaces) {
    let best = 0
    for (let index = 1; index < left.length && shared(left[best]!) > 0; index++)
      if (shared(left[index]!) < shared(left[best]!)) best = index
    const [next] = left.splice(best, 1)
    chosen.push(next!)
    count(owners, next!.candidate.place.owner)
    // A device that names no zone shares it with nobody.
    if (next!.candidate.place.zone !== undefined) count(zones, next!.candidate.place.zone)
  }
  return [...chosen, ...left]
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function score(words: readonly number[], { seed, weight }: Candidate): number {
  return -Math.log(mix(words, seed)) / weight
}

/**
 * A number in (0, 1) from a chunk's words and a peer's. Chunk ids are hashes and seeds are hashes, so
 * that a mixer with full avalanche is enough; one BLAKE3 for each pair would cost 100 times more.
 */
function mix(words: readonly number[], seed: readonly number[]): number {
  let high = 0x9e3779b9
  let low = 0x85ebca6b
  for (let index = 0; index < 4; index++) {
    high = scramble(high ^ words[index]! ^ low)
    low = scramble(low ^ seed[index]! ^ high)
  }
  high = scramble(high ^ low)
  low = scramble(low ^ high)
  return ((high >>> 0) * 0x20_0000 + (low >>> 11) + 0.5) / 2 ** 53
}

/** The finaliser of MurmurHash3: every input bit turns each output bit with probability a half. */
function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

function seedOf(pool: string, peer: PeerId): readonly [number, number, number, number] {
  const bytes = derive('peerstor/1 place', idBytes(pool as PoolId), Buffer.from(peer))
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12)]
}

function median(values: readonly number[]): number {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b)
  if (sorted.length === 0) return 1
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
