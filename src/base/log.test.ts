import assert from 'node:assert/strict'
import test from 'node:test'
import { createLog, type LogFields, silentLog } from './log.ts'

test('a child adds its fields to every line; a line may replace them', () => {
  const lines: [string, string, LogFields][] = []
  const log = createLog((level, message, fields) => lines.push([level, message, fields]), { peer: 'a' })
  const child = log.child({ room: 'net' })
  child.warn('lost', { room: 'pool', code: 'X' })
  child.child({ step: 2 }).debug('still here')
  log.info('plain')
  silentLog.child({}).error('nobody hears this')
  assert.deepEqual(lines, [
    ['warn', 'lost', { peer: 'a', room: 'pool', code: 'X' }],
    ['debug', 'still here', { peer: 'a', room: 'net', step: 2 }],
    ['info', 'plain', { peer: 'a' }],
  ])
})
