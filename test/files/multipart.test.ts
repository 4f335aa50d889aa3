/** Files in numbered parts: any order, several at once, a restart between, and what is given up leaves nothing. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { newPool } from '../../src/access/new-pool.ts'
import { limits } from '../../src/base/limits.ts'
import { newSigningKey } from '../../src/codec/sign.ts'
import type { Files } from '../../src/files/files.ts'
import { ManualClock } from '../manual-clock.ts'
import { contentOf, sourceOf, startPeer, temporaryFolder, text } from '../peer-fixture.ts'
import { SeededRandom } from '../sim/seeded-random.ts'
import { SimPeer } from '../sim/sim-peer.ts'
import { SimWorld } from '../sim/sim-network.ts'

const path = 'files/big'
const all = (numbers: readonly number[]) => numbers.map((number) => ({ number }))

test('parts in any order, at once and replaced, with a restart between, become one file', async (t) => {
  const home = await temporaryFolder(t)
  const before = await startPeer(t, { home })
  const parts = [5_000_000, 1, 2_000_000, 0, 300_000].map((size) => randomBytes(size))
  const { multipart } = before.files
  const id = await multipart.begin({ path, type: 'x/y', modified: 1_600_000_000_123 })
  assert.equal(before.files.has(path), false)
  await multipart.put(path, id, 20, text('replaced later'))
  const order = [4, 0, 2]
  await Promise.all(order.map((at) => multipart.put(path, id, (at + 1) * 10, sourceOf(parts[at]!))))
  await before.stop()

  const after = await startPeer(t, { home })
  const again = after.files.multipart
  assert.deepEqual(
    again.open('files').map((open) => [open.id, open.path]),
    [[id, path]],
  )
  for (const at of [1, 3]) await again.put(path, id, (at + 1) * 10, sourceOf(parts[at]!))
  assert.deepEqual(
    again.parts(path, id).map(({ number, size }) => [number, size]),
    parts.map((part, at) => [(at + 1) * 10, part.length]),
  )
  const result = await again.complete(path, id, all([10, 20, 30, 40, 50]))
  const whole = Buffer.concat(parts)
  assert.equal(result.size, whole.length)
  assert.ok((await contentOf(after, path)).equals(whole))
  const info = await after.files.info(path)
  assert.deepEqual([info.type, info.modified, info.hash], ['x/y', '2020-09-13T12:26:40.123Z', result.hash])
  assert.deepEqual(again.open('files'), [])
  // Whoever lost the answer hears it again, also by parts that are gone.
  assert.deepEqual(await again.complete(path, id, all([10])), result)
  assert.throws(() => again.parts(path, id), { code: 'UPLOAD_UNKNOWN' })
})

test('what is named wrongly is refused and changes nothing', async (t) => {
  const peer = await startPeer(t, { home: await temporaryFolder(t) })
  const { multipart, uploads } = peer.files
  const id = await multipart.begin({ path })
  for (const number of [1, 2]) await multipart.put(path, id, number, text(`part ${number};`))
  const refused = (wanted: Parameters<typeof multipart.complete>[2], code: string) =>
    assert.rejects(multipart.complete(path, id, wanted), { code })
  await refused(all([2, 1]), 'PART_ORDER')
  await refused(all([1, 1]), 'PART_ORDER')
  await refused(all([1, 3]), 'PART_UNKNOWN')
  await refused([{ number: 1, accepts: ({ hash }) => hash === 'other' }], 'PART_UNKNOWN')
  await refused([], 'BAD_INPUT')
  for (const number of [0, 10_001, 1.5])
    await assert.rejects(multipart.put(path, id, number, text('x')), { code: 'BAD_INPUT' })
  await assert.rejects(multipart.put('files/other', id, 1, text('x')), { code: 'UPLOAD_UNKNOWN' })
  await assert.rejects(multipart.put(path, 'f'.repeat(64), 1, text('x')), { code: 'UPLOAD_UNKNOWN' })
  // An upload in parts is none to append to, and the other way round.
  await assert.rejects(uploads.append(id, 0, text('x')), { code: 'UPLOAD_UNKNOWN' })
  assert.deepEqual(uploads.list(), [])
  const plain = await uploads.begin({ path: 'files/plain', size: 3 })
  await assert.rejects(multipart.put('files/plain', plain.id, 1, text('x')), { code: 'UPLOAD_UNKNOWN' })
  const reader = peer.filesFor({ kind: 'token', id: 'r', scopes: ['read'], folder: undefined })
  await assert.rejects(reader.multipart.put(path, id, 1, text('x')), { code: 'FORBIDDEN' })
  assert.throws(() => reader.multipart.parts(path, id), { code: 'FORBIDDEN' })
  await multipart.complete(path, id, all([2]))
  assert.equal((await contentOf(peer, path)).toString(), 'part 2;')
})

test('a part that fails takes nothing from others with the same content', async (t) => {
  const peer = await startPeer(t, { home: await temporaryFolder(t) })
  const { multipart } = peer.files
  const id = await multipart.begin({ path })
  const zeros = new Uint8Array(3_000_000)
  const broken = async function* () {
    yield* sourceOf(zeros)
    throw new Error('the client is gone')
  }
  const results = await Promise.allSettled([
    multipart.put(path, id, 1, broken()),
    multipart.put(path, id, 2, sourceOf(zeros)),
    multipart.put(path, id, 3, broken()),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected'],
  )
  await multipart.put(path, id, 1, sourceOf(zeros))
  await multipart.complete(path, id, all([1, 2]))
  assert.ok((await contentOf(peer, path)).equals(Buffer.alloc(6_000_000)))
})

/** A whole peer in virtual time. */
async function virtualPeer(
  t: test.TestContext,
): Promise<{ peer: SimPeer; clock: ManualClock; files: Files }> {
  const clock = new ManualClock()
  const random = new SeededRandom(20_261_121)
  const world = new SimWorld({ clock, random: random.fork() })
  const keys = newPool(newSigningKey(random), clock, random)
  const peer = new SimPeer({
    name: 'a',
    kind: 'device',
    world,
    random,
    keys,
    welcome: [],
    contributed: 64 * 2 ** 20,
  })
  await clock.until(peer.start())
  t.after(async () => {
    await clock.until(peer.stop())
    peer.release()
  })
  return { peer, clock, files: peer.core!.files }
}

