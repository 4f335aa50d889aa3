/** Where the shards of a chunk should be, decided purely: each on a device of its own. */
import { idBytes, idOf, type FolderId, type PeerId } from '../base/words.ts'
import { derive } from '../codec/hash.ts'

export interface ShardSituation {
  /** Devices that can take a shard now, the first where the chunk belongs most. */
  open: readonly PeerId[]
  /** Of each shard, by place, the devices that hold it and count. */
  holders: readonly (readonly PeerId[])[]
}

export interface ShardPlan {
  /** The device that each shard is relied on at; undefined where it is missing. */
  relied: (PeerId | undefined)[]
  /** Shards that should be made, and where they should go. */
  moves: { place: number; peer: PeerId }[]
  /** Shards missing that nobody can take now. */
  unplaced: number
}

/** Two shards on one device are lost together: of those only one counts. */
export function planShards({ open, holders }: ShardSituation): ShardPlan {
  const used = new Set<PeerId>()
  const relied = holders.map((peers) => {
    const peer = peers.find((peer) => !used.has(peer))
    if (peer !== undefined) used.add(peer)
    return peer
  })
  const missing = relied.flatMap((peer, place) => (peer === undefined ? [place] : []))
  const free = open.filter((peer) => !used.has(peer))
  const moves = missing.slice(0, free.length).map((place, index) => ({ place, peer: free[index]! }))
  return { relied, moves, unplaced: missing.length - moves.length }
}

/** What pins of shards name in place of their chunks' folder: nobody takes them for chunks of files. */
export function shardFolder(folder: FolderId): FolderId {
  return idOf<FolderId>(derive('peerstor/1 shards', idBytes(folder)))
}
