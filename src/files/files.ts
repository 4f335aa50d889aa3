/**
 * The verbs people use on files, one file per verb; every protocol (HTTP, CLI, library) goes through
 * them and through nothing else. `open-files.ts` builds the object.
 *
 * A path is `FOLDER/PATH`: the folder's name, then the path inside it; `paths.ts` is the one place
 * where outside names become paths.
 */
import type { CallOptions, PeerId, RecordHash } from '../base/words.ts'
import type { CategoryTotal, Page, SearchOrder } from '../store/index-reader.ts'
import type { EntryKind } from '../store/view.ts'
import type { Multipart } from './multipart.ts'
import type { Uploads } from './uploads.ts'

/** When a file goes to the trash by itself, wall milliseconds; `never`: also where its folder says otherwise. */
export type Expiry = number | 'never'

export interface PutOptions extends CallOptions<PutProgress> {
  /** Bytes of the source when known: refused with QUOTA_FULL before the first byte when they do not fit. */
  size?: number | undefined
  mode?: number | undefined
  modified?: number | undefined
  created?: number | undefined
  type?: string | undefined
  tags?: readonly string[] | undefined
  description?: string | undefined
  /** Without it the file has no expiry of its own. */
  expires?: Expiry | undefined
  /** What programs keep with this content; what has a name of XML stays from the version before. */
  properties?: Properties | undefined
  /** Keep a symbolic link as a link to this target; `source` is then empty. */
  link?: string | undefined
  /** Replace only this version (If-Match); `'none'`: only when nothing is there (If-None-Match: *). */
  replaces?: RecordHash | 'none' | undefined
  /** Called before the first byte is read: whether something shows there that is replaced. */
  onFound?: ((isThere: boolean) => void) | undefined
  /** Wait for this many holders, up to `durabilityTimeoutMs` (default `limits.durabilityTimeoutMs`). */
  durability?: number | undefined
  durabilityTimeoutMs?: number | undefined
}

export interface PutProgress {
  bytes: number
  total: number | undefined
  chunks: number
}

/** contract.md `put`. */
export interface PutResult {
  path: string
  size: number
  hash: string
  version: RecordHash
  copies: number
  /** Sealed bytes stored anew; plaintext bytes that were known already. */
  sentBytes: number
  savedBytes: number
  /** `restore` of a folder: files that came back; the rest speaks of all together. */
  restored?: number
}

export interface Holder {
  peer: PeerId
  name: string
  zone: string | undefined
  state: 'online' | 'offline'
  lastSeen: string | undefined
  /** When all that it keeps of the file was last read from its disk and compared, the earliest of it. */
  verified: string | undefined
  /** Copies that would be left without it. */
  left: number
}

export interface Copies {
  have: number
  want: number
  possible: number
  /** `copies`, or shards like `4+2`: `have` and `want` are then the devices that may fail, plus one. */
  scheme: string
  holders: Holder[]
  /** Whether that is what is wanted, and what is being done about it. */
  statement: string
}

/** A line of `ls`. `copies` is `{have, want}` of the file; absent for folders. */
export interface ListedEntry {
  path: string
  kind: Exclude<EntryKind, 'removed'>
  size: number
  /** Null for a folder that only paths imply. */
  modified: string | null
  type: string
  /** Absent for folders that only paths imply. */
  version?: RecordHash
  created?: string
  /** Files and links. */
  hash?: string
  mode?: number
  /** Links: where they lead. */
  target?: string
  /** What programs keep with it (`change`), when there is any. */
  properties?: Properties
  copies?: { have: number; want: number }
  /** Only when there are any. */
  tags?: readonly string[]
  /** Folders: files below. */
  files?: number
  /** When it goes to the trash by itself. */
  expires?: string
  /** Another entry of the same path, or another head of this one, is kept. */
  conflict?: boolean
}

export interface VersionInfo {
  version: RecordHash
  path: string
  kind: EntryKind
  size: number
  modified: string
  written: string
  author: string
  hash: string
  state: 'current' | 'conflict' | 'old' | 'held' | 'future'
}

/** contract.md `info`. */
export interface FileInfo {
  path: string
  kind: Exclude<EntryKind, 'removed'>
  size: number
  hash: string
  created: string
  modified: string
  mode: number
  type: string
  category: string
  tags: readonly string[]
  description: string
  /** It gets the most copies that its folder allows. */
  priority: boolean
  /** When it goes to the trash by itself; absent: it stays. */
  expires?: string
  author: string
  /** Id of the manifest root, or of the only chunk; empty for an empty file. */
  root: string
  version: RecordHash
  versions: VersionInfo[]
  copies: Copies
  chunks?: { id: string; size: number; holders: PeerId[] }[]
  /** Still sealed under a former secret of its folder: `folder rekey` has not come to it yet. */
  rekey?: 'waiting'
  /** With `sha256`: of the whole content, read and computed. */
  sha256?: string
}

