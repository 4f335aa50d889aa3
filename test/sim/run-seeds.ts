/** Many seeds on worker threads; each report is handed over as soon as it is there. */
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { Report, SimulationOptions } from './simulation.ts'

export type SeedOptions = Omit<SimulationOptions, 'seed' | 'onLine'>

export interface RunOptions extends SeedOptions {
  seeds: readonly number[]
  threads?: number | undefined
  /** False ends the run: no further seed is begun. */
  onReport: (report: Report) => boolean | void
}

const role = 'simulation'
/** A simulation makes much that dies young: with V8's usual 16 MiB a tenth of its time goes into clearing that up. */
const resourceLimits = { maxYoungGenerationSizeMb: 96 }

/** Resolves when all seeds are done; a thread that dies fails the run. */
export async function runSeeds({ seeds, threads, onReport, ...options }: RunOptions): Promise<void> {
  const left = [...seeds]
  const count = Math.min(threads ?? availableParallelism(), left.length)
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const thread = new Worker(new URL(import.meta.url), { workerData: { role, options }, resourceLimits })
      const next = (): void => {
        const seed = left.shift()
        if (seed === undefined) void thread.terminate().then(() => resolve(), reject)
        else thread.postMessage(seed)
      }
      thread.on('message', (report: Report) => {
        if (onReport(report) === false) left.length = 0
        next()
      })
      thread.on('error', reject)
      next()
    })
  await Promise.all(Array.from({ length: count }, run))
}

/** The thread's side: one seed after the other. */
async function serve(options: SeedOptions): Promise<void> {
  const { simulate } = await import('./simulation.ts')
  const port = parentPort!
  port.on('message', (seed: number) => {
    void simulate({ seed, ...options }).then((report) => port.postMessage(report))
  })
}

const given = workerData as { role?: unknown; options: SeedOptions } | null
if (!isMainThread && given?.role === role) await serve(given.options)
