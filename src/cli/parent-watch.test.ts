import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { watchedParent, watchParent } from './parent-watch.ts'

test('only a process id is a parent', () => {
  assert.equal(watchedParent({ PEERSTOR_PARENT: '4321' }), 4321)
  for (const text of [undefined, '', '1', '0', '-5', '1.5', 'init', '1e99'])
    assert.equal(watchedParent(text === undefined ? {} : { PEERSTOR_PARENT: text }), undefined)
})

test('tells once that the parent has ended', async () => {
  const clock = new ManualClock()
  let parent = 700
  let calls = 0
  watchParent(700, clock, () => (calls += 1), { parent: () => parent, isAlive: () => true })
  await clock.advance(10 * limits.parentPollMs)
  assert.equal(calls, 0)
  parent = 1
  await clock.advance(10 * limits.parentPollMs)
  assert.equal(calls, 1)
  assert.equal(clock.waiting, 0)
})

test('watches a process that is not the direct parent, until told to stop', async () => {
  const clock = new ManualClock()
  let alive = true
  let calls = 0
  const system = { parent: () => 5, isAlive: () => alive }
  watchParent(700, clock, () => (calls += 1), system)
  const stop = watchParent(700, clock, () => (calls += 100), system)
  await clock.advance(3 * limits.parentPollMs)
  stop()
  alive = false
  await clock.advance(3 * limits.parentPollMs)
  assert.equal(calls, 1)
})

test('a process whose parent is killed by SIGKILL ends by itself', { timeout: 60_000 }, async () => {
  const child = `
    import { realClock } from '${new URL('../base/clock.ts', import.meta.url).href}'
    import { watchedParent, watchParent } from '${new URL('./parent-watch.ts', import.meta.url).href}'
    setInterval(() => undefined, 1000)
    watchParent(watchedParent(process.env), realClock, () => process.exit(0))
    console.log(process.pid)`
  const parent = `
    import { spawn } from 'node:child_process'
    spawn(process.execPath, ['--input-type=module-typescript', '-e', ${JSON.stringify(child)}],
      { stdio: 'inherit', env: { ...process.env, PEERSTOR_PARENT: String(process.pid) } })`
  const started = spawn(process.execPath, ['--input-type=module', '-e', parent], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(started.stdout, 'data')
  started.kill('SIGKILL')
  // The pipe closes when the last process that holds it, the child, has ended.
  started.stdout.resume()
  await once(started.stdout, 'close')
})
