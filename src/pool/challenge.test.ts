import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folder, Peers } from '../../test/sim/pools.ts'
import type { PoolEvent } from './pool.ts'

/** Chunks asked of others until now, as the worker tells. */
function askedBy(pool: { workers(): { name: string; status(): string }[] }): number {
  const status = pool
    .workers()
    .find(({ name }) => name === 'challenge')!
    .status()
  return Number(/^\d+/.exec(status)![0])
}

test('a device that lost 1 % of its chunks and says nothing is reported within 500 challenges', async (t) => {
  const asked = []
  for (let seed = 1; seed <= 10; seed++) {
    const all = new Peers(seed)
    const [a, b] = await all.addAll(['a', 'b'])
    await all.advance(2_000)
    const ids = await a!.upload(1_000, 300)
    assert.equal(await all.clock.until(a!.pool.durable(ids, 2, 60_000)), 2)
    await all.advance(60_000)
    for (const id of ids.filter((_, index) => index % 100 === 50)) b!.store.bytes.delete(id)
    const missing: (PoolEvent & { type: 'missing' })[] = []
    const reported = new Promise<void>((resolve) => {
      a!.pool.on((event) => {
        if (event.type !== 'missing') return
        missing.push(event)
        resolve()
      })
    })
    await all.clock.until(reported)
    assert.ok(askedBy(a!.pool) <= 500, `seed ${seed}: after ${askedBy(a!.pool)} challenges`)
    asked.push(askedBy(a!.pool))
    assert.equal(missing[0]!.peer, b!.id)
    const [seen] = a!.pool.health()
    assert.ok(seen!.missing >= 1)
    assert.ok(seen!.reputation < 0.5, `reputation ${seen!.reputation}`)
    const held = a!.store.read.holders(ids)
    assert.ok(ids.some((id) => !held.get(id)!.includes(b!.id)))
    await all.close()
  }
  t.diagnostic(`challenges until it was reported: ${asked.join(', ')}`)
})

test('the copies that are not there are made anew', async () => {
  const all = new Peers(3)
  const [a, b] = await all.addAll(['a', 'b', 'c', 'd'])
  await all.advance(2_000)
  const ids = await a!.upload(60, 300)
  assert.equal(await all.clock.until(a!.pool.durable(ids, 3, 60_000)), 3)
  await all.advance(60_000)
  for (const id of [...b!.store.bytes.keys()].slice(0, 30)) b!.store.bytes.delete(id)
  await all.advance(12 * 3600_000)
  const want = a!.pool.want(folder)
  for (const id of ids) assert.ok(all.holders(id).length >= want, `${id} on ${all.holders(id).join()}`)
  await all.close()
})

test('honest devices that give chunks up, restart or lose connection are never reported', async () => {
  const all = new Peers(4, { delayMs: [1, 300] })
  const peers = await all.addAll(['a', 'b', 'c'])
  let reports = 0
  const watch = (peer: (typeof peers)[number]): void =>
    void peer.pool.on(({ type }) => (type === 'missing' ? (reports += 1) : undefined))
  for (const peer of peers) watch(peer)
  await all.advance(2_000)
  for (let round = 0; round < 20; round++) {
    const writer = all.random.pick(peers)
    const ids = await writer.upload(20, 300)
    await all.advance(all.random.between(1_000, 600_000))
    const giver = all.random.pick(peers)
    await giver.store.commit({ drops: ids.slice(0, 5) })
    // Told only now and then: others believe for a while that they are there.
    if (all.random.chance(0.5)) giver.pool.announce()
    if (all.random.chance(0.3)) all.world.cut(writer.id, giver.id, true)
    await all.advance(all.random.between(1_000, 600_000))
    all.world.heal()
  }
  await all.advance(3600_000)
  assert.equal(reports, 0)
  assert.ok(peers.every(({ pool }) => askedBy(pool) > 0))
  await all.close()
})
