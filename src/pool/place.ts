/**
 * Where chunks belong: weighted rendezvous hashing over (chunk id, pool id). A pure function of what
 * members signed, so that every peer computes the same list; who is offline or slow does not enter.
 *
 * A chunk's score on a peer is `-ln(u) / weight`, `u` in (0, 1) mixed from the chunk id and the peer's
 * seed; the lowest score comes first. Then whoever shares an owner, or after that a zone, with one
 * already chosen steps back.
 *
 * Weights are such that of `copies` places each peer gets its share: with distinct devices for a
 * chunk's copies, no device can hold more of them than there are chunks, so a large one counts as far
 * as the others fill up beside it. A share s, the part of all chunks that a device should hold, is the
 * weight `-ln(1 - s)`: it is the chance that an exponential clock of that rate has rung when `copies`
 * of them have (Rosén, order sampling).
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

/** In a large pool no device counts for more than this many times the median contribution. */
const mostMedians = 4
/** Pools of so many devices need all the room of their largest; from `largePool` on the cap counts alone. */
const smallPool = 10
const largePool = 20
/** A device that gets every chunk: nearly always among the first, and weights stay finite. */
const nearlyAll = 1 - 1e-9
/** Owners and zones are spread over the first so many places: more than any policy wants, hand-overs included. */
const spreadPlaces = 10
/** So few are picked out; more are sorted. */
const selectMost = 16

interface Candidate {
  place: Place
  weight: number
  seed: readonly [number, number, number, number]
}

export class Placement {
  readonly #candidates: Candidate[]
  readonly #spread: boolean
  /** Of the chunk looked at, for each candidate. */
  readonly #scores: Float64Array

  /** For chunks that want `copies` copies. */
  constructor(pool: string, places: readonly Place[], copies: number) {
    const shares = sharesOf(
      places.map(({ contributed }) => contributed),
      copies,
    )
    this.#candidates = places
      .map((place, index) => ({
        place,
        weight: -Math.log1p(-Math.min(shares[index]!, nearlyAll)),
        seed: seedOf(pool, place.peer),
      }))
      .sort((a, b) => (a.place.peer < b.place.peer ? -1 : 1))
    this.#scores = new Float64Array(places.length)
    const owners = new Set(places.map(({ owner }) => owner))
    const zones = new Set(places.map(({ zone }) => zone))
    this.#spread = owners.size > 1 || zones.size > 1
  }

  /** All devices, or the first `most`, the first where the chunk belongs most. */
  rank(id: ChunkId, most: number = this.#candidates.length): PeerId[] {
    this.#score(id)
    const order = this.#spread ? spread(this.#first(this.#candidates.length)) : this.#first(most)
    return order.slice(0, most).map(({ place }) => place.peer)
  }

  #score(id: ChunkId): void {
    const bytes = idBytes(id)
    const words = [0, 4, 8, 12].map((at) => bytes.readUInt32LE(at))
    for (let index = 0; index < this.#candidates.length; index++)
      this.#scores[index] = score(words, this.#candidates[index]!)
  }

  /** Those with the lowest scores, ascending; equal ones by peer id, in which order they stand. */
  #first(most: number): Candidate[] {
    const scores = this.#scores
    if (most > selectMost) {
      const order = this.#candidates.map((_, index) => index)
      return order.sort((a, b) => scores[a]! - scores[b]! || a - b).map((index) => this.#candidates[index]!)
    }
    const first: number[] = []
    for (let index = 0; index < scores.length; index++) {
      let at = first.length
      while (at > 0 && scores[index]! < scores[first[at - 1]!]!) at -= 1
      if (at === most) continue
      first.splice(at, 0, index)
      first.length = Math.min(first.length, most)
    }
    return first.map((index) => this.#candidates[index]!)
  }
}

/** Moves forward, place by place, who shares the fewest owners, then zones, with those before. */
function spread(scored: readonly Candidate[]): Candidate[] {
  const left = [...scored]
  const chosen: Candidate[] = []
  const owners = new Map<string, number>()
  const zones = new Map<string, number>()
  const shared = ({ place }: Candidate): number =>
    (owners.get(place.owner) ?? 0) * 1024 + (zones.get(place.zone ?? '') ?? 0)
  while (left.length > 0 && chosen.length < spreadPlaces) {
    let best = 0
    for (let index = 1; index < left.length && shared(left[best]!) > 0; index++)
      if (shared(left[index]!) < shared(left[best]!)) best = index
    const [next] = left.splice(best, 1)
    chosen.push(next!)
    count(owners, next!.place.owner)
    // A device that names no zone shares it with nobody.
    if (next!.place.zone !== undefined) count(zones, next!.place.zone)
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

/**
 * The part of all chunks that each device should hold, 0 to 1: in proportion to its contribution, at
 * most 1, together `copies`. With these shares all devices are full at once.
 */
export function sharesOf(contributed: readonly number[], copies: number): number[] {
  const sizes = contributed.map((bytes) => Math.max(1, bytes))
  if (sizes.length <= copies) return sizes.map(() => 1)
  const cap = capOf(sizes, copies)
  const counted = sizes.map((size) => Math.min(size, cap))
  const level = levelOf(counted, copies)
  return counted.map((size) => Math.min(1, size / level))
}

/** What a device counts for at most: in a large pool nobody's word about his size moves half of all chunks. */
function capOf(sizes: readonly number[], copies: number): number {
  const small = Math.max(0, Math.min(1, (largePool - sizes.length) / (largePool - smallPool)))
  return Math.max(mostMedians * median(sizes), small * levelOf(sizes, copies))
}

/** Bytes of chunks that fit when each is kept `copies` times: the level L with sum(min(size, L)) = copies x L. */
export function levelOf(sizes: readonly number[], copies: number): number {
  const largest = sizes.toSorted((a, b) => b - a)
  let rest = largest.reduce((sum, size) => sum + size, 0)
  for (let places = copies; places > 1; places--) {
    const size = largest[copies - places] ?? 0
    if (size <= rest / places) return rest / places
    rest -= size
  }
  return rest
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
