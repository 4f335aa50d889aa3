/**
 * What the rooms above ask the index; synchronous and short, on the caller's own read connection
 * (`sqlite-reader.ts`). In the simulator reader and writer share one `:memory:` database.
 */
import type {
  ChunkId,
  DatabaseId,
  DeviceId,
  EntryId,
  FolderId,
  Incarnation,
  PeerId,
  RecordHash,
} from '../base/words.ts'
import type { ChunkRef } from '../codec/codec.ts'
import type { Coding } from '../codec/coding.ts'
import type { ShardScheme } from '../codec/shards.ts'
import type { RecordKind } from '../codec/record.ts'
import type { Pin } from './chunk-store.ts'
import type { IndexedRecord } from './store.ts'
import type { SoughtWords } from './search-text.ts'
import type { EntryRow, ListedRow, ShownRow, VersionRow } from './view.ts'

/** A coding by its number in the index. */
export interface KnownCoding extends Coding {
  n: number
}

/** A page of a listing: `next` is given when there is more. */
export interface Page<T> {
  entries: T[]
  next?: string
}

/** A line of a folder listing: an entry, or a folder implied by paths. */
export type Listed =
  | { kind: 'entry'; entry: ListedRow }
  | { kind: 'folder'; path: string; files: number; bytes: number; made?: MadeFolder }

/** The entry of a folder that was made on purpose. */
export type MadeFolder = Pick<EntryRow, 'entry' | 'version' | 'modified' | 'created'>

/**
 * How well an entry matches, best first: the whole name, its beginning, whole words of name and tags, parts of
 * anything.
 */
export type SearchStage = 'name' | 'start' | 'word' | 'part'

/**
 * How what was found is sorted; `rank`: by stage, then newest. `name` is the last part of a path, numbers in it by
 * their value; of one name the newest first.
 */
export const searchOrders = ['rank', 'newest', 'oldest', 'name', 'largest', 'smallest'] as const
export type SearchOrder = (typeof searchOrders)[number]

/** All that is given must hold. */
export interface Search {
  words: SoughtWords
  filter: SearchFilter
  order: SearchOrder
}

export interface SearchFilter {
  folders: readonly FolderId[]
  /** Only below this path of them. */
  below?: string | undefined
  tags?: readonly string[] | undefined
  /** A MIME type, or its beginning. */
  type?: string | undefined
  category?: string | undefined
  /** Bytes. */
  larger?: number | undefined
  smaller?: number | undefined
  /** Modified after and before, wall milliseconds. */
  newer?: number | undefined
  older?: number | undefined
}

/** A version that a later one replaced. */
export interface ReplacedVersion {
  /** Its number, to go on after. */
  n: number
  version: RecordHash
  /** When, wall milliseconds; undefined while only versions from the future replace it. */
  since: number | undefined
  expired: boolean
}

/** A chunk here that no standing pin holds. */
export interface LooseChunk {
  /** Its number, to go on after. */
  n: number
  id: ChunkId
  bytes: number
  /** Wall milliseconds. */
  since: number
  /** A signed release said so; else its pins were lost, or never written. */
  released: boolean
}

/** A file's version whose content is kept: it shows, it is an older one, or its file lies in the trash. */
export interface SizedVersion {
  version: RecordHash
  path: string
  what: 'file' | 'version' | 'trash'
  size: number
  /** Wall milliseconds. */
  written: number
}

export interface CategoryTotal {
  category: string
  files: number
  bytes: number
}