export interface GetOptions extends CallOptions {
  /** First and last byte, inclusive; `last` absent: to the end; negative `first`: that many from the end. */
  range?: { first: number; last?: number | undefined } | undefined
  /** One chunk of the file, counted from 0, instead of a range. */
  chunk?: number | undefined
  version?: RecordHash | undefined
  priority?: 'read' | 'download' | undefined
}

/** An open download: what it is, and its bytes in order. Nothing is fetched before `bytes` is read. */
export interface Download {
  path: string
  kind: 'file' | 'link'
  version: RecordHash
  /** Whole size; `first` and `last` are what `bytes` yields. */
  size: number
  first: number
  last: number
  hash: string
  type: string
  modified: number
  mode: number
  target: string | undefined
  /** What programs keep with it. */
  properties: Properties | undefined
  bytes: AsyncIterable<Uint8Array>
  /** Peers that served chunks so far. */
  sources(): PeerId[]
}

export interface ListOptions extends CallOptions {
  cursor?: string | undefined
  limit?: number | undefined
  /** As it was at this time, wall milliseconds, as far as versions are still kept. */
  at?: number | undefined
  /** Everything below instead of the direct children. */
  recursive?: boolean | undefined
}

/**
 * Texts of programs by name. Those named `{namespace}name` stay with a file whatever its content becomes,
 * others go with the content that they came with.
 */
export type Properties = Readonly<Record<string, string>>

/** New facts about an entry; what is left out stays. */
export interface Changes {
  /** Wall milliseconds. */
  modified?: number | undefined
  created?: number | undefined
  /** POSIX permission bits. */
  mode?: number | undefined
  type?: string | undefined
  /** Null takes one away. Those of a folder are known on this device alone (docs/ARCHITECTURE.md). */
  properties?: Readonly<Record<string, string | null>> | undefined
}

export interface TargetOptions extends CallOptions {
  /**
   * What a name means where something lies already: `into` (without it): a folder is moved into, a
   * file is `ALREADY_EXISTS`; `refuse`: `ALREADY_EXISTS`; `replace`: what lies there goes to the trash.
   */
  existing?: 'into' | 'refuse' | 'replace' | undefined
}

export interface CopyOptions extends TargetOptions {
  /** A folder alone, without what lies below. */
  shallow?: boolean | undefined
}

/** A small picture, and the hash of the content that it shows. */
export interface Thumbnail {
  hash: string
  type: 'image/webp'
  bytes: Uint8Array
}

export interface ScanOptions extends CallOptions {
  prefix?: string | undefined
  delimiter?: string | undefined
  /** Only keys behind this one; it need not exist. */
  after?: string | undefined
  /** At most `limits.listEntries`. */
  limit?: number | undefined
}

/** A file as a key: its path inside the folder. A folder made on purpose ends in `/`. */
export interface ScannedKey {
  key: string
  size: number
  /** Wall milliseconds. */
  modified: number
  hash: string
  type: string
}

export interface Scan {
  keys: ScannedKey[]
  /** What several keys have in common up to the delimiter. */
  prefixes: string[]
  /** `after` for what is left; absent at the end. */
  next?: string
}

/** What of an entry may be said anew; its content stays as it is. */
export interface Description {
  /** All tags from now on; then those added and removed. */
  tags?: readonly string[] | undefined
  addTags?: readonly string[] | undefined
  removeTags?: readonly string[] | undefined
  description?: string | undefined
  /** MIME type. */
  type?: string | undefined
  /** Null: what the type says. */
  category?: string | null | undefined
  /** Whether it gets the most copies that its folder allows, before other files get theirs. */
  priority?: boolean | undefined
  /** Null: what its folder says. */
  expires?: Expiry | null | undefined
}

/** contract.md `find`: all that is given must hold. */
export interface FindQuery extends CallOptions {
  words?: string | undefined
  tags?: readonly string[] | undefined
  /** A MIME type, or its beginning: `image/`. */
  type?: string | undefined
  category?: string | undefined
  /** FOLDER[/PATH]: only below it; absent: in all folders that the caller may read. */
  folder?: string | undefined
  /** Bytes. */
  larger?: number | undefined
  smaller?: number | undefined
  /** Modified after and before, wall milliseconds. */
  newer?: number | undefined
  older?: number | undefined
  sort?: SearchOrder | undefined
  cursor?: string | undefined
  limit?: number | undefined
}

