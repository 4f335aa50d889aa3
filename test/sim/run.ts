/** `npm run sim -- --seeds N [--from SEED] [--peers N] [--operations N] [--verbose]`: exit 1 when a property did not hold. */
import { parseArgs } from 'node:util'
import { runSeeds } from './run-seeds.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    peers: { type: 'string' },
    operations: { type: 'string' },
    threads: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})
