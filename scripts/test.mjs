/**
 * `npm test [-- PART…]`: installs, builds what is lacking, runs the tests part by part. Its last line
 * is `N passed, N failed, N skipped` over all parts; exit 1 when one failed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildUi } from './build-ui.mjs'
import { findTests, partNames, parts, partOf } from './test-parts.mjs'
import { main, pinnedEnv, pinnedNode, run, ScriptError } from './runtime.mjs'
import { setUp } from './setup.mjs'

/** A test that hangs ends after this; no test needs so long. */
const testTimeoutMs = 15 * 60_000

await main(async () => {
  const chosen = process.argv.slice(2)
  for (const name of chosen)
    if (!partNames.includes(name))
      throw new ScriptError(`no part is named ${name}; there are: ${partNames.join(', ')}`)
  await setUp()
  await buildUi()

  const total = { passed: 0, failed: 0, skipped: 0 }
  const files = findTests()
  for (const file of files) partOf(file)
  for (const name of chosen.length > 0 ? chosen : partNames) {
    const since = performance.now()
    const found = await runPart(
      name,
      files.filter((file) => partOf(file) === name),
    )
    for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) total[key] += found[key]
    console.log(`part ${name}: ${line(found)} in ${((performance.now() - since) / 1000).toFixed(1)} s\n`)
  }
  console.log(line(total))
  return total.failed > 0 ? 1 : 0
})

/** @param {{passed: number, failed: number, skipped: number}} counts */
function line({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

/** Runs the files of one part on the pinned Node. @param {string} name @param {readonly string[]} files */
async function runPart(name, files) {
  console.log(`part ${name}: ${files.length} files`)
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 }
  const folder = mkdtempSync(join(tmpdir(), 'peerstor-test-'))
  const counts = join(folder, 'counts.json')
  /** @type {NodeJS.ProcessEnv} */
  const { NODE_TEST_CONTEXT: _, ...env } = pinnedEnv()
  const args = [
    '--test',
    `--test-concurrency=${parts[name]?.alone ? 1 : availableParallelism()}`,
    `--test-timeout=${testTimeoutMs}`,
    '--test-reporter=./scripts/test-reporter.mjs',
    ...files,
  ]
  try {
    const code = await run(pinnedNode(), args, { env: { ...env, PEERSTOR_TEST_COUNTS: counts } })
    if (code >= 128) throw new ScriptError(`part ${name} was interrupted`)
    const found = JSON.parse(readFileSync(counts, 'utf8'))
    // The runner itself may fail without any test having failed.
    if (code !== 0 && found.failed === 0) found.failed = 1
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
