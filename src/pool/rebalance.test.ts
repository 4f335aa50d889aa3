import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import type { ChunkId, FolderId, PeerId } from '../base/words.ts'
import { Peers, type TestPeer } from '../../test/sim/pools.ts'
import { Placement, sharesOf } from './place.ts'
import type { Member } from './pool.ts'
import type { RemoteStore } from './remote-store.ts'

const minute = 60_000
const gigabyte = 1024 ** 3
const names = ['a', 'b', 'c', 'd']

/** Where a chunk belongs, by name. */
function belongs(all: Peers, id: ChunkId): string {
  const nameOf = new Map<PeerId, string>([...all.peers.values()].map(({ id, name }) => [id, name]))
  const places = [...all.members.values()].filter(({ keeps }) => keeps)
  const ranking = new Placement(all.poolId, places, 3).rank(id, 3)
  return ranking
    .map((peer) => nameOf.get(peer)!)
    .sort()
    .join('')
}

const lies = (all: Peers, id: ChunkId): string => all.holders(id).sort().join('')

function change(peer: TestPeer, member: Partial<Member>): void {
  const { all } = peer
  all.members.set(peer.id, { ...all.members.get(peer.id)!, ...member })
  all.changed()
}

/** A pool of four whose chunks lie where they belong. */
async function poolOfFour(seed: number, count: number): Promise<{ all: Peers; ids: ChunkId[] }> {
  const all = new Peers(seed)
  const [a] = await all.addAll(names)
  await all.advance(1_000)
  const ids = await a!.upload(count)
  await all.advance(5_000)
  for (const peer of all.peers.values()) peer.run('rebalance')
  await untilPlaced(all, ids)
  return { all, ids }
}

/** Every chunk has three copies at every moment until it lies where it belongs. */
async function untilPlaced(all: Peers, ids: readonly ChunkId[]): Promise<void> {
  for (let step = 0; step < 2_400; step++) {
    await all.advance(1_000)
    for (const id of ids) assert.ok(all.holders(id).length >= 3, `${id} lies on ${lies(all, id)} alone`)
    if (ids.every((id) => lies(all, id) === belongs(all, id))) return
  }
  const wrong = ids.filter((id) => lies(all, id) !== belongs(all, id))
  const text = wrong.map((id) => `${lies(all, id)}, not ${belongs(all, id)}`)
  assert.fail(`${wrong.length} of ${ids.length} chunks lie elsewhere: ${text.slice(0, 5).join('; ')}`)
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, one) => all + one, 0)
const written = (all: Peers): number => sum([...all.peers.values()].map(({ store }) => store.writtenBytes))

for (const [seed, sizes] of [
  [81, [1, 1, 1, 1]],
  [82, [1, 2, 3, 2]],
] as const)
  test(`a device that joins gets its share, and no more is moved than needed; sizes ${sizes.join()}`, async (t) => {
    const { all, ids } = await poolOfFour(seed, 600)
    for (const [index, name] of names.entries())
      change(all.peers.get(name)!, { contributed: sizes[index]! * gigabyte })
    await untilPlaced(all, ids)
    const [before, space] = [written(all), all.peers.get('b')!.store.usedBytes]
    await all.add('e', { contributed: 2 * gigabyte })
    await untilPlaced(all, ids)
    const shares = sharesOf(
      [...sizes, 2].map((size) => size * gigabyte),
      3,
    )
    const old = sharesOf(
      sizes.map((size) => size * gigabyte),
      3,
    )
    const gained = sum(shares.map((share, index) => Math.max(0, share - (old[index] ?? 0))))
    const least = gained * ids.length * 600
    const moved = written(all) - before
    t.diagnostic(`${moved} bytes moved, ${Math.round(least)} at least: ${(moved / least).toFixed(3)}`)
    assert.ok(moved <= 1.1 * least, `${moved} bytes moved, ${least} at least`)
    assert.ok(all.peers.get('b')!.store.usedBytes < space)
    await all.close()
  })

