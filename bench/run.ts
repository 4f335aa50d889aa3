/** `npm run bench [-- WORKLOAD… --rounds N --json]`: runs the workloads of bench/, prints a table or JSON lines. */
import { readdirSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { measure, type Result, table, type Workload } from './harness.ts'

/** net.ts is a program of its own: importing it would run it. */
const notWorkloads = ['harness.ts', 'process-meter.ts', 'run.ts', 'net.ts']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean' },
  },
})

const found = await findWorkloads()
const unknown = positionals.filter((name) => !found.some((workload) => workload.name === name))
if (values.list === true || unknown.length > 0) {
  if (unknown.length > 0) console.error(`error: no workload is named ${unknown.join(', ')}; there are:`)
  for (const workload of found) console.log(`${workload.name.padEnd(16)} ${workload.about}`)
  process.exit(unknown.length > 0 ? 2 : 0)
}

const machine = `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`
console.error(`${machine}, load ${loadavg()[0]?.toFixed(1)}`)
const results: Result[] = []
for (const workload of found) {
  if (positionals.length > 0 && !positionals.includes(workload.name)) continue
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  const measured = await measure(workload, { rounds, onRound: (text) => console.error(text) })
  results.push(...measured)
  if (values.json) for (const result of measured) console.log(JSON.stringify({ ...result, machine }))
}
if (!values.json) console.log(table(results))

/** Every `export const workload` or `workloads` of bench/*.ts, in the order of the files' names. */
async function findWorkloads(): Promise<Workload[]> {
  const files = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .filter((name) => !notWorkloads.includes(name))
    .sort()
  const modules = await Promise.all(
    files.map(async (name) => (await import(`./${name}`)) as { workload?: Workload; workloads?: Workload[] }),
  )
  return modules.flatMap(
    (module) => module.workloads ?? (module.workload === undefined ? [] : [module.workload]),
  )
}
