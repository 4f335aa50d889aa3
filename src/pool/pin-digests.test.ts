import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { SeededRandom } from '../../test/sim/seeded-random.ts'
import type { ChunkId } from '../base/words.ts'
import { hashHex } from '../codec/hash.ts'
import { differences, digestsOf, idsWith, mostPrefix, type PageOf } from './pin-digests.ts'

const rest = (): Promise<void> => Promise.resolve()

function pageOf(ids: Iterable<ChunkId>): PageOf {
  const sorted = [...ids].sort()
  return (after, until, limit) =>
    sorted.filter((id) => (after === undefined || id > after) && id <= until).slice(0, limit)
}

async function all(page: PageOf, prefix: string): Promise<ChunkId[]> {
  return (await Array.fromAsync(idsWith(page, prefix, rest))).flat()
}

/** The difference of two sets as two devices find it, and how much they told each other. */
async function compare(ours: PageOf, theirs: PageOf): Promise<{ ids: Set<ChunkId>; told: number }> {
  const ids = new Set<ChunkId>()
  let told = 0
  const descend = async (prefix: string): Promise<void> => {
    told += 1
    for (const part of differences(
      await digestsOf(ours, prefix, rest),
      await digestsOf(theirs, prefix, rest),
      prefix,
    ))
      if (part.few) {
        const [mine, other] = [new Set(await all(ours, part.prefix)), new Set(await all(theirs, part.prefix))]
        told += other.size
        for (const id of mine.symmetricDifference(other)) ids.add(id)
      } else await descend(part.prefix)
  }
  await descend('')
  return { ids, told }
}

test('two sets that differ in little tell each other little, and all that differs is found', async (t) => {
  const seed = randomInt(2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const random = new SeededRandom(seed)
  const set = new Set(Array.from({ length: 3000 }, () => hashHex(random.bytes(8)) as ChunkId))
  const [ours, theirs] = [new Set(set), new Set(set)]
  assert.deepEqual(await compare(pageOf(ours), pageOf(theirs)), { ids: new Set(), told: 1 })
  for (const id of [...set].slice(0, 7)) ours.delete(id)
  for (const id of [...set].slice(7, 12)) theirs.delete(id)
  theirs.add('0'.repeat(64) as ChunkId)
  ours.add('f'.repeat(64) as ChunkId)
  const { ids, told } = await compare(pageOf(ours), pageOf(theirs))
  assert.deepEqual(ids, ours.symmetricDifference(theirs))
  assert.ok(told < 14 * 40, `${told} told`)
})

test('many ids with one beginning are found too, deeper down', async () => {
  const like = (beginning: string, count: number): ChunkId[] =>
    Array.from(
      { length: count },
      (_, at) => (beginning + hashHex(Buffer.from(`${at}`)).slice(beginning.length)) as ChunkId,
    )
  const theirs = [...like('ab12', 700), ...like('ab12cd34', 300)]
  const ours = theirs.filter((_, at) => at % 100 !== 3)
  const { ids } = await compare(pageOf(ours), pageOf(theirs))
  assert.deepEqual(ids, new Set(theirs).difference(new Set(ours)))
  assert.ok(mostPrefix >= 8)
})

test('a whole set is walked in pages, from the first id to the last', async () => {
  const ids = ['00', '7f', 'ff'].map((byte) => byte.repeat(32) as ChunkId)
  assert.deepEqual(await all(pageOf(ids), ''), ids)
  assert.deepEqual(await all(pageOf(ids), '00'), [ids[0]])
  assert.deepEqual(await all(pageOf(ids), 'ffff'), [ids[2]])
  assert.deepEqual(await all(pageOf(ids), '01'), [])
})
