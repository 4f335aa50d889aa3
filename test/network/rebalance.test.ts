/** A device joins a pool that keeps files: copies move to it. It is revoked: everything stays readable. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Peer } from '../../src/peer/peer.ts'
import { contentOf, eventually, sourceOf, startPeer, temporaryFolder } from '../peer-fixture.ts'

/** For a machine that does much else. */
const waitMs = 180_000
const megabyte = 1024 ** 2

test('copies move to a fifth device; it is revoked, and all is readable at once and has its copies again', async (t) => {
  const folder = await temporaryFolder(t)
  const start = async (name: string, first?: Peer, contribute = 200 * megabyte): Promise<Peer> => {
    const code = first && (await first.pool.invite({ storageOnly: false })).code
    const settings = { name, contribute }
    return startPeer(t, { home: join(folder, name), settings, ...(code !== undefined && { join: code }) })
  }
  const a = await start('a')
  const four = [a, await start('b', a), await start('c', a), await start('d', a)]
  const files = new Map<string, Buffer>()
  for (let index = 0; index < 16; index++) {
    const content = randomBytes(700_000)
    files.set(`files/${index}`, content)
    await four[index % 4]!.files.put(`files/${index}`, sourceOf(content), { durability: 3 })
  }
  const isSafe = async (peer: Peer): Promise<boolean> => {
    const { safe, degraded, lost } = (await peer.status()).safety
    assert.equal(lost, 0)
    return safe === files.size && degraded === 0
  }
  const readAll = async (peer: Peer): Promise<void> => {
    for (const [path, content] of files) assert.ok((await contentOf(peer, path)).equals(content), path)
  }
  for (const peer of four) await eventually('all files are safe', () => isSafe(peer), waitMs)
  const used = async (peers: readonly Peer[]): Promise<number> => {
    let sum = 0
    for (const peer of peers) sum += (await peer.status()).storage.used
    return sum
  }

  const before = await used(four)
  const e = await start('e', a, 2000 * megabyte)
  const five = [...four, e]
  await eventually(
    'copies have moved to the fifth device',
    async () => {
      for (const peer of five) await peer.steerWorker('rebalance', 'run')
      const kept = await used([e])
      return kept > (before / 3) * 0.9 && (await used(four)) < before * 0.9
    },
    waitMs,
  )
  for (const peer of five) await eventually('all files are safe with it', () => isSafe(peer), waitMs)
  await readAll(e)

  // Nobody types more than this.
  await a.pool.revoke(['e'])
  await e.stop()
  await readAll(four[1]!)
  for (const peer of four) await eventually('all files are safe without it', () => isSafe(peer), waitMs)
})
