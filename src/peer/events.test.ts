import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { EventLog } from './events.ts'
import type { NumberedEvent } from './peer.ts'

test('a listener that was away goes on where it stopped', () => {
  const log = new EventLog(new ManualClock())
  const seen: NumberedEvent[] = []
  const end = log.subscribe(undefined, (event) => seen.push(event))
  for (const folder of ['a', 'b']) log.publish({ type: 'files', data: { folder } })
  end()
  for (const folder of ['c', 'd']) log.publish({ type: 'files', data: { folder } })
  log.subscribe(seen.at(-1)?.seq, (event) => seen.push(event))
  log.publish({ type: 'copies', data: {} })
  const folders = seen.map(({ event }) => ('folder' in event.data ? event.data.folder : event.type))
  assert.deepEqual(folders, ['a', 'b', 'c', 'd', 'copies'])
  assert.deepEqual(
    seen.map(({ seq }) => seq - (seen[0] as NumberedEvent).seq),
    [0, 1, 2, 3, 4],
  )
})

test('the backlog is bounded, and numbers grow over a restart', async () => {
  const clock = new ManualClock()
  const log = new EventLog(clock)
  let last = 0
  log.subscribe(undefined, ({ seq }) => (last = seq))
  for (let count = 0; count < limits.eventBacklog + 10; count++) log.publish({ type: 'copies', data: {} })
  const kept: NumberedEvent[] = []
  log.subscribe(0, (event) => kept.push(event))
  assert.equal(kept.length, limits.eventBacklog + 1)
  assert.equal(kept[0]?.event.type, 'gap')
  assert.equal(kept[0].seq + 1, kept[1]?.seq)
  await clock.advance(1000)
  const next = new EventLog(clock)
  let first = 0
  const missed: string[] = []
  next.subscribe(last, ({ event }) => missed.push(event.type))
  next.subscribe(undefined, ({ seq }) => (first = seq))
  next.publish({ type: 'copies', data: {} })
  assert.ok(first > last)
  assert.deepEqual(missed, ['gap', 'copies'])
})
