import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { programVersion } from './version.ts'

test('the program names the version of its package', () => {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as object
  assert.equal((own as { version: string }).version, programVersion)
})
