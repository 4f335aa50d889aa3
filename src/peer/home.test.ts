import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { openHome } from './home.ts'
import { defaultHome, readRun } from './run-file.ts'

async function place(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'home-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'deep', 'home')
}

test('a home is private, and its temporary files do not outlive a start', async (t) => {
  const folder = await place(t)
  const home = await openHome(folder)
  assert.equal(home.made, true)
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
  assert.equal((await stat(home.keys)).mode & 0o777, 0o700)
  await writeFile(join(home.tmp, 'left'), 'over')
  await home.close()
  const again = await openHome(folder)
  assert.equal(again.made, false)
  assert.deepEqual(await readdir(again.tmp), [])
  await again.close()
})

test('run.json is there while the peer runs, for its owner only', async (t) => {
  const folder = await place(t)
  const home = await openHome(folder)
  const run = { url: 'http://127.0.0.1:8080', token: 'abc', pid: process.pid }
  await home.writeRun(run)
  assert.deepEqual(await readRun(folder), run)
  assert.equal((await stat(join(folder, 'run.json'))).mode & 0o777, 0o600)
  await home.close()
  assert.equal(await readRun(folder), undefined)
  await writeFile(join(folder, 'run.json'), JSON.stringify({ ...run, pid: 2 ** 30 }))
  assert.equal(await readRun(folder), undefined)
})

test('one process locks a home; a killed one leaves no lock', async (t) => {
  const folder = await place(t)
  const code = `
    const { openHome } = await import(process.argv[1])
    await openHome(process.argv[2])
    console.log('locked')
    setInterval(() => undefined, 1000)`
  const module = new URL('./home.ts', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, module, folder])
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  await assert.rejects(openHome(folder), { code: 'HOME_LOCKED' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const home = await openHome(folder)
  await assert.rejects(openHome(folder), { code: 'HOME_LOCKED' })
  await home.close()
})

test('a discarded home leaves nothing when this process made it, everything else when not', async (t) => {
  const folder = await place(t)
  await (await openHome(folder)).discard()
  await assert.rejects(stat(folder), { code: 'ENOENT' })
  await (await openHome(folder)).close()
  await (await openHome(folder)).discard()
  assert.ok((await readdir(folder)).includes('keys'))
})

test('each platform has its own data folder', () => {
  assert.equal(defaultHome('linux', {}, '/home/ann'), '/home/ann/.local/share/peerstor')
  assert.equal(defaultHome('linux', { XDG_DATA_HOME: '/data' }, '/home/ann'), '/data/peerstor')
  assert.equal(defaultHome('darwin', {}, '/Users/ann'), '/Users/ann/Library/Application Support/PeerStor')
})
