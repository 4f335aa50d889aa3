/**
 * The way of a file into the pool, downhill. Nothing is visible before `catalogue.write` ends; a
 * source that fails midway leaves nothing.
 */
import { isDeepStrictEqual } from 'node:util'
import type { NewVersion } from '../access/catalogue.ts'
import { contributionFull, fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { RecordHash } from '../base/words.ts'
import type { FolderKeys } from '../codec/codec.ts'
import { hash } from '../codec/hash.ts'
import type { VersionBody } from '../codec/version-body.ts'
import type { EntryRow } from '../store/view.ts'
import { checkpointBytes, ContentWriter, type Passing, type StoredContent } from './content-writer.ts'
import { copiesOf } from './copies.ts'
import { withExpiry } from './expiry.ts'
import type { FilesParts } from './files-parts.ts'
import type { PutOptions, PutProgress, PutResult } from './files.ts'
import type { Claim } from './folder-quotas.ts'
import { inOrder } from './in-order.ts'
import { typeOf } from './mime.ts'
import { baseName } from './paths.ts'
import { headsOf, openPlace, requireFilePlace, shadowedAt, type Place } from './place.ts'
import { lastingIn, propertiesIn, withProperties } from './property-tags.ts'
import { bodyOf, tombstone } from './version-bodies.ts'

/** Chunks of one upload that are sealed and written at the same time. */
const chunksInFlight = 16

export async function upload(
  parts: FilesParts,
  path: string,
  source: AsyncIterable<Uint8Array>,
  options: PutOptions = {},
): Promise<PutResult> {
  const place = openPlace(parts, 'write', path)
  const before = whatIsThere(parts, place, options)
  if (before === undefined) requireFilePlace(parts, place)
  options.onFound?.(before !== undefined)
  const claim = parts.quotas.claim(place.id, place.text, before?.shown)
  try {
    claim.grow(options.size ?? 0)
    return await uploadWithin(parts, place, before, claim, source, options)
  } finally {
    claim.end()
  }
}

async function uploadWithin(
  parts: FilesParts,
  place: Place,
  before: Before | undefined,
  claim: Claim,
  source: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<PutResult> {
  const passing = await wayOf(parts, place, options)
  const onProgress = (event: PutProgress): void => {
    claim.grow(event.bytes)
    options.onProgress?.(event)
  }
  const keys = await parts.catalogue.writeKeys(place.id)
  const writer = new ContentWriter(parts, keys, passing)
  return writer.keeping(async () => {
    const content = await storeContent(parts, keys, writer, source, {
      ...options,
      onProgress,
      atOnce: passing === undefined ? chunksInFlight : 1,
    })
    // From here to the write, which asks anew, nothing waits.
    claim.end()
    return keepContent(parts, place, before, content, options)
  })
}

/** Content that is stored becomes what shows at `place`; `before` is what showed when it began. */
async function keepContent(
  parts: FilesParts,
  place: Place,
  before: Before | undefined,
  content: StoredContent,
  options: PutOptions,
): Promise<PutResult> {
  requireSize(place, content.size, options.size)
  if (options.replaces !== undefined) whatIsThere(parts, place, options)
  const version =
    unchanged(parts, place, before, content, options) ??
    (await writeVersion(parts, place, before, content, options))
  return {
    path: place.text,
    size: content.size,
    hash: content.hash.toString('hex'),
    version,
    copies: await copiesWhenDurable(parts, place, version, content, options),
    sentBytes: content.sentBytes,
    savedBytes: content.savedBytes,
  }
}

/** `keepContent` for content that was stored part by part (append.ts). */
export async function keepStored(
  parts: FilesParts,
  place: Place,
  content: StoredContent,
  options: PutOptions,
): Promise<PutResult> {
  const before = whatIsThere(parts, place, options)
  if (before === undefined) requireFilePlace(parts, place)
  return keepContent(parts, place, before, content, options)
}

/** Fails where `upload` would before its first byte: nothing may lie here, or it does not fit. */
export async function requireUploadable(
  parts: FilesParts,
  place: Place,
  options: Pick<PutOptions, 'replaces' | 'size'>,
): Promise<void> {
  const before = whatIsThere(parts, place, options)
  if (before === undefined) requireFilePlace(parts, place)
  parts.quotas.require(place.id, place.text, (options.size ?? 0) - (before?.shown.size ?? 0))
  await requireRoom(parts, place, options.size)
}

async function writeVersion(
  parts: FilesParts,
  place: Place,
  before: Before | undefined,
  content: StoredContent,
  options: PutOptions,
): Promise<RecordHash> {
  const [written] = await parts.write([
    newVersion(parts, place, before?.shown, content, options),
    ...(before?.shadowed ?? []).map(tombstone),
  ])
  content.written()
  parts.pool.replicate(place.id, content.notReplicated)
  return written?.version as RecordHash
}

/**
 * The version that already says what a new one would say, of content that is all here: nothing is
 * written then, so that `put -r` of a tree that did not change costs reading it.
 */
function unchanged(
  parts: FilesParts,
  place: Place,
  before: Before | undefined,
  content: StoredContent,
  options: PutOptions,
): RecordHash | undefined {
  if (before === undefined || before.shadowed.length > 0 || content.sentBytes > 0) return undefined
  const { shown } = before
  if (shown.status !== 'counted' || shown.conflicts.length > 0) return undefined
  const body = bodyFor(parts, place, shown, content, options)
  const isSame = isDeepStrictEqual({ ...body, content: undefined }, { ...bodyOf(shown), content: undefined })
  return isSame ? shown.version : undefined
}

/** Cut, look for what is known, seal, store: several chunks at once, kept in order. */
export async function storeContent(
  parts: FilesParts,
  keys: FolderKeys,
  writer: ContentWriter,
  source: AsyncIterable<Uint8Array>,
  {
    size,
    link,
    signal,
    onProgress,
    atOnce = chunksInFlight,
  }: Pick<PutOptions, 'size' | 'link' | 'signal' | 'onProgress'> & { atOnce?: number },
): Promise<StoredContent> {
  if (link !== undefined) return { ...(await writer.end()), hash: hash(Buffer.from(link)) }
  const chunks = writer.cut(source, { size, signal })
  let bytes = 0
  let count = 0
  for await (const stored of inOrder(chunks, atOnce, (chunk) => writer.store(chunk))) {
    await writer.add(stored)
    onProgress?.({ bytes: (bytes += stored.ref.length), total: size, chunks: ++count })
  }
  signal?.throwIfAborted()
  return writer.end()
}

interface Before {
  shown: EntryRow
  /** Hidden by it: they go to the trash, so that what was put is what is there. */
  shadowed: EntryRow[]
}

/** The entry that this upload replaces, or `PRECONDITION_FAILED` when it is not the expected one. */
function whatIsThere(parts: FilesParts, place: Place, { replaces }: PutOptions): Before | undefined {
  const shown = parts.store.read.entryAt(place.id, place.path)
  if (shown?.kind === 'folder') throw fail('IS_FOLDER', { path: place.text })
  const expected = replaces === undefined || (shown?.version ?? 'none') === replaces
  if (!expected) throw fail('PRECONDITION_FAILED', { path: place.text })
  return shown && { shown, shadowed: shadowedAt(parts, place) }
}

/**
 * Before the first byte where the size is known: what can not be kept is not begun. A file of one
 * chunk is refused whole by the store itself.
 */
export async function requireRoom(parts: FilesParts, place: Place, size: number | undefined): Promise<void> {
  if (size === undefined || size <= limits.chunkMin) return
  const { contributed, limit, disk, storage } = await parts.room()
  if (size > contributed) throw contributionFull(limit, place.text, size)
  if (size > disk) throw fail('DISK_FULL', { path: storage })
}

/** What is larger than the space here goes on to other devices, piece by piece, where there are any. */
async function wayOf(
  parts: FilesParts,
  place: Place,
  { size, signal }: PutOptions,
): Promise<Passing | undefined> {
  if (size !== undefined && size <= limits.chunkMin) return undefined
  const { pool, catalogue, presence } = parts
  const takers = pool
    .countedPeers()
    .filter((peer) => peer !== catalogue.peer && presence(peer).online && presence(peer).hasRoom)
  const { contributed, limit } = takers.length === 0 ? {} : await parts.room()
  const small = contributed !== undefined && (size ?? 2 * checkpointBytes) > contributed
  if (!small || contributed < smallestWindow) return requireRoom(parts, place, size).then(() => undefined)
  return {
    windowBytes: Math.min(checkpointBytes, contributed / 2),
    copies: 1 + Math.min(2, takers.length),
    refused: () => contributionFull(limit ?? 0, place.text, size ?? contributed),
    signal,
  }
}

/** Less space is of no use for passing on. */
const smallestWindow = 4 * limits.chunkMax

function requireSize(place: Place, found: number, expected: number | undefined): void {
  if (expected !== undefined && found !== expected) throw fail('SOURCE_CHANGED', { path: place.text })
}

function newVersion(
  parts: FilesParts,
  place: Place,
  before: EntryRow | undefined,
  content: StoredContent,
  options: PutOptions,
): NewVersion {
  return {
    folder: place.id,
    entry: before?.entry,
    parents: before === undefined ? [] : headsOf(before),
    body: bodyFor(parts, place, before, content, options),
    chunks: content.chunks,
    ...(content.size > 0 ? { sealed: content.sealed } : {}),
    index: content.index,
    pins: content.pins,
    held: content.held,
  }
}

/** What a new version does not say it takes over from the one it replaces. */
function bodyFor(
  parts: FilesParts,
  place: Place,
  before: EntryRow | undefined,
  content: StoredContent,
  options: PutOptions,
): VersionBody {
  const now = parts.clock.now()
  const modified = options.modified ?? now
  return {
    kind: options.link === undefined ? 'file' : 'link',
    path: place.path,
    mode: options.mode ?? before?.mode ?? 0o644,
    modified,
    created: before?.created ?? options.created ?? Math.min(modified, now),
    size: content.size,
    hash: content.hash,
    content: content.content,
    type: options.type ?? typeOf(baseName(place.path)),
    tags: tagsFor(before, options),
    description: options.description ?? before?.description ?? '',
    ...(options.link === undefined ? {} : { target: options.link }),
  }
}

function tagsFor(before: EntryRow | undefined, { tags, properties, expires }: PutOptions): readonly string[] {
  const kept = withExpiry(before?.tags ?? noTags, expires)
  if (tags !== undefined && properties === undefined) return tags
  if (properties === undefined && propertiesIn(kept) === undefined) return kept
  return withProperties(tags ?? kept, { ...lastingIn(kept), ...properties })
}

const noTags: readonly string[] = []

async function copiesWhenDurable(
  parts: FilesParts,
  place: Place,
  version: RecordHash,
  content: StoredContent,
  { durability = 0, durabilityTimeoutMs, signal }: PutOptions,
): Promise<number> {
  if (durability > 1 && content.chunks.length > 0)
    return parts.pool.durable(content.chunks, durability, durabilityTimeoutMs ?? limits.durabilityTimeoutMs, {
      signal,
    })
  // What was just committed lies here; where nobody else keeps chunks there is nothing to look up.
  if (content.size > 0 && parts.pool.countedPeers().join() === parts.catalogue.peer) return 1
  return copiesOf(parts, place.id, [{ version, size: content.size }]).get(version)?.have ?? 0
}