test('a device made smaller gives chunks away, one made larger gets more', async () => {
  const { all, ids } = await poolOfFour(83, 200)
  await all.add('e')
  await untilPlaced(all, ids)
  const [b, e] = ['b', 'e'].map((name) => all.peers.get(name)!)
  const before = [b!.store.usedBytes, e!.store.usedBytes]
  change(b!, { contributed: gigabyte / 4 })
  await untilPlaced(all, ids)
  const small = b!.store.usedBytes
  assert.ok(small < before[0]! / 2, `${small} of ${before[0]} bytes are left`)
  change(b!, { contributed: gigabyte })
  change(e!, { contributed: 2 * gigabyte })
  await untilPlaced(all, ids)
  assert.ok(b!.store.usedBytes > small && e!.store.usedBytes > before[1]!)
  await all.close()
})

test('who keeps more than he contributes gives away what belongs to him too, and no more', async () => {
  const { all, ids } = await poolOfFour(84, 200)
  const b = all.peers.get('b')!
  const most = b.store.usedBytes - 20 * 600
  b.overBytes = () => b.store.usedBytes - most
  change(b, { full: true })
  for (let step = 0; step < 1_800 && b.overBytes() > 0; step++) {
    await all.advance(1_000)
    for (const id of ids) assert.ok(all.holders(id).length >= 3)
  }
  assert.ok(b.overBytes() <= 0, `${b.overBytes()} bytes too many`)
  await all.advance(30 * minute)
  assert.ok(b.overBytes() > -10 * 600, `it gave ${-b.overBytes()} bytes too many away`)
  await all.close()
})

test('through partitions no chunk has fewer than three copies, and all lie well afterwards', async () => {
  const { all, ids } = await poolOfFour(85, 200)
  const e = await all.add('e')
  for (let cuts = 0; cuts < 12; cuts++) {
    const others = all.random.shuffled([...all.peers.values()].filter((peer) => peer !== e))
    if (cuts % 3 === 0) all.world.partition([[e.id, others[0]!.id], others.slice(1).map(({ id }) => id)])
    else all.world.cut(e.id, others[0]!.id, cuts % 3 === 1)
    for (let step = 0; step < 40; step++) {
      await all.advance(500)
      for (const id of ids) assert.ok(all.holders(id).length >= 3)
    }
    all.world.heal()
    await all.advance(2_000)
  }
  await untilPlaced(all, ids)
  await all.close()
})

type Prepare = (all: Peers, ids: readonly ChunkId[]) => void

/** In a pool of four all have all chunks, each with his own pin too; how many still have four copies after two minutes. */
async function fourCopies(seed: number, prepare: Prepare): Promise<number> {
  const { all, ids } = await poolOfFour(seed, 30)
  const peers = [...all.peers.values()]
  for (const { store, pin, pool } of peers) {
    for (const id of ids) {
      const { store: from } = peers.find(({ store }) => store.bytes.has(id))!
      await store.put([{ id, bytes: from.bytes.get(id)!, pins: [...from.read.pins(id), pin] }])
    }
    pool.announce()
  }
  prepare(all, ids)
  await all.advance(2_000)
  for (const peer of peers) peer.run('rebalance')
  for (let step = 0; step < 120; step++) {
    await all.advance(1_000)
    for (const id of ids) assert.ok(all.holders(id).length >= 3)
  }
  for (const id of ids) checkPins(all, id)
  await all.close()
  return ids.filter((id) => all.holders(id).length === 4).length
}

/** Whoever gave a chunk up had pinned it, and the others have that pin. */
function checkPins(all: Peers, id: ChunkId): void {
  const holders = all.holders(id)
  const gone = [...all.peers.values()].find(({ name }) => !holders.includes(name))
  if (gone === undefined) return
  for (const name of holders) {
    const pins = all.peers.get(name)!.store.read.pins(id)
    assert.ok(
      pins.some(({ device }) => device === gone.device),
      `${name} lacks a pin of ${gone.name}`,
    )
  }
}

