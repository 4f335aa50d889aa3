/** Randomness as a parameter: the system's here, a seeded generator in the simulator. */
import { randomBytes, randomFillSync } from 'node:crypto'

export interface Random {
  /** `count` unpredictable bytes (in the simulator: seeded ones). */
  bytes(count: number): Buffer
  /** A number in [0, 1): for jitter and choice, never for keys. */
  number(): number
}

/** Random ids are made by thousands a second, and asking the system costs 9 µs each time. */
const ahead = Buffer.alloc(4096)
let used = ahead.length

/** `count` bytes of those drawn ahead; they are forgotten as they are given out. */
function fromAhead(count: number): Buffer {
  if (used + count > ahead.length) {
    randomFillSync(ahead)
    used = 0
  }
  const bytes = Buffer.from(ahead.subarray(used, used + count))
  ahead.fill(0, used, used + count)
  used += count
  return bytes
}

export const systemRandom: Random = {
  // Keys (32 bytes) come from the system one by one.
  bytes: (count) => (count <= 16 ? fromAhead(count) : randomBytes(count)),
  number: () => Math.random(),
}
