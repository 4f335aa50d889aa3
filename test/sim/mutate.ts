/** Loaded before a program (`--import`): the product's source then has the mistake that `PEERSTOR_MUTANT` names. */
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { mutants } from './mutants.ts'

const name = process.env['PEERSTOR_MUTANT']
const mutant = mutants.find((mutant) => mutant.name === name)
if (mutant === undefined) throw new Error(`there is no mutant named ${name}`)
const { file, find, replace } = mutant
const target = fileURLToPath(new URL(`../../${file}`, import.meta.url))

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.startsWith('file:') || fileURLToPath(url) !== target) return loaded
    const [before, after, ...more] = Buffer.from(loaded.source as Uint8Array)
      .toString()
      .split(find)
    if (before === undefined || after === undefined || more.length > 0)
      throw new Error(`the mutant "${name}" fits ${file} no more: write it anew in test/sim/mutants.ts`)
    return { ...loaded, source: `${before}${replace}${after}` }
  },
})
