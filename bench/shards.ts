/**
 * Chunks made into shards and put together again, beside a plain table version on the same thread; and
 * what each policy stores and moves: simulated pools that lose a device, counted in bytes of content.
 */
import { randomBytes } from 'node:crypto'
import type { ShardScheme } from '../src/codec/shards.ts'
import { decodeShards, encodeShards, portableSums, schemeText, wasmSums } from '../src/codec/shards.ts'
import { Peers } from '../test/sim/pools.ts'
import type { Contender, Workload } from './harness.ts'

const chunkBytes = 512 * 1024
const chunks = 64
const scheme = { k: 4, m: 2 }

const kernels: Workload = {
  name: 'shards',
  about: `${chunks} chunks of 512 KiB as 4+2 shards, and back with two data shards lost; one thread`,
  bytes: chunks * chunkBytes,
  rounds: 3,
  prepare() {
    const chunk = randomBytes(chunkBytes)
    const shards = encodeShards(chunk, scheme).map((bytes, place) => ({ place, bytes }))
    const names = { webassembly: wasmSums() ?? portableSums, tables: portableSums }
    const contenders = Object.entries(names).flatMap(([name, kernel]): Contender[] => [
      { name: `encode, ${name}`, run: () => times(() => encodeShards(chunk, scheme, kernel)) },
      {
        name: `join, ${name}`,
        run: () => times(() => decodeShards(shards.slice(2), scheme, chunkBytes, kernel)),
      },
    ])
    return Promise.resolve({ contenders })
  },
}

async function times(run: () => unknown): Promise<void> {
  for (let count = 0; count < chunks; count++) run()
}

const lossChunks = 24
const lossBytes = 100_000

/** Seven devices, one is revoked: what lies where before, and what moves to be whole again. */
const policies: Workload = {
  name: 'erasure',
  about: `${lossChunks} chunks in simulated pools of 7: bytes stored, and moved when a device is lost, for each of content`,
  rounds: 1,
  prepare() {
    const kinds: (ShardScheme | undefined)[] = [undefined, { k: 2, m: 1 }, { k: 4, m: 2 }]
    const contenders = kinds.map((erasure): Contender => {
      const name = erasure === undefined ? '3 copies' : schemeText(erasure)
      return { name, run: () => loss(erasure) }
    })
    return Promise.resolve({ contenders })
  },
}

async function loss(erasure: ShardScheme | undefined): Promise<Record<string, number>> {
  const all = new Peers(7, { disks: true })
  if (erasure !== undefined) all.policy = { ...all.policy, erasure }
  const [first, ...others] = await all.addAll(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  await all.advance(1_000)
  await first!.upload(lossChunks, lossBytes)
  await all.advance(120_000)
  const content = lossChunks * lossBytes
  const lost = others.at(-1)!
  const lostBytes = (await lost.local!.use()).usedBytes
  let stored = lostBytes
  for (const peer of [first!, ...others.slice(0, -1)]) stored += (await peer.local!.use()).usedBytes
  let moved = 0
  all.world.tap = (_from, _to, name, bytes) => {
    if (name === 'chunks.get') moved += bytes.byteLength
  }
  await lost.crash()
  all.revoke(lost)
  await all.advance(300_000)
  await all.close()
  return { stored: stored / content, movedForEachLost: moved / lostBytes }
}

export const workloads: Workload[] = [kernels, policies]