test('what is given up, and what nobody goes on with, gives its space back', async (t) => {
  const { peer, clock, files } = await virtualPeer(t)
  const { multipart } = files
  const random = new SeededRandom(7)
  const kept = random.bytes(700_000)
  const atFirst = peer.space
  await clock.until(files.put('files/kept', sourceOf(kept)))
  const withKept = peer.space
  const fill = async (name: string): Promise<string> => {
    const id = await clock.until(multipart.begin({ path: name }))
    await clock.until(multipart.put(name, id, 1, sourceOf(random.bytes(900_000))))
    // Of this part every chunk is also in a file that stays.
    await clock.until(multipart.put(name, id, 2, sourceOf(kept)))
    return id
  }
  const aborted = await fill('files/aborted')
  assert.ok(peer.space > withKept + 900_000)
  await clock.until(multipart.abort('files/aborted', aborted))
  assert.equal(peer.space, withKept)
  assert.throws(() => multipart.parts('files/aborted', aborted), { code: 'UPLOAD_UNKNOWN' })

  const forgotten = await fill('files/forgotten')
  clock.jump(limits.uploadLifeMs / 2)
  await clock.advance(120_000)
  assert.equal(multipart.parts('files/forgotten', forgotten).length, 2)
  clock.jump(limits.uploadLifeMs)
  await clock.advance(120_000)
  assert.equal(peer.space, withKept)
  assert.deepEqual(multipart.open('files'), [])
  assert.ok(withKept > atFirst)
  assert.deepEqual(
    Buffer.concat(await clock.until(Array.fromAsync((await files.get('files/kept')).bytes))),
    Buffer.from(kept),
  )
})
