/** Joining, killed on the way: a device has joined or it has not, and the same code goes on until it has. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { codeOf, connectedTo, devicesOf, eventually, isThere, Peers, peersOf } from './peers.ts'

const withMdns: string[] = []

/** Files of the joiner that appear one after the other, and how long after each it is killed. */
const stages = [
  ['keys/joining.json', 0],
  ['keys/joining.json', 30],
  ['segments/seg-00000001.log', 0],
  ['keys/pool.json', 0],
  ['keys/pool.json', 20],
] as const

test('a joiner killed at any stage joins with the same code, once', async (t) => {
  const peers = await Peers.make(t)
  const a = await peers.started('a')
  for (const [index, [file, afterMs]] of stages.entries()) {
    const b = peers.peer(`b${index}`)
    const code = await codeOf(a)
    const first = b.start(undefined, code).then(
      () => 'ready',
      () => 'killed',
    )
    await appeared(join(b.home, file))
    await wait(afterMs)
    await b.kill()
    await first
    await b.start(undefined, code)
    await eventually('it is connected', async () =>
      (await peersOf(b)).some(({ state }) => state === 'online'),
    )
    const names = (await devicesOf(a)).filter(({ kind }) => kind === 'device').map(({ name }) => name)
    assert.deepEqual(names.toSorted(), ['a', ...Array.from({ length: index + 1 }, (_, n) => `b${n}`)], file)
    assert.equal(await isThere(join(b.home, 'keys/joining.json')), false)
    await b.stop()
  }
})

for (const afterMs of [0, 40, 120])
  test(`an inviter killed ${afterMs} ms after the request was made answers it when it is back`, async (t) => {
    const peers = await Peers.make(t)
    const a = await peers.started('a', withMdns)
    const b = peers.peer('b', withMdns)
    const code = await codeOf(a)
    const joining = b.start(undefined, code).then(
      () => true,
      () => false,
    )
    await appeared(join(b.home, 'keys/joining.json'))
    await wait(afterMs)
    await a.kill()
    await a.start()
    if (!(await joining)) await b.start(undefined, code)
    await connectedTo(a, 2)
    assert.equal((await devicesOf(a)).filter(({ kind }) => kind === 'device').length, 2)
  })

async function appeared(path: string): Promise<void> {
  const until = performance.now() + 20_000
  while (!(await isThere(path))) {
    assert.ok(performance.now() < until, `${path} never appeared`)
    await wait(1)
  }
}
