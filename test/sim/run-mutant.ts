/** Runs seeds until one notices the mistake that is in force; prints `{seed, property}`, or what failed instead. */
import { mutants } from './mutants.ts'
import { simulate } from './simulation.ts'

/** Enough for every mutant kept; most are noticed by the first or second. */
const mostSeeds = 16

const { asked } = mutants.find(({ name }) => name === process.env['PEERSTOR_MUTANT'])!
for (let seed = 1; seed <= mostSeeds; seed++) {
  const { broken } = await simulate({ seed, ...asked })
  if (broken === undefined) continue
  console.log(JSON.stringify({ seed, ...broken }))
  break
}
