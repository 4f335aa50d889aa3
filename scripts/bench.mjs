/** `npm run bench [-- WORKLOAD… --rounds N --json FILE]`: see bench/README.md. */
import { main, runPinned } from './runtime.mjs'
import { setUp } from './setup.mjs'

await main(async () => {
  await setUp()
  return runPinned('bench/run.ts', process.argv.slice(2))
})
