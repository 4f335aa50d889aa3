/** `npm run sim -- --seeds N`: the seeded simulator, test/sim/. */
import { main, runPinned } from './runtime.mjs'
import { setUp } from './setup.mjs'

await main(async () => {
  await setUp()
  return runPinned('test/sim/run.ts', process.argv.slice(2))
})
