/** `node scripts/check.mjs [types|lint|format] [--write]`: the checks that `npm test` runs too; all when none is named. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { main, pinnedNode, root, run, ScriptError } from './runtime.mjs'

const write = process.argv.includes('--write')

/** The commands of each check. @type {Record<string, string[][]>} */
const checks = {
  types: ['.', 'ui']
    .filter((project) => existsSync(join(root, project, 'tsconfig.json')))
    .map((project) => ['typescript/bin/tsc', '-p', project]),
  lint: [['oxlint/bin/oxlint', '--type-aware']],
  format: [['oxfmt/bin/oxfmt', write ? '--write' : '--check', '.']],
}

await main(async () => {
  const named = process.argv.slice(2).filter((argument) => argument !== '--write')
  let worst = 0
  for (const name of named.length > 0 ? named : Object.keys(checks)) {
    const commands = checks[name]
    if (commands === undefined)
      throw new ScriptError(`no check is named ${name}; there are: ${Object.keys(checks).join(', ')}`)
    for (const [file = '', ...args] of commands)
      worst = Math.max(worst, await run(pinnedNode(), [join(root, 'node_modules', file), ...args]))
  }
  return worst
})