export interface IndexReader {
  // Chunks on this disk
  hasChunk(id: ChunkId): boolean
  /** Sealed bytes of a chunk on this disk. */
  lengthOf(id: ChunkId): number | undefined
  /** All pins, also those that a release fells when their time has come. */
  pins(id: ChunkId): Pin[]
  /** The pins that no release names: why a chunk is to be kept, and what is passed on with it. */
  standingPins(id: ChunkId): Pin[]
  /** Chunks here that no standing pin holds: all of them are in quarantine. */
  looseChunks(): { chunks: number; bytes: number }
  /** Those that have been loose since `since` or before, whose last pin has fallen at `now`; by number, behind `after`. */
  looseSince(since: number, now: number, after: number, limit: number): LooseChunk[]
  /** The same of one chunk, for the moment of dropping it. */
  isLooseSince(id: ChunkId, since: number, now: number): boolean
  /** Chunks here by id, behind `after` and up to `until`, that no standing pin holds and that are not known to be loose. */
  unpinned(after: ChunkId | undefined, until: ChunkId, limit: number): ChunkId[]
  /** Chunks here by id, behind `after` and up to `until`, with a standing pin of `folder`. */
  pinnedFor(folder: FolderId, after: ChunkId | undefined, until: ChunkId, limit: number): ChunkId[]
  /** Chunks by id, behind `after` and up to `until`, that `peer` holds and a version of `folder` needs. */
  neededOf(
    peer: PeerId,
    folder: FolderId,
    after: ChunkId | undefined,
    until: ChunkId,
    limit: number,
  ): ChunkId[]
  /** Those of `ids` that a version of `folder` needs: one that shows, lies in the trash, or is kept for a while. */
  needed(folder: FolderId, ids: readonly ChunkId[]): ChunkId[]
  /** Whether all versions of a folder whose records are here are open, and the lists of their chunks are known. */
  isWhole(folder: FolderId): boolean
  /** Whether any version needs a chunk, as `needed` says it, in whatever folder. */
  isNeeded(id: ChunkId): boolean
  /** When and at which of the peer's changes this device last compared a folder's pins there. */
  compared(folder: FolderId, peer: PeerId): { database: DatabaseId; change: number; at: number } | undefined
  /** Folders whose pins here were compared with what their members need, since this index was made and this wall time. */
  reconciled(since?: number): FolderId[]
  /** Those of `ids` on this disk that `device` alone has pinned, for `folders` alone, and that no version's list names. */
  leftovers(ids: readonly ChunkId[], device: DeviceId, folders: readonly FolderId[]): ChunkId[]
  /** Those of `ids` that were dropped from this disk, are not back, and that no version's list names. */
  givenBack(ids: readonly ChunkId[]): ChunkId[]
  /** Dedup: the chunk that this peer itself sealed or opened for plaintext hash `p`. */
  known(folder: FolderId, p: Uint8Array): ChunkRef | undefined

  // Records
  hasRecord(hash: RecordHash): boolean
  record(hash: RecordHash): IndexedRecord | undefined
  /** Whether a record that is here, of the same chain, names this one, here or not, as previous. */
  isFollowed(hash: RecordHash): boolean
  /** All records of some kinds, in order of arrival. */
  recordsOf(kinds: readonly RecordKind[]): IndexedRecord[]
  /** The records that no record of the same device names as previous: one per incarnation's end, more when forked. */
  heads(device: DeviceId): IndexedRecord[]
  /** How many they are. */
  countHeads(device: DeviceId): number
  devices(): DeviceId[]
  /** Record hashes of one device, chain order, for a verdict's cut. */
  recordsOfDevice(device: DeviceId): IndexedRecord[]
  /** How often a device begins an incarnation with number 0; devices that begin one twice. */
  beginnings(device: DeviceId, incarnation: Incarnation): number
  twiceBegun(): DeviceId[]
  /** Version records not yet opened nor invalid, oldest first (keys may have arrived since). */
  unopened(folder: FolderId | undefined, limit: number): IndexedRecord[]

  // The feed of this peer
  lastChange(): number
  /** Own changes after `since`: batches that arrived, chunks held and dropped here; `upTo` is the last one covered. */
  changes(
    since: number,
    limit: number,
  ): { batches: RecordHash[]; held: ChunkId[]; dropped: ChunkId[]; upTo: number }
  hasBatch(last: RecordHash): boolean
  /** Whether a batch is here, but not all of its bodies, or damaged. */
  isPartialBatch(last: RecordHash): boolean
  hasPartialBatches(): boolean
  feedPosition(peer: PeerId): { database: DatabaseId; change: number } | undefined

