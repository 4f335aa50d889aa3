/**
 * The seeds that every run of the tests tries, 200 in all: four files of 50, because they cost more than
 * the rest of a part. `npm run sim -- --from 1000 --seeds N` tries others.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeeds } from './run-seeds.ts'
import { failureText, Tally } from './tally.ts'

/** Nothing that is checked may become vacuous: of each at least so many in a file's seeds. */
const least = {
  'acknowledged files': 500,
  reads: 500,
  restarts: 20,
  compactions: 10,
  'revoked devices': 5,
  'later versions of revoked devices': 5,
  'files opened by their key alone': 100,
}

export function checkSeeds(from: number, count = 50): void {
  const seeds = Array.from({ length: count }, (_, index) => from + index)
  test(`every property holds in ${count} pools from seeds ${from} on, with faults`, async (t) => {
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
    assert.equal(tally.seeds, count)
    for (const [what, number] of Object.entries(least))
      assert.ok(tally.of(what) >= number, `${what}: ${tally.of(what)} of ${number}`)
  })
}
