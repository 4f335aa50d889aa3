/**
 * Brings chunks to the peers that should hold them. Runs beside the upload: every call adds to the
 * queues of the planned peers, each queue keeps a few offers in flight, and what gathered meanwhile
 * goes with the next offer, so that ten thousand small chunks need few of them.
 *
 * A peer that is full, gone or refuses is passed over for the next in rank; what nobody takes now is
 * left to repair.
 */
import { asPeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { ChunkId, FolderId, PeerId } from '../base/words.ts'
import type { Worker, WorkResult } from '../base/worker.ts'
import type { Health } from './health.ts'
import type { PoolStore } from './pool.ts'
import type { RemoteStore } from './remote-store.ts'
import type { Roster } from './roster.ts'

/** Offers in flight to one peer: while one is being made durable the next already flows. */
const offersAtOnce = 2
/** More chunks than this wait for repair, which finds them in the index. */
const mostWaiting = 65_536

export interface ReplicatorParts {
  store: PoolStore
  roster: Roster
  health: Health
  remote: (peer: PeerId) => RemoteStore
  log: Log
  /** New holdings are in the index. */
  onHeld: () => void
  /** Something was left to repair. */
  onLeft: () => void
}

/** Which chunks go first: just written, of repair, moved to where they belong. */
const ranks = ['urgent', 'later', 'moved'] as const
type Rank = (typeof ranks)[number]

/** Chunks to be brought to their copies; `settled` is told of each, with how many copies it lacks still. */
interface Errand {
  folder: FolderId
  ids: readonly ChunkId[]
  rank: 'urgent' | 'later'
  priority: boolean
  settled: (left: number, id: ChunkId) => void
}

/** A chunk that should lie on certain peers too. */
export interface Move {
  id: ChunkId
  to: readonly PeerId[]
}

/** A chunk on its way. */
interface Task {
  id: ChunkId
  /** Where its copies go: as its folder wants, or to these peers alone. */
  goal: { folder: FolderId; priority: boolean } | { to: readonly PeerId[] }
  /** Peers that took it or would not, in this run. */
  kept: Set<PeerId>
  failed: Set<PeerId>
  /** Peers it waits for. */
  open: Set<PeerId>
  /** Copies that no peer could be found for. */
  unplaced: number
  rank: Rank
  settle: (left: number) => void
}

/** What waits for one peer. */
interface Lane {
  waiting: Record<Rank, Task[]>
  offers: number
}

export class Replicator {
  readonly #parts: ReplicatorParts
  readonly #lanes = new Map<PeerId, Lane>()
  readonly #stopping = new AbortController()
  readonly #offers = new Set<Promise<void>>()
  /** Chunks under way: a second file of the same content needs no second task. */
  readonly #underWay = new Set<ChunkId>()
  #sent = 0

  constructor(parts: ReplicatorParts) {
    this.#parts = parts
  }

  /** Chunks just stored here. */
  replicate(folder: FolderId, ids: readonly ChunkId[]): void {
    if (this.#parts.roster.others().length === 0) return
    const room = Math.max(0, mostWaiting - this.#underWay.size)
    if (ids.length > room) this.#parts.onLeft()
    const settled = (left: number): void => {
      if (left > 0) this.#parts.onLeft()
    }
    this.#begin({ folder, ids: ids.slice(0, room), rank: 'urgent', priority: false, settled })
  }

  /** Brings chunks held here to the copies wanted, or to those of priority files; resolves to those still short of them. */
  async bring(folder: FolderId, ids: readonly ChunkId[], priority = false): Promise<Set<ChunkId>> {
    const short = new Set<ChunkId>()
    if (ids.length === 0) return short
    return new Promise((resolve) => {
      let open = ids.length
      const settled = (left: number, id: ChunkId): void => {
        if (left > 0) short.add(id)
        open -= 1
        if (open === 0) resolve(short)
      }
      this.#begin({ folder, ids, rank: 'later', priority, settled })
    })
  }

  /** Copies chunks held here to certain peers; resolves to those that did not come to all of theirs. */
  async move(moves: readonly Move[]): Promise<Set<ChunkId>> {
    const short = new Set<ChunkId>()
    if (moves.length === 0) return short
    return new Promise((resolve) => {
      let open = moves.length
      const settled = (left: number, id: ChunkId): void => {
        if (left > 0) short.add(id)
        open -= 1
        if (open === 0) resolve(short)
      }
      const started = moves.map(({ id, to }) => this.#task(id, { to }, 'moved', (left) => settled(left, id)))
      moves.forEach(({ id }, index) => started[index] === undefined && settled(1, id))
      this.#placeAll(started.filter((task) => task !== undefined))
    })
  }

  isUnderWay(id: ChunkId): boolean {
    return this.#underWay.has(id)
  }

  /** A peer came: what waits for it may go. */
  wake(): void {
    for (const peer of this.#lanes.keys()) this.#pump(peer)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const lane of this.#lanes.values())
      for (const rank of ranks) for (const task of lane.waiting[rank].splice(0)) this.#settle(task)
    await Promise.allSettled(this.#offers)
  }

  worker(): Worker {
    return {
      name: 'replicate',
      work: (): Promise<WorkResult> => {
        this.wake()
        return Promise.resolve({ waitMs: 60_000 })
      },
      status: () =>
        this.#underWay.size === 0
          ? `all chunks written here were handed on (${this.#sent} copies sent)`
          : `${this.#underWay.size} chunks are on their way to other devices (${this.#sent} copies sent)`,
    }
  }

  #begin({ folder, ids, rank, priority, settled }: Errand): void {
    const tasks = ids.map((id) => {
      const task = this.#task(id, { folder, priority }, rank, (left) => settled(left, id))
      if (task === undefined) settled(0, id)
      return task
    })
    this.#placeAll(tasks.filter((task) => task !== undefined))
  }

  /** Undefined when the chunk is under way already. */
  #task(id: ChunkId, goal: Task['goal'], rank: Rank, settle: Task['settle']): Task | undefined {
    if (this.#underWay.has(id)) return undefined
    this.#underWay.add(id)
    return { id, goal, kept: new Set(), failed: new Set(), open: new Set(), unplaced: 0, rank, settle }
  }

  #placeAll(tasks: readonly Task[]): void {
    const holders = this.#parts.roster.holders(tasks.map(({ id }) => id))
    const touched = new Set<PeerId>()
    for (const task of tasks)
      for (const peer of this.#place(task, holders.get(task.id) ?? [])) touched.add(peer)
    for (const peer of touched) this.#pump(peer)
  }

  /** Puts a task into the queues of its next peers; settles it when nothing is left to wait for. */
  #place(task: Task, known: readonly PeerId[]): PeerId[] {
    const holders = [...new Set([...known, ...task.kept, ...task.open])]
    const { targets, unplaced } = this.#targets(task, holders)
    for (const peer of targets) {
      task.open.add(peer)
      this.#lane(peer).waiting[task.rank].push(task)
    }
    task.unplaced = unplaced
    if (task.open.size === 0) this.#settle(task, unplaced)
    return targets
  }

  #targets({ id, goal, failed }: Task, holders: readonly PeerId[]): { targets: PeerId[]; unplaced: number } {
    const { roster } = this.#parts
    if (!('to' in goal)) return roster.plan(id, holders, roster.want(goal.folder, goal.priority), failed)
    const left = goal.to.filter((peer) => !holders.includes(peer))
    const targets = left.filter((peer) => !failed.has(peer) && roster.isLive(peer))
    return { targets, unplaced: left.length - targets.length }
  }

  #settle(task: Task, left = 1): void {
    this.#underWay.delete(task.id)
    task.settle(left)
  }

  #lane(peer: PeerId): Lane {
    let lane = this.#lanes.get(peer)
    if (lane === undefined)
      this.#lanes.set(peer, (lane = { waiting: { urgent: [], later: [], moved: [] }, offers: 0 }))
    return lane
  }

  #pump(peer: PeerId): void {
    const lane = this.#lane(peer)
    while (lane.offers < offersAtOnce && !this.#stopping.signal.aborted) {
      const rank = ranks.find((rank) => lane.waiting[rank].length > 0)
      if (rank === undefined) return
      const tasks = lane.waiting[rank].splice(0, limits.offerChunks)
      lane.offers += 1
      const offer = this.#offer(peer, tasks).finally(() => {
        this.#offers.delete(offer)
        lane.offers -= 1
        this.#pump(peer)
      })
      this.#offers.add(offer)
    }
  }

  async #offer(peer: PeerId, tasks: readonly Task[]): Promise<void> {
    const { health, remote, log, store } = this.#parts
    const left = new Map(tasks.map((task) => [task.id, task]))
    const kept = new HeldRows(store, peer, (ids) => this.#kept(peer, ids, left))
    const sending = health.measured(peer, async ({ answered }) => {
      // What only falling pins hold is not spread.
      const chunks = tasks
        .map(({ id }) => ({ id, pins: store.read.standingPins(id) }))
        .filter(({ pins }) => pins.length > 0)
      if (chunks.length === 0) return
      for await (const { id, outcome } of remote(peer).offer(chunks, { signal: this.#stopping.signal })) {
        answered()
        if (outcome === 'kept') kept.add(id)
        else if (outcome === 'full') health.noRoom(peer)
      }
    })
    for (const result of [
      ...(await Promise.allSettled([sending])),
      ...(await Promise.allSettled([kept.end()])),
    ]) {
      if (result.status === 'fulfilled') continue
      const { code, message } = asPeerStorError(result.reason)
      log.info('an offer failed', { peer, chunks: left.size, code, reason: message })
    }
    this.#failed(peer, [...left.values()])
  }

  /** The peer has made chunks durable and the index knows it. */
  #kept(peer: PeerId, ids: readonly ChunkId[], left: Map<ChunkId, Task>): void {
    this.#sent += ids.length
    for (const id of ids) {
      const task = left.get(id)
      left.delete(id)
      if (task === undefined) continue
      task.open.delete(peer)
      task.kept.add(peer)
      if (task.open.size === 0) this.#settle(task, task.unplaced)
    }
    this.#parts.onHeld()
  }

  #failed(peer: PeerId, tasks: readonly Task[]): void {
    for (const task of tasks) {
      task.open.delete(peer)
      task.failed.add(peer)
    }
    this.#again(tasks)
  }

  #again(tasks: readonly Task[]): void {
    if (this.#stopping.signal.aborted)
      return tasks.forEach((task) => task.open.size === 0 && this.#settle(task))
    this.#placeAll(tasks)
  }
}

/** Gathers kept chunks while an index write is under way, so that many lines cost one transaction. */
class HeldRows {
  readonly #store: Pick<PoolStore, 'index'>
  readonly #peer: PeerId
  readonly #done: (ids: readonly ChunkId[]) => void
  #ids: ChunkId[] = []
  #writing: Promise<void> | undefined

  constructor(store: Pick<PoolStore, 'index'>, peer: PeerId, done: (ids: readonly ChunkId[]) => void) {
    this.#store = store
    this.#peer = peer
    this.#done = done
  }

  add(id: ChunkId): void {
    this.#ids.push(id)
    this.#writing ??= this.#write()
  }

  async end(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    // Lines that arrived together go together.
    await Promise.resolve()
    while (this.#ids.length > 0) {
      const ids = this.#ids.splice(0)
      await this.#store.index([{ op: 'held', peer: this.#peer, ids }])
      this.#done(ids)
    }
    this.#writing = undefined
  }
}
