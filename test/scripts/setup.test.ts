import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setUp } from '../../scripts/setup.mjs'

const lock = (version: string): string =>
  JSON.stringify({
    lockfileVersion: 3,
    packages: {
      '': { name: 'clone' },
      'node_modules/a': { version, integrity: `sha512-a${version}` },
      'node_modules/elsewhere': { version, integrity: 'sha512-e', optional: true },
    },
  })

/** A folder with a lock and, in place of npm, a program that notes its arguments and ends with `npmExit`. */
function makeFolder(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'peerstor-setup-'))
  const at = (name: string): string => join(folder, name)
  const before = process.env['npm_execpath']
  t.after(() => {
    rmSync(folder, { recursive: true, force: true })
    if (before === undefined) delete process.env['npm_execpath']
    else process.env['npm_execpath'] = before
  })
  t.mock.method(console, 'error', () => undefined)
  writeFileSync(at('package-lock.json'), lock('1.0.0'))
  process.env['npm_execpath'] = at('npm-cli.js')
  const npmEndsWith = (code: number): void =>
    writeFileSync(
      at('npm-cli.js'),
      `const fs = require('node:fs')
       fs.mkdirSync('node_modules', { recursive: true })
       fs.appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n')
       process.exit(${code})`,
    )
  npmEndsWith(0)
  const calls = (): string[] =>
    existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : []
  return { folder, at, npmEndsWith, calls }
}

test('installs once, with the build tools, and again when the lock has changed', async (t) => {
  const { folder, at, calls } = makeFolder(t)
  await setUp(folder)
  assert.deepEqual(calls(), ['ci --include=dev --include=optional --loglevel=error'])
  assert.equal(
    readFileSync(at('node_modules/.peerstor-setup'), 'utf8'),
    createHash('sha256').update(lock('1.0.0')).digest('hex'),
  )
  await setUp(folder)
  assert.equal(calls().length, 1)
  writeFileSync(at('package-lock.json'), lock('1.0.1'))
  await setUp(folder)
  assert.equal(calls().length, 2)
})

test('an installation that failed is done again, also over an older one', async (t) => {
  const { folder, at, npmEndsWith, calls } = makeFolder(t)
  await setUp(folder)
  writeFileSync(at('package-lock.json'), lock('1.0.1'))
  npmEndsWith(1)
  await assert.rejects(setUp(folder), /npm ci failed \(exit 1\).*without a network/)
  assert.equal(existsSync(at('node_modules/.peerstor-setup')), false)
  writeFileSync(at('package-lock.json'), lock('1.0.0'))
  npmEndsWith(0)
  await setUp(folder)
  assert.equal(calls().length, 3)
})

test('an installation by hand is recognised when it is complete', async (t) => {
  const { folder, at, calls } = makeFolder(t)
  mkdirSync(at('node_modules'))
  const installed = (packages: object): void =>
    writeFileSync(at('node_modules/.package-lock.json'), JSON.stringify({ packages }))
  installed({ 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a1.0.0' } })
  await setUp(folder)
  assert.equal(calls().length, 0)
  for (const packages of [{}, { 'node_modules/a': { version: '0.9.0', integrity: 'sha512-a0.9.0' } }]) {
    rmSync(at('node_modules/.peerstor-setup'))
    installed(packages)
    await setUp(folder)
  }
  assert.equal(calls().length, 2)
})

test('says what to do when there is no npm', async (t) => {
  const { folder } = makeFolder(t)
  const path = process.env['PATH']
  delete process.env['npm_execpath']
  process.env['PATH'] = folder
  try {
    await assert.rejects(
      setUp(folder),
      process.platform === 'win32' ? /npm/ : /npm was not found; install Node with npm/,
    )
  } finally {
    process.env['PATH'] = path
  }
})
