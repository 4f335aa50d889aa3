/** How one simulation behaves, drawn from its seed: each seed leaves some things out and overdoes others. */
import type { SeededRandom } from './seeded-random.ts'

export const operationKinds = [
  'put',
  'overwrite',
  'concurrent puts',
  'read',
  'list',
  'move',
  'remove',
  'restore',
  'new folder',
  'invite',
  'revoke',
  'collect',
  'resize',
  'retire',
] as const
export type OperationKind = (typeof operationKinds)[number]

export const faultKinds = [
  'crash',
  'power cut',
  'partition',
  'one-way partition',
  'message loss',
  'delay',
  'clock jump',
  'repeated messages',
  'bit flips',
  'misdirected writes',
  'unreadable disk',
  'disk lost',
  'backup restored',
  'database lost',
  'full disk',
  'failed sync',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Profile {
  /** Peers at most; some of them are invited late. */
  peers: number
  early: number
  storageShare: number
  operations: number
  /** Distinct paths that are written. */
  paths: number
  /** Operations begun together, and the pause behind them, milliseconds. */
  burst: number
  pauseMs: number
  weights: Record<OperationKind, number>
  faults: readonly { kind: FaultKind; before: number }[]
  /** Shortest and longest way of a message, milliseconds. */
  delayMs: [number, number]
  /** Every so manieth peer gives little space. */
  smallEvery: number
  /** At the end months pass, and what nothing needs goes. */
  growsOld: boolean
}

const usual: Record<OperationKind, number> = {
  put: 30,
  overwrite: 16,
  'concurrent puts': 6,
  read: 26,
  list: 6,
  move: 6,
  remove: 6,
  restore: 4,
  'new folder': 2,
  invite: 2,
  revoke: 1,
  collect: 3,
  resize: 1.5,
  retire: 1,
}
/** Of 40 pools so many have so many peers: three is what most people have, large ones cost most time. */
const poolSizes = Object.entries({ 3: 14, 4: 10, 5: 8, 6: 4, 7: 2, 8: 1, 9: 1 }).flatMap(([peers, pools]) =>
  Array.from({ length: pools }, () => Number(peers)),
)

export interface Asked {
  peers?: number | undefined
  operations?: number | undefined
  /** Only these faults happen. */
  faults?: readonly FaultKind[] | undefined
  /** These operations are many times as frequent as usual. */
  often?: readonly OperationKind[] | undefined
  smallEvery?: number | undefined
  growsOld?: boolean | undefined
}

/** How much more frequent. */
const oftenTimes = 6

export function drawProfile(random: SeededRandom, asked: Asked): Profile {
  const peers = asked.peers ?? random.pick(poolSizes)
  const operations = asked.operations ?? 200
  return {
    peers,
    early: Math.max(Math.min(3, peers), peers - random.below(3)),
    storageShare: random.pick([0, 0.2, 0.4]),
    operations,
    paths: random.pick([4, 12, 40]),
    burst: random.pick([4, 10, 25]),
    pauseMs: random.pick([300, 2_000, 8_000]),
    weights: drawWeights(random, asked),
    faults: drawFaults(random, operations, asked),
    delayMs: [1, random.pick([2, 20, 200])],
    smallEvery: asked.smallEvery ?? random.pick([0, 0, 3]),
    growsOld: asked.growsOld ?? false,
  }
}

function drawWeights(random: SeededRandom, { often = [] }: Asked): Profile['weights'] {
  const weights = { ...usual }
  for (const kind of operationKinds) weights[kind] *= random.pick([0, 0.5, 1, 1, 2])
  for (const kind of often) weights[kind] = usual[kind] * oftenTimes
  // Without writing there is nothing to see.
  weights.put += 10
  return weights
}

/** Three faults at least, of few kinds, before operations in the middle of the run. */
function drawFaults(random: SeededRandom, operations: number, asked: Asked): Profile['faults'] {
  const kinds = asked.faults ?? random.shuffled(faultKinds).slice(0, random.between(2, 6))
  const count = random.between(3, 8)
  return Array.from({ length: count }, () => ({
    kind: random.pick(kinds),
    before: random.between(Math.floor(operations / 10), operations - 1),
  })).sort((a, b) => a.before - b.before)
}

/** One of `weights`, each as often as its weight says. */
export function drawOperation(random: SeededRandom, weights: Profile['weights']): OperationKind {
  const sum = operationKinds.reduce((sum, kind) => sum + weights[kind], 0)
  let left = random.number() * sum
  for (const kind of operationKinds) if ((left -= weights[kind]) < 0) return kind
  return 'put'
}
