/** Version records as rows of the index: opened, judged, and judged anew when who counts has changed. */
import { asPeerStorError, fail } from '../base/errors.ts'
import { idOf, type RecordHash } from '../base/words.ts'
import { recordKinds, type RecordHead, type SignedRecord } from '../codec/record.ts'
import {
  decodeResealBody,
  decodeVersionBody,
  encodeContent,
  sealedUnder,
  sizeOf,
  type VersionBody,
  type VersionContent,
} from '../codec/version-body.ts'
import type { IndexWrite } from '../store/store.ts'
import type { VersionRow, VersionStatus } from '../store/view.ts'
import type { Authority, Placed } from './authority.ts'
import type { FolderBook } from './folder-book.ts'
import type { FolderKeyRing } from './folder-keys.ts'
import type { HybridClock } from './hybrid-clock.ts'

/** What the room above knows of names and types; every name from a peer passes it. */
export interface Naming {
  /** The path in its one form; fails on one that may not be. */
  checkPath(path: string): string
  /** Category of a MIME type, unless a tag says another. */
  categoryOf(type: string, tags: readonly string[]): string
}

export interface VersionParts {
  authority: Authority
  book: FolderBook
  ring: FolderKeyRing
  time: HybridClock
  naming: Naming
}

/** A record with its head, as the index or a batch gives it. */
export interface PlacedRecord {
  hash: RecordHash
  head: RecordHead
  position: number
}

export function isVersion(head: RecordHead): boolean {
  return head.kind === recordKinds.version && head.folder !== undefined && head.entry !== undefined
}

/** The content of a version of this folder, sealed anew. */
export function isReseal(head: RecordHead): boolean {
  return head.kind === recordKinds.reseal && head.folder !== undefined
}

/** Records of files, of which there are many: they are in the index alone. */
export function isOfFiles(head: RecordHead): boolean {
  return isVersion(head) || isReseal(head)
}

export function placeOf({ hash, head, position }: PlacedRecord): Placed {
  return { hash, author: head.device, position }
}

/** Whether a version shows: its writer counts and writes in this folder, or a writer adopted it. */
export function statusOf(parts: VersionParts, record: PlacedRecord): VersionStatus {
  const folder = record.head.folder!
  const user = parts.authority.memberActing(placeOf(record))
  const counts = user !== undefined && parts.book.isMember(folder, user)
  if (!counts && !parts.book.isAdopted(record.hash, folder)) return 'held'
  return parts.time.isFuture(record.head.time) ? 'future' : 'counted'
}

/** Only devices of the folder's owner say what other people's versions hold. */
function resealCounts({ authority, book }: VersionParts, record: PlacedRecord): boolean {
  const user = authority.memberActing(placeOf(record))
  return user !== undefined && user === book.ownerOf(record.head.folder!)
}

/** Index rows of a record of a file: none without its keys; `invalid` when its body is wrong. */
export function openOfFiles(parts: VersionParts, record: SignedRecord, position: number): IndexWrite[] {
  return isReseal(record.head) ? openReseal(parts, record, position) : openVersion(parts, record, position)
}

function openReseal(parts: VersionParts, record: SignedRecord, position: number): IndexWrite[] {
  try {
    const plaintext = parts.ring.open(record)
    if (plaintext === undefined) return []
    const { version, hash, content } = decodeResealBody(plaintext)
    const counts = resealCounts(parts, { hash: record.hash, head: record.head, position })
    const row = { reseal: record.hash, version, counts, hash: idOf(hash), size: sizeOf(content) }
    return [
      { op: 'reseal', row: { ...row, content: encodeContent(content) } },
      ...contentOf(version, content),
    ]
  } catch (thrown) {
    return [{ op: 'invalid', version: record.hash, reason: asPeerStorError(thrown).message }]
  }
}

/** Index rows of a version record: none without its keys; `invalid` when its body is wrong. */
function openVersion(parts: VersionParts, record: SignedRecord, position: number): IndexWrite[] {
  try {
    const plaintext = parts.ring.open(record)
    if (plaintext === undefined) return []
    const body = decodeVersionBody(plaintext)
    if (parts.naming.checkPath(body.path) !== body.path)
      throw fail('BAD_PATH', { path: body.path, reason: 'it is not in its normal form' })
    const placed = { hash: record.hash, head: record.head, position }
    const row: IndexWrite = { op: 'version', row: rowOf(parts, placed, body) }
    return [row, ...contentOf(record.hash, body.content), ...discardWrites(parts, [placed])]
  } catch (thrown) {
    return [{ op: 'invalid', version: record.hash, reason: asPeerStorError(thrown).message }]
  }
}

/** The row of a version whose body is known. */
export function rowOf(parts: VersionParts, record: PlacedRecord, body: VersionBody): VersionRow {
  const { head, hash } = record
  const { tags, sealed } = sealedUnder(body.tags)
  return {
    version: hash,
    folder: head.folder!,
    epoch: head.epoch!,
    entry: head.entry!,
    device: head.device,
    time: head.time,
    parents: head.parents ?? [],
    status: statusOf(parts, record),
    kind: body.kind,
    path: body.path,
    mode: body.mode,
    modified: body.modified,
    created: body.created,
    size: body.size,
    hash: idOf(body.hash),
    type: body.type,
    category: parts.naming.categoryOf(body.type, tags),
    tags,
    description: body.description,
    content: encodeContent(body.content),
    target: body.target,
    sealed,
  }
}

/** The chunk list where the body holds all of it; a manifest's nodes are read by the room above. */
function contentOf(version: RecordHash, content: VersionContent): IndexWrite[] {
  if (content.form !== 'inline') return []
  return [
    { op: 'content', version, ids: content.chunks.map(({ id }) => id), content: encodeContent(content) },
  ]
}

/** Rows that bring versions to the status they have now. */
export function statusWrites(parts: VersionParts, records: readonly PlacedRecord[]): IndexWrite[] {
  const byStatus = Map.groupBy(
    records.filter(({ head }) => isVersion(head)),
    (record) => statusOf(parts, record),
  )
  const statuses = [...byStatus].map(([status, group]): IndexWrite => ({
    op: 'status',
    status,
    versions: group.map(({ hash }) => hash),
  }))
  return [...statuses, ...resealWrites(parts, records), ...discardWrites(parts, records)]
}

function resealWrites(parts: VersionParts, records: readonly PlacedRecord[]): IndexWrite[] {
  return records
    .filter(({ head }) => isReseal(head))
    .map((record) => ({ op: 'reseal-counts', reseal: record.hash, counts: resealCounts(parts, record) }))
}

/** Which of these versions a writer gave up, as far as records speak of them. */
function discardWrites({ book }: VersionParts, records: readonly PlacedRecord[]): IndexWrite[] {
  return records.flatMap(({ hash, head }): IndexWrite[] => {
    const gone = isVersion(head) ? book.isDiscarded(hash, head.folder!) : undefined
    return gone === undefined ? [] : [{ op: 'gone', cause: 'discarded', versions: [hash], gone }]
  })
}
