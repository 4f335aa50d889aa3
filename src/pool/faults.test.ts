/**
 * Pools of three to nine peers under seeded faults: loss, partitions, crashes, lost indexes, revocations.
 * Once they end and time has passed, every chunk written has its copies, every record is everywhere.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkId, RecordHash } from '../base/words.ts'
import { folder, Peers, type TestPeer } from '../../test/sim/pools.ts'

const seeds = 8
const hour = 3600_000

class Run {
  readonly all: Peers
  readonly #random
  readonly up = new Map<string, TestPeer>()
  readonly down = new Map<string, TestPeer>()
  readonly chunks: ChunkId[] = []
  readonly records: RecordHash[] = []
  faults = 0

  constructor(seed: number) {
    this.all = new Peers(seed, { loss: 0.02, delayMs: [1, 200] })
    this.#random = this.all.random.fork()
  }

  async begin(): Promise<void> {
    const count = this.#random.between(3, 9)
    for (let index = 0; index < count; index++) {
      const owner = this.#random.pick(['one', 'one', 'two'])
      const zone = this.#random.pick([undefined, 'home', 'office'])
      this.up.set(`p${index}`, await this.all.add(`p${index}`, { owner, zone }))
    }
    await this.all.advance(5_000)
  }

  async step(): Promise<void> {
    const peer = this.#random.pick([...this.up.values()])
    const dice = this.#random.number()
    if (dice < 0.4) this.chunks.push(...(await peer.upload(this.#random.between(1, 15))))
    else if (dice < 0.7) this.records.push(await peer.record())
    else if (dice < 0.95) await this.all.advance(this.#random.between(1, 60_000))
    else await this.#fault(peer)
  }

  async #fault(peer: TestPeer): Promise<void> {
    this.faults += 1
    const dice = this.#random.number()
    if (dice < 0.4) await this.#crash(peer)
    else if (dice < 0.5) await this.#crash(peer, true)
    else if (dice < 0.9) this.#cut(peer)
    else await this.#revive()
  }

  async #crash(peer: TestPeer, forget = false): Promise<void> {
    if (this.up.size <= 2) return this.#revive()
    await peer.crash()
    if (forget) await peer.forgetIndex()
    this.up.delete(peer.name)
    this.down.set(peer.name, peer)
  }

  async #revive(): Promise<void> {
    for (const [name, peer] of this.down) {
      await peer.start()
      this.up.set(name, peer)
    }
    this.down.clear()
  }

  #cut(peer: TestPeer): void {
    const others = [...this.up.values()].filter((other) => other !== peer)
    for (const other of others)
      if (this.#random.chance(0.5)) this.all.world.cut(peer.id, other.id, this.#random.chance(0.7))
    this.all.clock.after(this.#random.between(1_000, 10 * 60_000), () => this.all.world.heal())
  }

  /** Everybody is back and all ways are open; time passes. */
  async quiesce(): Promise<void> {
    this.all.world.heal()
    this.all.world.loss = 0
    await this.#revive()
    await this.all.advance(3 * hour)
  }

  check(): void {
    const peers = [...this.all.peers.values()]
    const want = peers[0]!.pool.want(folder)
    for (const id of this.chunks) {
      const holders = this.all.holders(id)
      assert.ok(holders.length >= want, `chunk ${id} has ${holders.length} copies of ${want}`)
    }
    for (const { name, store } of peers) {
      assert.equal(store.batches.size, this.records.length, `records of ${name}`)
      for (const record of this.records) assert.ok(store.batches.has(record))
    }
    this.#checkHoldings(peers)
  }

  /** Everybody knows every holder, and nobody who is none. */
  #checkHoldings(peers: readonly TestPeer[]): void {
    const nameOf = new Map(peers.map(({ id, name }) => [id, name]))
    for (const peer of peers) {
      const known = peer.store.read.holders(this.chunks)
      for (const id of this.chunks) {
        const believed = known.get(id)!.map((holder) => nameOf.get(holder)!)
        const own = peer.store.bytes.has(id) ? [peer.name] : []
        const expected = this.all.holders(id)
        assert.deepEqual(
          [...new Set([...believed, ...own])].sort(),
          expected.sort(),
          `${peer.name} about ${id}`,
        )
      }
    }
  }
}

test(`${seeds} seeded pools end with all copies and all records everywhere`, async (t) => {
  const counts = { peers: 0, chunks: 0, records: 0, faults: 0 }
  for (let seed = 1; seed <= seeds; seed++) {
    const run = new Run(seed)
    await run.begin()
    for (let step = 0; step < 80; step++) await run.step()
    await run.quiesce()
    try {
      run.check()
    } catch (error) {
      throw new Error(`seed ${seed} fails`, { cause: error })
    }
    counts.peers += run.all.peers.size
    counts.chunks += run.chunks.length
    counts.records += run.records.length
    counts.faults += run.faults
    await run.all.close()
  }
  t.diagnostic(JSON.stringify(counts))
})
