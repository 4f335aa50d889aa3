import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeeds } from './run-seeds.ts'
import type { Report } from './simulation.ts'

test('the same seed gives the same trace, another seed another one', async () => {
  const traces: string[] = []
  const onReport = ({ trace }: Report): void => void traces.push(trace)
  await runSeeds({ seeds: [7], operations: 60, onReport })
  await runSeeds({ seeds: [7], operations: 60, onReport })
  await runSeeds({ seeds: [8], operations: 60, onReport })
  assert.equal(traces[0], traces[1])
  assert.notEqual(traces[0], traces[2])
})
