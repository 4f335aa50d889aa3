/** `doctor` and `simulate lose` on whole peers. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import type { Alert, Peer, SignedReport } from '../../src/peer/peer.ts'
import { eventually, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'

test('doctor names what is wrong with the command that helps; simulate tells what would be lost', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await startPeer(t, { home: join(folder, 'first'), settings: { name: 'one' } })
  await first.files.put('files/a.txt', text('a'.repeat(5_000)))
  await first.files.put('files/b.txt', text('b'.repeat(6_000)))
  await first.files.put('files/empty.txt', text(''))
  const alone = await first.doctor()
  assert.deepEqual(
    alone.map(({ severity, next }) => [severity, next]),
    [['warning', 'peerstor invite']],
  )
  const lonely = await first.simulateLoss({ lose: ['one'] })
  assert.deepEqual([lonely.lost, lonely.survive, lonely.keys], [2, 0, false])

  const { code } = await first.pool.invite({ storageOnly: false })
  const second = await startPeer(t, { home: join(folder, 'second'), join: code, settings: { name: 'two' } })
  await eventually(
    'all files are safe, as both see it',
    async () => {
      const [a, b] = [await first.status(), await second.status()]
      return a.safety.safe === 3 && b.safety.safe === 3
    },
    120_000,
  )
  for (const name of ['one', 'two']) {
    const found = await first.simulateLoss({ lose: [name] })
    assert.deepEqual([found.survive, found.unknown, found.lost, found.keys], [3, 0, 0, true])
    assert.deepEqual([found.devices[0]!.name, found.entries], [name, []])
  }
  const page = await second.simulateLoss({ lose: ['one', 'two'], limit: 1 })
  assert.deepEqual([page.lost, page.keys, page.entries], [2, false, [{ path: 'files/a.txt', size: 5_000 }]])
  const rest = await second.simulateLoss({ lose: ['one', 'two'], limit: 5, cursor: page.next })
  assert.deepEqual([rest.entries, rest.next], [[{ path: 'files/b.txt', size: 6_000 }], undefined])
  await assert.rejects(first.simulateLoss({ lose: ['three'] }), { code: 'DEVICE_UNKNOWN' })
  await assert.rejects(first.simulateLoss({ lose: ['two'], cursor: 'x' }), { code: 'BAD_INPUT' })

  await checkReports(first, second)

  await first.steerWorker('scrub', 'pause')
  const paused = (await first.doctor()).find(({ kind }) => kind === 'paused')
  assert.deepEqual([paused?.severity, paused?.next], ['warning', 'peerstor workers resume scrub'])
  await second.stop()
  await eventually(
    'the other device is missed',
    async () => {
      const problems = await first.doctor()
      return problems.some(({ what }) => what.includes('the other device is not connected'))
    },
    120_000,
  )
})

/** A report says what is so, is genuine for whoever knows the device, and is not when a word of it was changed. */
async function checkReports(first: Peer, second: Peer): Promise<void> {
  await second.scrub()
  const signed = await first.report()
  const { report } = signed
  assert.deepEqual(
    report.folders.map(({ name, files, copies, safe }) => [name, files, copies, safe]),
    [['files', 3, 2, 3]],
  )
  assert.deepEqual(
    report.devices
      .map(({ name, online, ifLost }) => [name, online, ifLost.lost, ifLost.keys])
      .toSorted(([a], [b]) => (a! < b! ? -1 : 1)),
    [
      ['one', true, 0, true],
      ['two', true, 0, true],
    ],
  )
  const { verified } = report.devices.find(({ name }) => name === 'two')!
  assert.ok(Date.parse(verified?.oldest ?? '') > 0)
  const kept = JSON.parse(JSON.stringify(signed, null, 2)) as SignedReport
  const { device } = report.device
  const expected = { valid: true, time: report.time, device, name: 'one', state: 'active' }
  assert.deepEqual(second.checkReport(kept), expected)
  kept.report.files.lost += 1
  assert.deepEqual(second.checkReport(kept), { ...expected, valid: false })
  const other = { ...signed, signature: (await second.report()).signature }
  assert.equal(second.checkReport(other).valid, false)
}

test('doctor tells when the contributed space is nearly used', async (t) => {
  const home = join(await temporaryFolder(t), 'home')
  const peer = await startPeer(t, { home, settings: { contribute: 1_000_000 } })
  await peer.files.put('files/large', sourceOf(randomBytes(850_000)))
  const found = (await peer.doctor()).find(({ kind }) => kind === 'space-used')
  assert.match(found?.what ?? '', /^[89]\d % of the contributed space is used;/)
})

test('what doctor finds reaches the events and the webhook, once, and its end too', async (t) => {
  const home = join(await temporaryFolder(t), 'home')
  const got: Alert[] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    got.push(JSON.parse(Buffer.concat(await request.toArray()).toString()) as Alert)
    response.end()
  }
  const server = createServer((request, response) => void take(request, response)).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const webhook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const received = (state: string, kind: string): number =>
    got.filter((alert) => alert.state === state && alert.kind === kind).length
  const settings = { 'alert.webhook': webhook, name: 'laptop' }
  const first = await startPeer(t, { home, settings })
  const events: string[] = []
  first.events(undefined, ({ event }) => event.type === 'alert' && events.push(event.data.kind))
  assert.deepEqual(await first.testAlert(), [{ outlet: 'webhook' }])
  await first.steerWorker('scrub', 'pause')
  await first.steerWorker('alerts', 'run')
  await eventually('the webhook is told', () => received('raised', 'paused') === 1, 120_000)
  assert.deepEqual(events.toSorted(), ['one-device', 'paused'])
  assert.equal(got.find(({ kind }) => kind === 'paused')?.device.name, 'laptop')
  await first.stop()

  const second = await startPeer(t, { home, settings })
  await second.steerWorker('scrub', 'resume')
  await second.steerWorker('alerts', 'run')
  await eventually('it is over', () => received('cleared', 'paused') === 1, 120_000)
  assert.equal(received('raised', 'paused'), 1)
  assert.deepEqual(
    second.alerts().map(({ state, kind }) => `${state} ${kind}`),
    ['cleared paused', 'raised paused', 'raised one-device'],
  )
})
