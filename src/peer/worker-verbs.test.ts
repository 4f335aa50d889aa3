import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { startPeer, temporaryFolder } from '../../test/peer-fixture.ts'

test('a paused worker stays paused over a restart, and status says so', async (t) => {
  const home = join(await temporaryFolder(t), 'home')
  const first = await startPeer(t, { home })
  const stateOf = (peer: typeof first, name: string): string | undefined =>
    peer.workers().find((worker) => worker.name === name)?.state
  await first.steerWorker('repair', 'pause')
  assert.equal(stateOf(first, 'repair'), 'paused')
  await assert.rejects(first.steerWorker('repair', 'run'), { code: 'WORKER_PAUSED' })
  await assert.rejects(first.steerWorker('nobody', 'pause'), { code: 'WORKER_UNKNOWN' })
  await first.stop()

  const second = await startPeer(t, { home })
  assert.equal(stateOf(second, 'repair'), 'paused')
  assert.notEqual(stateOf(second, 'feed'), 'paused')
  assert.match((await second.status()).warnings.join('\n'), /is paused \(repair\)/)
  await second.steerWorker('repair', 'resume')
  await second.steerWorker('repair', 'run')
  assert.notEqual(stateOf(second, 'repair'), 'paused')
  await second.stop()

  const third = await startPeer(t, { home })
  assert.deepEqual(
    third.workers().filter(({ state }) => state === 'paused'),
    [],
  )
})
