/** How many devices keep a file: the lowest count over its chunks, manifest included. */
import type { CallOptions, ChunkId, FolderId, PeerId, RecordHash } from '../base/words.ts'
import { timeText } from '../base/clock.ts'
import { schemeText, type ShardScheme } from '../codec/shards.ts'
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

/** Other devices are asked when they last read theirs; `info` waits for them no longer. */
const askMs = 3_000

/** contract.md `copies` of `info`: how many, where, how many there could be, and what is done about it. */
export async function copiesInFull(
  parts: FilesParts,
  folder: FolderId,
  row: Counted,
  chunks: readonly ChunkId[],
  options: CallOptions = {},
): Promise<Copies> {
  const { have, want } = copiesOf(parts, folder, [row]).get(row.version) as HaveAndWant
  const counted = parts.pool.countedPeers()
  const scheme = parts.pool.scheme(folder)
  const pieces = withShards(parts, chunks)
  const holders = holdersOf(parts, pieces, counted)
  const couldHold = counted.filter((peer) => holders.includes(peer) || parts.presence(peer).hasRoom).length
  const possible = Math.min(want, Math.max(have, couldHold - (scheme === undefined ? 0 : scheme.k - 1)))
  const verified = await verifiedTimes(parts, holders, pieces, options)
  const lines = holders.map((peer, index) => {
    const others = counted.filter((other) => other !== peer)
    const left = parts.store.read.copies([row.version], others).get(row.version) ?? 0
    return { ...holder(parts, peer), verified: verified[index], left }
  })
  const asked = parts.pool.asked(folder)
  const statement = shardsInWords(parts, folder) + copiesInWords(parts, { have, want, possible, asked })
  return { have, want, possible, scheme: schemeName(scheme), holders: lines, statement }
}

/** As contract.md names it. */
function schemeName(scheme: ShardScheme | undefined): string {
  return scheme === undefined ? 'copies' : schemeText(scheme)
}

/** What `info` says first of a folder that asks for shards. */
function shardsInWords({ pool, catalogue }: FilesParts, folder: FolderId): string {
  const asked = catalogue.folders().find(({ id }) => id === folder)?.policy.erasure
  if (asked === undefined) return ''
  const scheme = pool.scheme(folder)
  if (scheme === undefined) return `${schemeText(asked)} waits for more devices, copies until then: `
  return `${schemeText(scheme)}, so that any ${scheme.m} devices may fail; counted as copies: `
}

/** Chunks, and the shards that they are made of. */
function withShards({ store }: FilesParts, chunks: readonly ChunkId[]): ChunkId[] {
  return [...chunks, ...chunks.flatMap((id) => store.read.codingsOf(id).flatMap(({ shards }) => shards))]
}

function copiesInWords(
  { pool, paused }: FilesParts,
  { have, want, possible, asked }: Record<'have' | 'want' | 'possible' | 'asked', number>,
): string {
  const of = `${have} of ${want} wanted copies`
  if (have >= want && asked > want)
    return `${of}, one on each device; the folder asks for ${asked}: peerstor invite`
  if (have >= want) return `${of}: nothing to do`
  if (have === 0)
    return `no device that counts has all of it: it is read again when one that keeps it comes back`
  if (possible <= have) return `${of}: no other device has room; add one: peerstor invite`
  if (paused().includes('repair')) return `${of}: repair is paused: peerstor workers resume repair`
  const eta = pool.mending()?.etaSeconds
  const when = eta === undefined ? '' : `, all of repair takes about ${Math.ceil(eta / 60)} min`
  return `${of}: repair is making ${possible - have} more${when}`
}

/** Devices that keep at least one of the chunks, the fullest first. */
function holdersOf({ store }: FilesParts, chunks: readonly ChunkId[], counted: readonly PeerId[]): PeerId[] {
  const held = new Map<PeerId, number>()
  for (const peers of store.read.holders(chunks).values())
    for (const peer of peers) if (counted.includes(peer)) held.set(peer, (held.get(peer) ?? 0) + 1)
  return [...held].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([peer]) => peer)
}

/** When each device last read all of these and compared them; what is not told in time is not known. */
async function verifiedTimes(
  { pool, clock }: FilesParts,
  holders: readonly PeerId[],
  chunks: readonly ChunkId[],
  { signal }: CallOptions,
): Promise<(string | undefined)[]> {
  const late = new AbortController()
  const cancel = clock.after(askMs, () => late.abort())
  const ending = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
  const times = holders.map((peer) =>
    pool.verifiedAt(peer, chunks, { signal: ending }).then(
      (at) => (at === undefined ? undefined : timeText(at)),
      () => undefined,
    ),
  )
  return Promise.all(times).finally(cancel)
}

function holder(parts: FilesParts, peer: PeerId): Omit<Holder, 'verified' | 'left'> {
  const { online, lastSeen, zone } = parts.presence(peer)
  return {
    peer,
    name: parts.catalogue.deviceOf(peer)?.name ?? peer,
    zone,
    state: online ? 'online' : 'offline',
    lastSeen: lastSeen === undefined ? undefined : timeText(lastSeen),
  }
}
