import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { root } from '../../scripts/runtime.mjs'
import { partOf } from '../../scripts/test-parts.mjs'
import { findTool, needsTool } from '../tools.ts'

const reporter = join(root, 'scripts/test-reporter.mjs')

test('the reporter counts what passed, failed and was skipped, and shows each failure and skip', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'peerstor-reporter-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const files: Record<string, string> = {
    'mixed.test.ts': `import test, { describe, it } from 'node:test'
      test('fine', () => undefined)
      test('no browser', { skip: 'chromium missing' }, () => undefined)
      describe('suite', () => { it('inside', () => undefined); it('broken', () => { throw new Error('so wrong') }) })`,
    'empty.test.ts': `console.log('no test here')`,
    'load.test.ts': `throw new Error('cannot load')`,
  }
  for (const [name, source] of Object.entries(files)) writeFileSync(join(folder, name), source)
  const counts = join(folder, 'counts.json')
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = spawnSync(
    process.execPath,
    ['--test', `--test-reporter=${pathToFileURL(reporter).href}`, ...Object.keys(files)],
    { cwd: folder, env: { ...env, PEERSTOR_TEST_COUNTS: counts }, encoding: 'utf8' },
  )
  const found = JSON.parse(readFileSync(counts, 'utf8')) as object
  assert.deepEqual(found, { passed: 2, failed: 3, skipped: 1 })
  for (const line of [
    'FAILED broken',
    'so wrong',
    'skipped: no browser (chromium missing)',
    'there is no test in this file',
    'cannot load',
  ])
    assert.ok(run.stdout.includes(line), line)
})

test('a test file belongs to one part', () => {
  assert.equal(partOf('src/base/errors.test.ts'), 'core')
  assert.equal(partOf('test/safety/pool.test.ts'), 'safety')
  assert.equal(partOf('test/peer-authorisation.test.ts'), 'network')
  assert.throws(() => partOf('test/new.test.ts'), /belongs to no part/)
})

test('a program that is missing is a skip that names it, and with CI=true a failure', () => {
  const before = { PATH: process.env['PATH'], CI: process.env['CI'] }
  const folder = mkdtempSync(join(tmpdir(), 'peerstor-tools-'))
  try {
    const strace = join(folder, 'strace')
    writeFileSync(strace, '#!/bin/sh\n', { mode: 0o755 })
    assert.equal(findTool('strace', ['/nowhere', folder].join(delimiter)), strace)
    assert.equal(findTool('strace', '/nowhere'), undefined)
    process.env['PATH'] = '/nowhere'
    delete process.env['CI']
    assert.deepEqual(needsTool('curl'), { skip: 'curl missing' })
    process.env['CI'] = 'true'
    assert.throws(() => needsTool('curl'), /curl missing, and with CI=true/)
    process.env['PATH'] = folder
    assert.deepEqual(needsTool('strace'), {})
  } finally {
    rmSync(folder, { recursive: true })
    for (const [name, value] of Object.entries(before))
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
})
