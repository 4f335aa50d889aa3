/**
 * The bench harness: a workload's contenders run in turn, so that noise of the machine meets all of
 * them, and are compared with the first, the reference, within the same run. The first round only warms
 * up. bench/README.md tells how to add a workload.
 */
import { ProcessMeter } from './process-meter.ts'

export interface Contender {
  name: string
  /** One timed round. What it returns are more numbers for the table, as `{ filesPerSecond: 1200 }`. */
  run(): Promise<Record<string, number> | void>
  /** Untimed, before each round: removes what the round before left. */
  before?(): Promise<void>
  /** Processes that work for it, to be measured besides this one and the children it waits for. */
  pids?(): readonly number[]
}

export type Bound = { atLeast: number } | { atMost: number }

export interface Workload {
  name: string
  /** One line of what is measured, and by what input. */
  about: string
  /** Bytes of one round, for MB/s (10^6). */
  bytes?: number
  /** Most that each contender may take, as a ratio to the reference. */
  limits?: Record<string, number>
  /** What the numbers of PeerStor's rounds shall be: name of the number, then at least or at most how much. */
  reach?: Record<string, Bound>
  /** Rounds that count; 5 when left out. */
  rounds?: number
  /** Makes input and starts processes; the first contender is the reference. */
  prepare(): Promise<{ contenders: readonly Contender[]; close?(): Promise<void> }>
}

/** Medians of one contender; times in seconds, memory in bytes. Undefined where the platform does not tell. */
export interface Result {
  workload: string
  contender: string
  rounds: number
  wallSeconds: { median: number; min: number; max: number }
  /** Median over rounds of wall time / the reference's wall time in the same round. */
  ratio: number
  limit: number | undefined
  cpuSeconds: number | undefined
  peakRssBytes: number | undefined
  megabytesPerSecond: number | undefined
  /** Medians of what the rounds returned. */
  more: Record<string, number>
  /** What they shall be. */
  reach: Record<string, Bound>
}

interface Round {
  wallSeconds: number
  cpuSeconds: number | undefined
  peakRssBytes: number | undefined
  more: Record<string, number>
}

/** A contender that is somebody else's server; none where that is not installed. */
export function over<Server extends { pid: number }>(
  server: Server | undefined,
  contender: (server: Server) => Omit<Contender, 'pids'>,
): Contender[] {
  return server === undefined ? [] : [{ ...contender(server), pids: () => [server.pid] }]
}

/** Runs one workload; `onRound` hears of each round as it ends. */
export async function measure(
  workload: Workload,
  options: { rounds?: number | undefined; onRound?: (text: string) => void } = {},
): Promise<Result[]> {
  const prepared = await workload.prepare()
  const { contenders } = prepared
  const rounds = options.rounds ?? workload.rounds ?? 5
  const all = contenders.map((): Round[] => [])
  try {
    for (let round = 0; round <= rounds; round += 1)
      for (const [index, contender] of contenders.entries()) {
        const found = await measureRound(contender)
        const warmUp = round === 0 ? ' (warm-up, dropped)' : ''
        options.onRound?.(`${workload.name}: ${contender.name} ${found.wallSeconds.toFixed(3)} s${warmUp}`)
        if (round > 0) all[index]?.push(found)
      }
  } finally {
    await prepared.close?.()
  }
  const reference = all[0] ?? []
  return contenders.map((contender, index) => summarise(workload, contender, all[index] ?? [], reference))
}

async function measureRound(contender: Contender): Promise<Round> {
  await contender.before?.()
  const meter = new ProcessMeter(contender.pids?.() ?? [])
  const since = performance.now()
  const more = (await contender.run()) ?? {}
  const wallSeconds = (performance.now() - since) / 1000
  return { wallSeconds, more, ...meter.read() }
}

function summarise(
  workload: Workload,
  contender: Contender,
  rounds: readonly Round[],
  reference: readonly Round[],
): Result {
  const walls = rounds.map((round) => round.wallSeconds)
  const wallSeconds = { median: median(walls), min: Math.min(...walls), max: Math.max(...walls) }
  const names = [...new Set(rounds.flatMap((round) => Object.keys(round.more)))]
  return {
    workload: workload.name,
    contender: contender.name,
    rounds: rounds.length,
    wallSeconds,
    ratio: median(walls.map((wall, index) => wall / (reference[index]?.wallSeconds ?? wall))),
    limit: workload.limits?.[contender.name],
    cpuSeconds: medianOfKnown(rounds.map((round) => round.cpuSeconds)),
    peakRssBytes: medianOfKnown(rounds.map((round) => round.peakRssBytes)),
    megabytesPerSecond: workload.bytes === undefined ? undefined : workload.bytes / 1e6 / wallSeconds.median,
    more: Object.fromEntries(
      names.map((name) => [name, medianOfKnown(rounds.map((round) => round.more[name])) ?? Number.NaN]),
    ),
    reach: contender.name.startsWith('PeerStor') ? (workload.reach ?? {}) : {},
  }
}

/** The middle value; of an even count the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

function medianOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : median(known)
}

function boundText(value: number, bound: Bound | undefined): string {
  if (bound === undefined) return ''
  if ('atLeast' in bound) return ` (at least ${bound.atLeast}${value < bound.atLeast ? ': MISSED' : ''})`
  return ` (at most ${bound.atMost}${value > bound.atMost ? ': MISSED' : ''})`
}

/** The results as an aligned text table. */
export function table(results: readonly Result[]): string {
  const head = [
    'workload',
    'contender',
    'wall s',
    '[min-max]',
    'x ref',
    'limit',
    'MB/s',
    'CPU s',
    'peak MB',
    '',
  ]
  const rows = results.map((result) => [
    result.workload,
    result.contender,
    result.wallSeconds.median.toFixed(3),
    `[${result.wallSeconds.min.toFixed(2)}-${result.wallSeconds.max.toFixed(2)}]`,
    result.ratio.toFixed(2),
    result.limit === undefined ? '' : `${result.limit}${result.ratio > result.limit ? ' OVER' : ''}`,
    result.megabytesPerSecond?.toFixed(0) ?? '',
    result.cpuSeconds?.toFixed(2) ?? '',
    result.peakRssBytes === undefined ? '' : (result.peakRssBytes / 1e6).toFixed(0),
    Object.entries(result.more)
      .map(
        ([name, value]) => `${name} ${Number(value.toPrecision(4))}${boundText(value, result.reach[name])}`,
      )
      .join('  '),
  ])
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < 2 || column === 9 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}
