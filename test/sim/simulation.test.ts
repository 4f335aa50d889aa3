import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeeds } from './run-seeds.ts'
import type { Report } from './simulation.ts'
import { failureText, Tally } from './tally.ts'

/** Seeds of every run of the tests; `npm run sim -- --from 1000 --seeds N` tries others. */
const seeds = Array.from({ length: 200 }, (_, index) => index + 1)

test('the same seed gives the same trace, another seed another one', async () => {
  const traces: string[] = []
  const onReport = ({ trace }: Report): void => void traces.push(trace)
  await runSeeds({ seeds: [7], operations: 60, onReport })
  await runSeeds({ seeds: [7], operations: 60, onReport })
  await runSeeds({ seeds: [8], operations: 60, onReport })
  assert.equal(traces[0], traces[1])
  assert.notEqual(traces[0], traces[2])
})

test(`every property holds in ${seeds.length} pools from seeds, with faults`, async (t) => {
  const tally = new Tally()
  const failures: string[] = []
  await runSeeds({
    seeds,
    onReport: (report) => {
      tally.add(report)
      const { broken, counts, profile, seed } = report
      if (broken === undefined) {
        assert.ok(profile.peers >= 3 && profile.peers <= 9, `seed ${seed} has ${profile.peers} peers`)
        assert.ok((counts['operations'] ?? 0) >= 200, `seed ${seed} had ${counts['operations']} operations`)
        assert.ok((counts['faults'] ?? 0) >= 3, `seed ${seed} had ${counts['faults']} faults`)
      } else failures.push(failureText(report))
      return failures.length < 3
    },
  })
  for (const line of tally.lines()) t.diagnostic(line)
  assert.deepEqual(failures, [])
  // Nothing that is checked may become vacuous.
  for (const what of [
    'acknowledged files',
    'reads',
    'restarts',
    'compactions',
    'revoked devices',
    'later versions of revoked devices',
    'files opened by their key alone',
  ])
    assert.ok(tally.of(what) >= 20, `${what}: ${tally.of(what)}`)
})
