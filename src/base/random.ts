/** Randomness as a parameter: the system's here, a seeded generator in the simulator. */
import { randomBytes } from 'node:crypto'

export interface Random {
  /** `count` unpredictable bytes (in the simulator: seeded ones). */
  bytes(count: number): Buffer
  /** A number in [0, 1): for jitter and choice, never for keys. */
  number(): number
}

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  number: () => Math.random(),
}
