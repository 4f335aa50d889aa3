/** Where a million chunks come to lie on a hundred unequal devices: how evenly, and how fast it is decided. */
import { idOf, type ChunkId, type PeerId } from '../src/base/words.ts'
import { Placement } from '../src/pool/place.ts'
import type { Workload } from './harness.ts'

const devices = 100
const chunks = 1_000_000
const copies = 3
const weights = [50, 100, 100, 400]

export const workload: Workload = {
  name: 'placement',
  about: 'three places for each of 1,000,000 chunks on 100 devices of 1 to 8 times the size',
  rounds: 1,
  reach: { furthestFromShare: { atMost: 0.05 } },
  prepare() {
    return Promise.resolve({
      contenders: [{ name: 'placed', run: () => Promise.resolve({ furthestFromShare: furthest() }) }],
    })
  },
}

/** The largest difference between the chunks of a device and its share, as a part of the share. */
function furthest(): number {
  const places = Array.from({ length: devices }, (_, index) => ({
    peer: `12D3KooW${index}` as PeerId,
    owner: 'one',
    zone: undefined,
    contributed: weights[index % weights.length] ?? 0,
  }))
  const placement = new Placement('5a'.repeat(32), places, copies)
  const counts = new Map<PeerId, number>()
  const id = Buffer.alloc(32)
  for (let number = 0; number < chunks; number++) {
    // Distinct 16 bytes are enough: the ranking mixes them.
    id.writeUInt32LE(number, 0)
    for (const peer of placement.rank(idOf<ChunkId>(id), copies))
      counts.set(peer, (counts.get(peer) ?? 0) + 1)
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0) * (devices / weights.length)
  return Math.max(
    ...places.map(({ peer, contributed }) => {
      const expected = (chunks * copies * contributed) / total
      return Math.abs((counts.get(peer) ?? 0) / expected - 1)
    }),
  )
}