  // Chunks as shards
  /** What records say a chunk is made of, and was not shown to be wrong. */
  codingsOf(chunk: ChunkId): KnownCoding[]
  /** The chunk that this is a shard of, as far as records say. */
  codingWith(shard: ChunkId): KnownCoding | undefined
  /** Chunks of a folder on this disk, of so many sealed bytes or more, that no record says are made of shards like these. */
  uncoded(
    folder: FolderId,
    scheme: ShardScheme,
    leastBytes: number,
    after: ChunkId | undefined,
    limit: number,
  ): ChunkId[]
  /**
   * Among `limit` codings of a folder behind the number `after`, those to look at: of another scheme, with
   * fewer shards on `peers` than they have, or with their chunk on this disk whole. `next` is where to go on.
   */
  codingsToTend(
    folder: FolderId,
    scheme: ShardScheme | undefined,
    peers: readonly PeerId[],
    after: number,
    limit: number,
  ): { codings: KnownCoding[]; next?: number }
  /** How many of `peers` may fail, plus one, before each of these chunks is lost: its copies, or what its shards allow. */
  strengths(ids: readonly ChunkId[], peers: readonly PeerId[]): Map<ChunkId, number>

  // Holdings of other peers, and of this one (its own PeerId counts like any other)
  holders(ids: readonly ChunkId[]): Map<ChunkId, PeerId[]>
  /**
   * Chunks held here, pinned for `folder`, with a strength below `want` among `peers`; by id after
   * `after`. It looks at every chunk held here up to `until`, so a caller bounds its time by that.
   * `priority`: only chunks of files that ask for the most copies. `below`: only chunks of fewer sealed bytes.
   */
  lacking(
    folder: FolderId,
    want: number,
    peers: readonly PeerId[],
    after: ChunkId | undefined,
    limit: number,
    until?: ChunkId,
    priority?: boolean,
    below?: number,
  ): { id: ChunkId; holders: PeerId[] }[]
  /** Versions of a folder that ask for the most copies, were not replaced, and whose chunks are known. */
  priorities(folder: FolderId): number
  /** Those of `ids` that a version names which asks for the most copies and was not replaced. */
  prioritised(ids: readonly ChunkId[]): Set<ChunkId>
  /** A chunk that is here and that a peer holds; `at`, 0 to 1, chooses which. Undefined when none is met near there. */
  sharedChunk(peer: PeerId, at: number): ChunkId | undefined
  /** How many chunks a peer holds, as far as is known here. */
  countHeldBy(peer: PeerId): { chunks: number }
  statements(): { device: DeviceId; bytes: Uint8Array }[]
  seen(): { peer: PeerId; at: number; addresses: string[] }[]

