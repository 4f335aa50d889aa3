import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/manual-clock.ts'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import { isCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { PoolId } from '../base/words.ts'
import { decodeBatch, isBatchSigned } from '../codec/record-bytes.ts'
import type { RecordHead } from '../codec/record.ts'
import { deviceIdOf, newSigningKey } from '../codec/sign.ts'
import type { Group } from '../store/store.ts'
import { Chain, type Draft } from './chain.ts'
import { HybridClock } from './hybrid-clock.ts'

const pool = 'ab'.repeat(32) as PoolId

/** A chain over a log in memory that can fail. */
function make() {
  const random = new SeededRandom(1)
  const key = newSigningKey(random)
  const groups: Group[] = []
  const log = { groups, failNext: false, heads: (): RecordHead[] => headsOf(groups) }
  const store = {
    commit: async (group: Group): Promise<void> => {
      await Promise.resolve()
      if (log.failNext) {
        log.failNext = false
        throw new Error('the disk is full')
      }
      groups.push(group)
    },
  }
  const time = new HybridClock(new ManualClock())
  const parts = {
    pool,
    device: deviceIdOf(key.publicKey),
    key,
    store,
    time,
    random,
    onWritten: () => undefined,
  }
  return { log, key, chain: new Chain(parts, { previous: undefined, position: -1 }) }
}

function headsOf(groups: readonly Group[]): RecordHead[] {
  return groups.flatMap(({ batches = [] }) =>
    batches.flatMap(({ records }) => records.map(({ head }) => head)),
  )
}

const plain: Draft = { kind: 'printed', body: Buffer.from('x') }

test('what arrives while a group is in flight is the next group, signed in batches of 256', async () => {
  const { chain, log, key } = make()
  const first = chain.write([plain])
  await Promise.resolve()
  await Promise.resolve()
  const later = Array.from({ length: 600 }, () => chain.write([plain]))
  await Promise.all([first, ...later])
  assert.deepEqual(
    log.groups.map(({ batches = [] }) => batches.map(({ records }) => records.length)),
    [[1], [256, 256, 88]],
  )
  const batches = log.groups.flatMap(({ batches = [] }) => batches)
  for (const { bytes } of batches) assert(isBatchSigned(decodeBatch(bytes), key.publicKey, pool))
  assert.deepEqual(
    log.heads().map(({ seq }) => seq),
    Array.from({ length: 601 }, (_, seq) => seq),
  )
  assert.equal(chain.end.position, 600)
})

test('an authority record ends its batch', async () => {
  const { chain, log } = make()
  await chain.write([plain, { kind: 'admin', body: Buffer.from('x') }, plain])
  assert.deepEqual(
    log.groups[0]!.batches!.map(({ records }) => records.length),
    [2, 1],
  )
})

test('after a failed group the chain goes on from what is durable, under a new incarnation', async () => {
  const { chain, log } = make()
  const [before] = await chain.write([plain])
  log.failNext = true
  await assert.rejects(chain.write([plain]), /disk is full/)
  await chain.write([plain])
  const [one, two] = log.heads()
  assert.equal(two!.previous, before!.record.hash)
  assert.equal(two!.seq, 0)
  assert.notEqual(two!.incarnation, one!.incarnation)
})

test('a draft that is too large fails alone', async () => {
  const { chain, log } = make()
  const large = { ...plain, body: Buffer.alloc(limits.recordPlaintext + 1) }
  const results = await Promise.allSettled([chain.write([plain]), chain.write([large]), chain.write([plain])])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.equal(log.heads().length, 2)
  await assert.rejects(chain.write([large]), (thrown) => isCode(thrown, 'TOO_LARGE'))
})
