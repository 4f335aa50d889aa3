/**
 * Disks rot: bits turn, files end early, blocks lie in each other's place. Two of three peers are damaged at
 * random; nothing wrong is served, one scrub of each finds all of it, and all is good again, so good that an
 * index made anew from the segments finds everything.
 *
 * `PEERSTOR_ROT=1000,100,100` (flips, truncations, swaps) and `PEERSTOR_SEED=N` choose other numbers.
 */
import '../sim/small-limits.ts'
import assert from 'node:assert/strict'
import test from 'node:test'
import type { ChunkId, RecordHash } from '../../src/base/words.ts'
import { hash } from '../../src/codec/hash.ts'
import { Peers, type TestPeer } from '../sim/pools.ts'
import type { SeededRandom } from '../sim/seeded-random.ts'

const [flips, cuts, swaps] = (process.env['PEERSTOR_ROT'] ?? '150,15,15').split(',').map(Number) as [
  number,
  number,
  number,
]
/** More content for more damage. */
const rounds = flips >= 1000 ? 8 : 3
const seed = Number(process.env['PEERSTOR_SEED'] ?? Math.floor(Math.random() * 1e9))

class Rot {
  readonly all = new Peers(seed, { disks: true })
  readonly random: SeededRandom = this.all.random.fork()
  readonly chunks: ChunkId[] = []
  readonly records: RecordHash[] = []
  peers: TestPeer[] = []

  async fill(): Promise<void> {
    this.peers = await this.all.addAll(['a', 'b', 'c'])
    await this.all.advance(2_000)
    for (const peer of this.peers)
      for (let round = 0; round < rounds; round++) {
        for (let size = 0; size < 6; size++)
          this.chunks.push(...(await peer.upload(12, this.random.between(100, 12_000))))
        this.records.push(await peer.record())
      }
    const durable = Promise.all(this.peers.map(({ pool }) => pool.durable(this.chunks, 3, 600_000)))
    assert.deepEqual(await this.all.clock.until(durable), [3, 3, 3])
    await this.all.advance(60_000)
    for (const peer of this.peers) for (const record of this.records) assert.ok(peer.hasRecord(record))
  }

  /** The first peer stays sound, so that everything can be mended. */
  get victims(): TestPeer[] {
    return this.peers.slice(1)
  }

  file(): { peer: TestPeer; path: string; length: number } {
    const peer = this.random.pick(this.victims)
    const path = this.random.pick(peer.disk.paths().filter((path) => path.endsWith('.log')))
    return { peer, path, length: peer.disk.bytesOf(path).length }
  }

  flip(): void {
    const { peer, path, length } = this.file()
    peer.disk.flip(path, this.random.below(length))
  }

  async cut(): Promise<void> {
    const { peer, path, length } = this.file()
    const file = await peer.disk.open(path, 'write')
    await file.truncate(this.random.below(length))
  }

  /** The bytes of two chunks of one peer, as far as the shorter goes, with or without what stands before them. */
  async swap(): Promise<void> {
    const { peer } = this.file()
    const [one, other] = [this.random.pick(this.chunks), this.random.pick(this.chunks)].map((id) =>
      placeOf(peer, id),
    )
    if (one === undefined || other === undefined || one === other) return
    const before = this.random.chance(0.5) ? 64 : 0
    const length = Math.min(one.length, other.length) + before
    const read = ({ path, offset }: Place): Buffer =>
      peer.disk
        .bytesOf(path)
        .subarray(offset - before)
        .subarray(0, length)
    const [first, second] = [Buffer.from(read(one)), Buffer.from(read(other))]
    for (const [{ path, offset }, bytes] of [
      [one, second],
      [other, first],
    ] as [Place, Buffer][])
      await (await peer.disk.open(path, 'write')).write(offset - before, [bytes])
  }

  /** Chunks whose bytes on a peer's disk are wrong. */
  wrong(peer: TestPeer): ChunkId[] {
    return this.chunks.filter((id) => {
      const place = placeOf(peer, id)
      if (place === undefined) return false
      const bytes = peer.disk.bytesOf(place.path).subarray(place.offset, place.offset + place.length)
      return hash(bytes).toString('hex') !== id
    })
  }

  async readAll(peer: TestPeer, ids: readonly ChunkId[]): Promise<void> {
    for await (const { id, bytes } of peer.pool.getAll(ids))
      assert.equal(hash(bytes).toString('hex'), id, 'a wrong byte was served')
  }

  async close(): Promise<void> {
    await this.all.close()
  }
}

interface Place {
  path: string
  offset: number
  length: number
}

function placeOf(peer: TestPeer, id: ChunkId): Place | undefined {
  const place = peer.local?.read.place(id)
  if (place === undefined) return undefined
  return { ...place, path: `/segments/seg-${String(place.segment).padStart(8, '0')}.log` }
}

const kinds: [string, number, (rot: Rot) => unknown][] = [
  ['random bit flips', flips, (rot) => rot.flip()],
  ['truncations', cuts, (rot) => rot.cut()],
  ['swapped chunks', swaps, (rot) => rot.swap()],
]

for (const [name, count, inflict] of kinds)
  test(`${count} ${name}: nothing wrong is served, one scrub finds all, all is healed (seed ${seed})`, async (t) => {
    const rot = new Rot()
    await rot.fill()
    for (let done = 0; done < count; done++) await inflict(rot)
    const wrong = rot.victims.map((peer) => rot.wrong(peer))
    const sample = rot.chunks.filter(() => rot.random.chance(0.1))
    for (const peer of rot.peers) await rot.all.clock.until(rot.readAll(peer, sample))
    const results = []
    for (const [index, peer] of rot.victims.entries()) {
      const left = rot.wrong(peer).length
      const result = await rot.all.clock.until(peer.pool.scrub(undefined))
      results.push({ ...result, wrong: wrong[index]!.length })
      assert.ok(result.damaged >= left, `${result.damaged} found of ${left} wrong chunks`)
      assert.equal(result.healed, result.damaged)
      assert.deepEqual(rot.wrong(peer), [])
      assert.deepEqual(peer.backing.verifier.quarantined(), [])
    }
    t.diagnostic(JSON.stringify(results))
    for (const peer of rot.victims) {
      const again = await rot.all.clock.until(peer.pool.scrub(undefined))
      assert.equal(again.damaged, 0, `a second scrub finds nothing: ${JSON.stringify(again)}`)
    }
    for (const peer of rot.peers) {
      for (const id of rot.chunks) assert.ok(peer.backing.read.hasChunk(id), `chunk ${id} on ${peer.name}`)
      for (const last of rot.records) assert.equal((await peer.backing.batch(last)).records[0]!.hash, last)
    }
    // Killed, with the index lost: it is in memory, so the segments alone tell all.
    for (const peer of rot.victims) {
      await rot.all.clock.until(peer.stop())
      await peer.start()
      for (const id of rot.chunks) {
        assert.ok(peer.backing.read.hasChunk(id), `chunk ${id} on ${peer.name} after a rebuild`)
        assert.ok(peer.backing.read.pins(id).length > 0, `pins of ${id} on ${peer.name} after a rebuild`)
      }
      for (const last of rot.records) assert.ok(peer.hasRecord(last), `record ${last} on ${peer.name}`)
    }
    await rot.close()
  })
