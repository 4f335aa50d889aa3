/** `node scripts/check.mjs types|lint|format [--write]…`: the checks that `npm test` runs too; all when none is named. */
import { join } from 'node:path'
import { main, pinnedNode, root, run, ScriptError } from './runtime.mjs'

/** @type {Record<string, (write: boolean) => string[]>} */
const checks = {
  types: () => ['typescript/bin/tsc', '-p', '.'],
  lint: () => ['oxlint/bin/oxlint', '--type-aware'],
  format: (write) => ['oxfmt/bin/oxfmt', write ? '--write' : '--check', '.'],
}

await main(async () => {
  const write = process.argv.includes('--write')
  const named = process.argv.slice(2).filter((argument) => argument !== '--write')
  let worst = 0
  for (const name of named.length > 0 ? named : Object.keys(checks)) {
    const [file = '', ...args] = checks[name]?.(write) ?? []
    if (file === '')
      throw new ScriptError(`no check is named ${name}; there are: ${Object.keys(checks).join(', ')}`)
    worst = Math.max(worst, await run(pinnedNode(), [join(root, 'node_modules', file), ...args]))
  }
  return worst
})
