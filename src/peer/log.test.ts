import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { openLog } from './log.ts'

test('lines below the level are left out, also after it changed', () => {
  const lines: string[] = []
  const opened = openLog({
    level: 'info',
    onLog: (level, line) => lines.push(`${level} ${String(line['msg'])}`),
  })
  const { log } = opened
  log.debug('one')
  log.info('two')
  opened.setLevel('error')
  log.warn('three')
  log.child({ room: 'net' }).error('four')
  assert.deepEqual(lines, ['info two', 'error four'])
})

test('fields that are named like a secret are blotted out', () => {
  const lines: string[] = []
  const { log } = openLog({ level: 'debug', onLog: (_, line) => lines.push(JSON.stringify(line)) })
  log.info('made', { token: 'canary', request: { authorization: 'canary' }, code: 'NOT_FOUND' })
  assert.ok(!lines.join().includes('canary'))
  assert.match(lines.join(), /NOT_FOUND/)
})

test('an error in a line says what went wrong and where', () => {
  const lines: string[] = []
  const { log } = openLog({ level: 'debug', onLog: (_, line) => lines.push(JSON.stringify(line)) })
  log.error('failed', { error: new TypeError('boom') })
  log.error('failed', { error: fail('NOT_FOUND', { what: 'file', name: 'a' }, new Error('inner')) })
  assert.match(lines[0]!, /TypeError: boom.*log\.test\.ts/)
  assert.match(lines[1]!, /"code":"NOT_FOUND".*inner/)
})

test('the file rotates and only some are kept', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'log-'))
  t.after(() => rm(folder, { recursive: true }))
  const { log } = openLog({ level: 'info', file: join(folder, 'peer.log'), onLog: () => undefined })
  const filler = 'x'.repeat(1_000_000)
  const lines = Math.ceil((limits.logFileBytes / 1_000_000) * (limits.logFiles + 2))
  for (let line = 0; line < lines; line++) log.info(`line ${line} ${filler}`)
  const files = await readdir(folder)
  assert.equal(files.length, limits.logFiles)
  for (const file of files) assert.ok((await stat(join(folder, file))).size <= limits.logFileBytes)
  assert.match(await readFile(join(folder, 'peer.log'), 'utf8'), new RegExp(`line ${lines - 1} `))
})