test('a copy too many is given up, and its pins are on the others then', async () => {
  assert.equal(await fourCopies(86, () => undefined), 0)
})

const kept: [why: string, prepare: Prepare][] = [
  [
    'an upload relies on it',
    ({ peers }, ids) => peers.forEach(({ inUse }) => ids.forEach((id) => inUse.add(id))),
  ],
  ['one of the others is about to go', (all) => change(all.peers.get('c')!, { keeps: false })],
  [
    'others know that more copies are wanted',
    ({ peers }, ids) => peers.forEach(({ store }) => ids.forEach((id) => store.priority.add(id))),
  ],
  [
    'one of the others cannot be reached',
    ({ peers, world }) => peers.forEach(({ id }) => world.cut(id, peers.get('d')!.id)),
  ],
  [
    'an upload that is not whole pins it',
    ({ peers }, ids) =>
      peers.forEach(({ store, device }) => {
        const pin = { folder: device as string as FolderId, device }
        void store.commit({ pins: ids.map((id) => ({ id, pin })) })
      }),
  ],
]

for (const [index, [why, prepare]] of kept.entries())
  test(`no copy is given up while ${why}`, async () => {
    assert.equal(await fourCopies(90 + index, prepare), 30)
  })

test('a device that only stores asks a member whether more copies are wanted', async () => {
  const only = (all: Peers): void => {
    for (const name of ['b', 'c', 'd', 'e']) change(all.peers.get(name)!, { role: 'storage' })
  }
  for (const known of [false, true]) {
    const { all, ids } = await poolOfFour(100, 30)
    await all.add('e')
    only(all)
    const [a, ...others] = [...all.peers.values()]
    for (const { store, pool } of others) {
      for (const id of ids) {
        const { store: from } = [...all.peers.values()].find(({ store }) => store.bytes.has(id))!
        await store.put([{ id, bytes: from.bytes.get(id)!, pins: from.read.pins(id) }])
      }
      pool.announce()
    }
    if (known) for (const id of ids) a!.store.priority.add(id)
    await all.advance(1_000)
    for (const peer of others) peer.run('rebalance')
    await all.advance(4 * minute)
    const given = ids.filter((id) => all.holders(id).filter((name) => name !== 'a').length < 4)
    assert.equal(given.length > 0, !known, `${given.length} of ${ids.length} chunks`)
    await all.close()
  }
})

test('what is promised to one device is not given up, and what is given up is not promised', async () => {
  const { all, ids } = await poolOfFour(101, 30)
  const [a, b] = ['a', 'b'].map((name) => all.peers.get(name)!)
  const [id] = ids.filter((id) => a!.store.bytes.has(id) && b!.store.bytes.has(id))
  const asked = { id: id!, pins: a!.store.read.pins(id!), want: 3 }
  const ask = (from: TestPeer, to: TestPeer): Promise<unknown[]> =>
    all.clock.until((from.pool.storeOf(to.id) as RemoteStore).hold(all.random.bytes(32), [asked]), minute)
  assert.ok(!b!.pool.isPromised(id!))
  const [proof] = await ask(a!, b!)
  assert.ok(proof instanceof Uint8Array && b!.pool.isPromised(id!))
  await all.advance(limits.promiseMs - 1_000)
  assert.ok(b!.pool.isPromised(id!))
  await all.advance(2_000)
  assert.ok(!b!.pool.isPromised(id!))
  asked.want = 2
  assert.deepEqual(await ask(a!, b!), [undefined])
  b!.store.bytes.get(id!)![0]! ^= 1
  asked.want = 3
  assert.deepEqual(await ask(a!, b!), [undefined])
  await all.close()
})