/** What bringing a file or folder back to a time did, or would do. */
export interface TreeRestored {
  path: string
  at: string
  /** Bytes of the files that came back or changed; none of them moved. */
  size: number
  /** Files and folders that came back, that are what they were, that went to the trash, that were so already. */
  returned: number
  changed: number
  removed: number
  unchanged: number
  /** Left as they are: what they were then is no longer kept. */
  notKept: number
  /** The first of them. */
  entries: { path: string; action: 'return' | 'change' | 'remove' }[]
  /** `restoreAt` this time takes it back; absent where nothing was done. */
  undo?: string
}

/** Something that could go when there is no room: a file that shows, an old version, or what lies in the trash. */
export interface Candidate {
  path: string
  what: 'file' | 'version' | 'trash'
  size: number
  written: string
  version: RecordHash
}

export interface Files {
  put(path: string, source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutResult>
  get(path: string, options?: GetOptions): Promise<Download>
  info(
    path: string,
    options?: CallOptions & { chunks?: boolean | undefined; sha256?: boolean | undefined },
  ): Promise<FileInfo>
  /** `''` lists the folders of the pool. */
  list(path: string, options?: ListOptions): Promise<Page<ListedEntry>>
  /** Files in all folders by words and facts, best first. */
  find(query: FindQuery): Promise<Page<ListedEntry>>
  /** What could go, the largest and then the oldest first; of one folder only what counts for its quota. */
  large(options?: {
    folder?: string | undefined
    limit?: number | undefined
  }): Promise<{ entries: Candidate[] }>
  /** Files and bytes of each category, of one folder or all. */
  categories(folder?: string): Promise<{ entries: CategoryTotal[] }>
  /** Tags, description, type and category, as a new version with the same content. */
  describe(path: string, description: Description): Promise<FileInfo>
  has(path: string): boolean
  /** The line that `list` shows for one file or folder; undefined when nothing is there. */
  look(path: string): ListedEntry | undefined
  /** Changes facts of a file or folder, never its content. */
  change(path: string, changes: Changes): Promise<void>
  /** A picture of an image, at most `edge` pixels wide and high; `NO_THUMBNAIL`. */
  thumbnail(path: string, edge: number, options?: CallOptions): Promise<Thumbnail>
  /** Everything in a folder of the pool as keys by their bytes, as S3 lists it. */
  scan(folder: string, options?: ScanOptions): Promise<Scan>
  /** An empty folder inside a folder. */
  makeFolder(path: string): Promise<void>
  /** Moves a file or everything below a folder; never payload bytes inside one folder. */
  move(from: string, to: string, options?: TargetOptions): Promise<{ moved: number }>
  /** A file, or everything below a folder, once more: inside one folder no content is read or stored again. */
  copy(from: string, to: string, options?: CopyOptions): Promise<{ copied: number }>
  /** To the trash, recoverable for the folder's retention. */
  remove(
    path: string,
    options?: CallOptions & { recursive?: boolean | undefined },
  ): Promise<{ removed: number }>
  trash(folder: string, options?: ListOptions): Promise<Page<VersionInfo>>
  /** What lies in the trash at or below a path is given up now. */
  emptyTrash(path: string): Promise<{ removed: number }>
  versions(path: string): Promise<VersionInfo[]>
  /** Earlier and conflicting versions are given up now; `BAD_INPUT` for the current one. */
  discardVersions(path: string, versions: readonly RecordHash[]): Promise<{ removed: number }>
  /** Uploads that go on where they stopped. */
  readonly uploads: Uploads
  /** Uploads in numbered parts. */
  readonly multipart: Multipart
  /** Writes an earlier version (or the last one of a removed file, or of all below a removed folder) as the newest. */
  restore(
    path: string,
    options?: CallOptions & {
      version?: RecordHash | undefined
      /** Of all at and below the path only what was removed since then, wall milliseconds. */
      since?: number | undefined
    },
  ): Promise<PutResult>
  /** A file, or everything in a folder, as it was at a time (wall ms); what came later goes to the trash. */
  restoreAt(
    path: string,
    at: number,
    options?: CallOptions<{ done: number; total: number }> & { dryRun?: boolean | undefined },
  ): Promise<TreeRestored>
}
