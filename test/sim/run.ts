/**
 * `npm run sim -- [--seeds N] [--from SEED] [--peers N] [--operations N] [--faults A,B] [--old] [--threads N] [--verbose]`:
 * exit 1 when a property did not hold. With `--verbose` every operation, fault and log line is printed;
 * with `--old` months pass at the end, and what nothing needs must be gone.
 */
import { parseArgs } from 'node:util'
import { faultKinds, type FaultKind } from './profile.ts'
import { runSeeds } from './run-seeds.ts'
import { simulate, type Report } from './simulation.ts'
import { failureText, Tally } from './tally.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    peers: { type: 'string' },
    operations: { type: 'string' },
    old: { type: 'boolean' },
    faults: { type: 'string' },
    threads: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})
const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)
const from = Number(values.from)
const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => from + index)
const faults = values.faults?.split(',') as FaultKind[] | undefined
for (const name of faults ?? [])
  if (!faultKinds.includes(name)) throw new Error(`${name}: not one of ${faultKinds.join(', ')}`)
const asked = {
  peers: number(values.peers),
  operations: number(values.operations),
  faults,
  growsOld: values.old,
}
const tally = new Tally()
const since = performance.now()
let failed = 0

function take(report: Report): void {
  tally.add(report)
  const { seed, trace, profile, elapsedMs, broken } = report
  if (broken === undefined)
    console.log(
      `seed ${seed} ok: ${profile.peers} peers, ${Math.round(elapsedMs / 1000)} virtual s, trace ${trace}`,
    )
  else {
    failed += 1
    console.error(failureText(report))
  }
}

if (values.verbose) for (const seed of seeds) take(await simulate({ seed, ...asked, onLine: console.log }))
else await runSeeds({ seeds, ...asked, threads: number(values.threads), onReport: take })
console.log(tally.lines().join('\n'))
console.log(
  `${tally.seeds - failed} of ${tally.seeds} seeds held, ${((performance.now() - since) / 1000).toFixed(1)} s`,
)
process.exitCode = failed > 0 ? 1 : 0