  // The view
  entryAt(folder: FolderId, path: string): EntryRow | undefined
  entry(folder: FolderId, entry: EntryId): EntryRow | undefined
  version(version: RecordHash): VersionRow | undefined
  /** All versions of an entry, newest first. */
  versions(folder: FolderId, entry: EntryId): VersionRow[]
  /** Entries that ever had a path (for versions and conflicts of a path). */
  entriesAt(folder: FolderId, path: string): EntryRow[]
  /** Entries whose place is `path` but that another one there hides. */
  shadowedAt(folder: FolderId, path: string): EntryRow[]
  /** Entries below `path` that another one hides. */
  shadowedBelow(folder: FolderId, path: string): EntryRow[]
  /** Those of `paths` where what shows hides another entry. */
  hidingAmong(folder: FolderId, paths: readonly string[]): Set<string>
  /** Those of `paths` where something other than a folder shows. */
  filesAmong(folder: FolderId, paths: readonly string[]): string[]
  /** Direct children of `path` ('' for the top), folders implied by paths included, by name; copies among `peers`. */
  list(
    folder: FolderId,
    path: string,
    cursor: string | undefined,
    limit: number,
    peers: readonly PeerId[],
  ): Page<Listed>
  /** Whether any entry lies below `path`. */
  hasBelow(folder: FolderId, path: string): boolean
  /** Everything below `path`, by path. */
  tree(folder: FolderId, path: string, cursor: string | undefined, limit: number): Page<EntryRow>
  /** What showed below `path` at a time (wall ms), by path; of several at one path the latest comes first. */
  belowAt(
    folder: FolderId,
    path: string,
    at: number,
    cursor: string | undefined,
    limit: number,
  ): Page<ShownRow>
  /** Everything below `path`, by path, as lines of a listing; copies among `peers`. */
  below(
    folder: FolderId,
    path: string,
    cursor: string | undefined,
    limit: number,
    peers: readonly PeerId[],
  ): Page<ListedRow>
  /** Entries, hidden ones too, whose version has an expiry of its own (`expiryTag`), in steps of up to `limit`. */
  expiring(folder: FolderId, after: number, limit: number): { entries: EntryRow[]; next?: number }
  /**
   * Entries, hidden ones too, whose version was written until `before` (wall ms), among the next `limit` of them
   * by path; `next` is the path to go on after.
   */
  changedBefore(
    folder: FolderId,
    before: number,
    after: string,
    limit: number,
  ): { entries: EntryRow[]; next?: string }
  /** Everything from `path` on, itself included, by path; `next` goes on there. */
  from(folder: FolderId, path: string, limit: number): Page<EntryRow>
  /** Removed entries that can come back, newest first. */
  trash(folder: FolderId, cursor: string | undefined, limit: number): Page<EntryRow>
  /**
   * One bounded look (some milliseconds) for up to `limit` entries behind `cursor`; there may be more behind `next`
   * even when it found none. `BAD_INPUT` for a cursor that no search of this order gave.
   */
  find(search: Search, cursor: string | undefined, limit: number): Page<EntryRow>
  /** Versions of files that hold bytes and are kept, in steps of up to `limit`; `next` is where to go on. */
  sizedVersions(folder: FolderId, after: number, limit: number): { entries: SizedVersion[]; next?: number }
  /** Files and bytes of each category that has any. */
  categories(folder: FolderId): CategoryTotal[]
  /** Entries whose words are not in the index of groups yet; a search looks through them one by one. */
  searchWaiting(): number
  /** Whether a search finds everything: facts of what an older program indexed come by writes of `search`. */
  isSearchFilled(): boolean
  /** Replaced versions in order of their numbers, those after `after`. */
  replaced(folder: FolderId, after: number, limit: number): ReplacedVersion[]
  /** Versions with content that are not given up, in order of their numbers, those after `after`. */
  withContent(folder: FolderId, after: number, limit: number): { n: number; row: VersionRow }[]
  /** Whether anything here was ever opened: names, and the keys of chunks. */
  hasOpened(): boolean
  /** Records of content sealed anew that do not count. */
  heldReseals(folder: FolderId): RecordHash[]
  held(folder: FolderId): VersionRow[]
  /** Versions of status `future`, earliest first: a restarted peer must know when their time comes. */
  future(limit: number): VersionRow[]
  totals(folder: FolderId): { files: number; bytes: number }
  contentOf(version: RecordHash): ChunkId[] | undefined
  /** Versions whose chunk list is not in the index yet. */
  withoutContent(limit: number): VersionRow[]
  /** Whether the chunk lists of all versions that a device wrote are in the index. */
  isListed(device: DeviceId): boolean
  /** For each version the lowest strength among `peers` over its chunks; absent when its list is unknown. */
  copies(versions: readonly RecordHash[], peers: readonly PeerId[]): Map<RecordHash, number>
  /**
   * Files (shown entries) by copies: at least `want` (those that ask for the most: `wantMost`), fewer, none.
   * Counts `limit` of them, beginning behind the number `after`; `next` is the number to go on after.
   */
  safety(
    folder: FolderId,
    want: number,
    peers: readonly PeerId[],
    after: number,
    limit: number,
    wantMost?: number,
  ): { safe: number; degraded: number; lost: number; next?: number }
  /**
   * Files (shown entries) that none of `peers` keeps whole, among `limit` of them behind the number `after`;
   * `next` is the number to go on after.
   */
  lostAmong(
    folder: FolderId,
    peers: readonly PeerId[],
    after: number,
    limit: number,
  ): { entries: { n: number; path: string; size: number }[]; next?: number }
  /** Shown entries whose content needs one of these chunks. */
  filesOf(ids: readonly ChunkId[]): { folder: FolderId; path: string }[]
  /** Another text whenever the index has changed. */
  generation(): string
}
