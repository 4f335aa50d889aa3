/** How many devices keep a file: the lowest count over its chunks, manifest included. */
import type { ChunkId, FolderId, PeerId, RecordHash } from '../base/words.ts'
import { timeText } from '../base/clock.ts'
import type { Pool } from '../pool/pool.ts'
import { priorityTag } from '../store/view.ts'
import type { FilesParts } from './files-parts.ts'
import type { Copies, Holder } from './files.ts'

/** A version whose copies are counted; without tags an ordinary one. */
export interface Counted {
  version: RecordHash
  size: number
  tags?: readonly string[]
}

export interface HaveAndWant {
  have: number
  want: number
}

/** Copies of several versions of one folder. What has no chunks is in its record, which every device keeps. */
export function copiesOf(
  { store, pool }: FilesParts,
  folder: FolderId,
  rows: readonly Counted[],
): Map<RecordHash, HaveAndWant> {
  const wants = wantsOf(pool, folder)
  const withChunks = rows.filter(({ size }) => size > 0).map(({ version }) => version)
  const have = withChunks.length === 0 ? new Map() : store.read.copies(withChunks, pool.countedPeers())
  return new Map(
    rows.map(({ version, size, tags }) => {
      const want = wants(tags)
      return [version, { have: size === 0 ? want : (have.get(version) ?? 0), want }]
    }),
  )
}

/** Copies wanted of a folder's files, by their tags. */
export function wantsOf(
  pool: Pick<Pool, 'want'>,
  folder: FolderId,
): (tags: readonly string[] | undefined) => number {
  const [want, most] = [pool.want(folder), pool.want(folder, true)]
  return (tags) => (tags?.includes(priorityTag) === true ? most : want)
}

/** contract.md `copies` of `info`: how many, where, and how many there could be. */
export function copiesInFull(
  parts: FilesParts,
  folder: FolderId,
  row: Counted,
  chunks: readonly ChunkId[],
): Copies {
  const { have, want } = copiesOf(parts, folder, [row]).get(row.version) as HaveAndWant
  const counted = parts.pool.countedPeers()
  const holders = holdersOf(parts, chunks, counted)
  const couldHold = counted.filter((peer) => holders.includes(peer) || parts.presence(peer).hasRoom).length
  return {
    have,
    want,
    possible: Math.min(want, couldHold),
    scheme: 'copies',
    holders: holders.map((peer) => holder(parts, peer, chunks)),
  }
}

/** Devices that keep at least one of the chunks, the fullest first. */
function holdersOf({ store }: FilesParts, chunks: readonly ChunkId[], counted: readonly PeerId[]): PeerId[] {
  const held = new Map<PeerId, number>()
  for (const peers of store.read.holders(chunks).values())
    for (const peer of peers) if (counted.includes(peer)) held.set(peer, (held.get(peer) ?? 0) + 1)
  return [...held].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([peer]) => peer)
}

/** Only what lies here is read here: when others last read theirs is not known. */
function verifiedAt(parts: FilesParts, peer: PeerId, chunks: readonly ChunkId[]): string | undefined {
  if (peer !== parts.catalogue.peer) return undefined
  const at = parts.store.verifier.verifiedAt(chunks)
  return at === undefined ? undefined : timeText(at)
}

function holder(parts: FilesParts, peer: PeerId, chunks: readonly ChunkId[]): Holder {
  const { online, lastSeen, zone } = parts.presence(peer)
  return {
    peer,
    name: parts.catalogue.deviceOf(peer)?.name ?? peer,
    zone,
    state: online ? 'online' : 'offline',
    lastSeen: lastSeen === undefined ? undefined : timeText(lastSeen),
    verified: verifiedAt(parts, peer, chunks),
  }
}
