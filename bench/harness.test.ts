import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import test from 'node:test'
import { measure, median, table, type Workload } from './harness.ts'
import { memory, ProcessMeter } from './process-meter.ts'

test('median', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.ok(Number.isNaN(median([])))
})

test('contenders run in turn, the first round is dropped, the end is reached also after an error', async () => {
  const calls: string[] = []
  const contender = (name: string, values: number[]) => ({
    name,
    before: async () => void calls.push(`before ${name}`),
    run: async () => {
      calls.push(name)
      return { value: values.shift() ?? 0 }
    },
  })
  const workload: Workload = {
    name: 'w',
    about: '',
    bytes: 1e6,
    limits: { ours: 0 },
    rounds: 3,
    prepare: async () => ({
      contenders: [contender('reference', [9, 1, 2, 3]), contender('ours', [99, 30, 10, 20])],
      close: async () => void calls.push('close'),
    }),
  }
  const [reference, ours] = await measure(workload)
  const round = ['before reference', 'reference', 'before ours', 'ours']
  assert.deepEqual(calls, [...round, ...round, ...round, ...round, 'close'])
  assert.equal(reference?.ratio, 1)
  assert.equal(reference?.rounds, 3)
  assert.deepEqual(ours?.more, { value: 20 })
  assert.match(
    table([ours as NonNullable<typeof ours>]),
    /^workload +contender .*\nw +ours .* 0 OVER .* value 20$/,
  )
  calls.length = 0
  const broken = { ...contender('broken', []), run: () => Promise.reject(new Error('broken')) }
  await assert.rejects(
    measure({
      ...workload,
      prepare: async () => ({ contenders: [broken], close: async () => void calls.push('close') }),
    }),
    /broken/,
  )
  assert.deepEqual(calls, ['before broken', 'close'])
})

test('the meter counts this process and the children it waited for', () => {
  const meter = new ProcessMeter([process.pid])
  execFileSync(process.execPath, [
    '-e',
    'const end = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < end);',
  ])
  const { cpuSeconds, peakRssBytes } = meter.read()
  if (process.platform !== 'linux') return assert.equal(cpuSeconds, undefined)
  assert.ok((cpuSeconds ?? 0) >= 0.25, String(cpuSeconds))
  assert.ok((peakRssBytes ?? 0) > 10e6)
  const { rss = 0, rssAnon = 0 } = memory(process.pid)
  assert.ok(rss > rssAnon && rssAnon > 0)
})
