/**
 * The view of the catalogue that people see: versions whose bodies this peer could open, and for each
 * entry the version that shows. The index computes it inside its own transaction (no races): heads of
 * the entry's DAG among counted versions, the latest shows, other heads are conflict versions; of
 * several entries with one path the latest shows, the others are conflicts.
 */
import type { DeviceId, EntryId, EpochId, FolderId, RecordHash } from '../base/words.ts'
import type { Hlc } from '../codec/record.ts'

/**
 * `counted`: valid. `held`: its device was cut before it. `future`: over 5 minutes ahead of our
 * clock, loses every comparison until its time. `adopted` versions are `counted`.
 */
export type VersionStatus = 'counted' | 'held' | 'future'

/** `removed` is a tombstone: the entry lies in the trash. `link` is a symbolic link kept as a link. */
export type EntryKind = 'file' | 'folder' | 'link' | 'removed'

/** One version of an entry, opened. */
export interface VersionRow {
  version: RecordHash
  folder: FolderId
  epoch: EpochId
  entry: EntryId
  device: DeviceId
  time: Hlc
  parents: readonly RecordHash[]
  status: VersionStatus
  kind: EntryKind
  /** Whole path inside the folder, NFC, `/` between parts. */
  path: string
  /** POSIX permission bits. */
  mode: number
  /** Wall milliseconds: of the file's content, and of the entry's first version. */
  modified: number
  created: number
  /** Plaintext bytes. */
  size: number
  /** Shown hash: hex BLAKE3 over the chunks' `p` and the size; of a link: its target's. */
  hash: string
  /** MIME type and its category (image, video, audio, document, code, archive, other). */
  type: string
  category: string
  tags: readonly string[]
  description: string
  /** Symbolic links: the target text, never followed. */
  target: string | undefined
  /** The version's content references, encoded (codec/version-body.ts): inline list or manifest root. */
  content: Uint8Array
  /** The epoch whose keys sealed the content, when it is not `epoch`. */
  sealed?: EpochId | undefined
  /** What the version itself says, when its content was sealed anew since. Set by the index alone. */
  written?: Pick<VersionRow, 'hash' | 'content' | 'sealed'>
  /** Replaced, and past its retention or given up: no longer listed nor read. Set by the index alone. */
  gone?: boolean
}

/** A tag of this form asks for the most copies of a file that its folder allows, made before those of others. */
export const priorityTag = 'priority:high'

/** A tag that begins so says when a file goes by itself (files/expiry.ts). */
export const expiryTag = 'expires:'

/** What a line of a listing needs: reading no more than this takes a third of the time. */
export type ShownRow = Pick<
  EntryRow,
  | 'version'
  | 'entry'
  | 'kind'
  | 'path'
  | 'mode'
  | 'modified'
  | 'created'
  | 'size'
  | 'hash'
  | 'type'
  | 'tags'
  | 'conflicts'
  | 'target'
> & { time: Pick<Hlc, 'ms'> }

/** A line of a listing, read in one go: asking for copies and hidden entries afterwards doubled its time. */
export interface ListedRow extends ShownRow {
  /** The lowest number of holders over its chunks; none while its list of chunks is unknown. */
  copies: number
  /** Whether another entry with the same path is hidden by this one. */
  hides: boolean
}

/** What an entry shows now. */
export interface EntryRow extends VersionRow {
  /** Versions of the entry, counted ones. */
  versions: number
  /** Other heads of the same entry. */
  conflicts: readonly RecordHash[]
  /** Whether a later entry shows at the same path; this one is then listed as a conflict. */
  shadowed: boolean
}
