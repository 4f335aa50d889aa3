/**
 * The way of a file back out, downhill: its references, then each chunk located, fetched, verified,
 * opened, in order, several in flight. A byte range begins at another reference and touches no other.
 */
import { fail } from '../base/errors.ts'
import type { ChunkId, PeerId } from '../base/words.ts'
import type { FolderKeys, VerifiedBytes } from '../codec/codec.ts'
import { walkManifest, type PlacedRef } from '../codec/manifest.ts'
import { decodeContent } from '../codec/version-body.ts'
import type { VersionRow } from '../store/view.ts'
import { ContentHash } from './content-hash.ts'
import type { FilesParts } from './files-parts.ts'
import type { Download, GetOptions } from './files.ts'
import { inOrder } from './in-order.ts'
import { isFolder, openPlace, versionAt, type Place } from './place.ts'
import { propertiesOf } from './properties.ts'

/** Chunks of one download that are opened at the same time. */
const chunksInFlight = 2

export async function download(parts: FilesParts, path: string, options: GetOptions = {}): Promise<Download> {
  const place = openPlace(parts, 'read', path)
  const row = fileAt(parts, place, options)
  const { first, last } = await partOf(parts, row, place, options)
  const sources = new Set<PeerId>()
  return {
    path: place.text,
    kind: row.kind === 'link' ? 'link' : 'file',
    version: row.version,
    size: row.size,
    first,
    last,
    hash: row.hash,
    type: row.type,
    modified: row.modified,
    mode: row.mode,
    target: row.target,
    properties: propertiesOf(parts, row.folder, row.entry, row.tags),
    bytes: contentOf(parts, row, { ...options, first, last, onSource: (peer) => sources.add(peer) }),
    sources: () => [...sources],
  }
}

/** What `contentOf` reads: bytes from `first` to `last`, both included. */
export interface ReadOptions extends Pick<GetOptions, 'signal' | 'priority'> {
  first: number
  last: number
  onSource?: ((peer: PeerId) => void) | undefined
}

/** The bytes of a version; a full read also checks the shown hash. */
export async function* contentOf(
  parts: FilesParts,
  row: VersionRow,
  options: ReadOptions,
): AsyncGenerator<Uint8Array> {
  const { first, last } = options
  const kept = parts.smallFiles.get(row.version)
  if (kept !== undefined) {
    options.onSource?.(parts.catalogue.peer)
    yield kept.subarray(first, last + 1)
    return
  }
  const whole = first === 0 && last === row.size - 1
  const keys = whole ? keysFor(parts, row) : undefined
  const hash = new ContentHash()
  const located = locate(parts, row, options)
  const fetched = fetch(parts, located, options)
  const opened = inOrder(fetched, chunksInFlight, (chunk) => open(parts, chunk, keys))
  for await (const { offset, bytes, p } of opened) {
    if (p !== undefined) hash.add(p, bytes.length)
    if (whole && bytes.length === row.size) parts.smallFiles.keep(row.version, bytes)
    yield bytes.subarray(Math.max(0, first - offset), last + 1 - offset)
  }
  if (keys !== undefined && hash.digest().toString('hex') !== row.hash) alarm(parts, row)
}

/** References of the data chunks that the range touches; manifest nodes are fetched as they are met. */
function locate(parts: FilesParts, row: VersionRow, options: ReadOptions): AsyncGenerator<PlacedRef> {
  const content = decodeContent(row.content)
  const refs = content.form === 'inline' ? content.chunks : [content.root]
  return walkManifest(refs, options.first, options.last + 1, (ref) =>
    parts.manifestNodes.refsOf(ref, () => parts.pool.get(ref.id, options)),
  )
}

interface FetchedChunk extends PlacedRef {
  bytes: VerifiedBytes
}

/** Verified bytes of each reference, from this disk or from any holder, in order. */
async function* fetch(
  parts: FilesParts,
  located: AsyncIterable<PlacedRef>,
  options: ReadOptions,
): AsyncGenerator<FetchedChunk> {
  const waiting: PlacedRef[] = []
  const ids = async function* (): AsyncGenerator<ChunkId> {
    for await (const placed of located) {
      waiting.push(placed)
      yield placed.ref.id
    }
  }
  for await (const { bytes } of parts.pool.getAll(ids(), options))
    yield { ...(waiting.shift() as PlacedRef), bytes }
}

async function open(
  parts: FilesParts,
  { ref, offset, bytes }: FetchedChunk,
  keys: FolderKeys | undefined,
): Promise<{ offset: number; bytes: Uint8Array; p?: Uint8Array }> {
  return { offset, ...(await parts.codec.open(ref, bytes, keys)) }
}

function fileAt(parts: FilesParts, place: Place, { version }: GetOptions): VersionRow {
  const row = version === undefined ? shownAt(parts, place) : versionAt(parts, place, version)
  if (row.kind === 'folder') throw fail('IS_FOLDER', { path: place.text })
  if (row.kind === 'removed') throw fail('NOT_FOUND', { what: 'file', name: place.text })
  return row
}

/** What shows at a place; a folder that only paths imply is none. */
function shownAt(parts: FilesParts, place: Place): VersionRow {
  const shown = place.path === '' ? undefined : parts.store.read.entryAt(place.id, place.path)
  if (shown === undefined && isFolder(parts, place)) throw fail('IS_FOLDER', { path: place.text })
  return shown ?? versionAt(parts, place, undefined)
}

/** The bytes that are asked for: a range, or those of one chunk. */
async function partOf(
  parts: FilesParts,
  row: VersionRow,
  place: Place,
  options: GetOptions,
): Promise<{ first: number; last: number }> {
  if (options.chunk === undefined) return rangeIn(row, place, options.range)
  let number = 0
  // Lengths stand in the manifest: only its nodes are read on the way.
  for await (const { ref, offset } of locate(parts, row, { ...options, first: 0, last: row.size - 1 })) {
    if (number === options.chunk) return { first: offset, last: offset + ref.length - 1 }
    number += 1
  }
  throw fail('NOT_FOUND', { what: 'chunk', name: `${options.chunk} of ${place.text} (it has ${number})` })
}

/** First and last byte of a range, both inclusive; of an empty file 0 and -1. */
function rangeIn(
  { size }: VersionRow,
  place: Place,
  range: GetOptions['range'],
): { first: number; last: number } {
  if (range === undefined) return { first: 0, last: size - 1 }
  const first = range.first < 0 ? Math.max(0, size + range.first) : range.first
  const last = Math.min(size - 1, range.last ?? size - 1)
  const sound = Number.isSafeInteger(first) && Number.isSafeInteger(last)
  if (!sound || first > last) {
    const text = `${range.first}-${range.last ?? ''}`
    throw fail('BAD_RANGE', { range: text, size, path: place.text })
  }
  return { first, last }
}

/** Without the folder's keys the content still opens; only its hash can not be compared. */
function keysFor(parts: FilesParts, row: VersionRow): FolderKeys | undefined {
  try {
    return parts.catalogue.keysOf(row.folder, row.sealed ?? row.epoch)
  } catch {
    return undefined
  }
}

/** The content is what its chunks say; that its writer named another hash is for a person to know. */
function alarm(parts: FilesParts, row: VersionRow): void {
  parts.log.error('the hash of a file is not the one its writer named', {
    version: row.version,
    device: row.device,
  })
  parts.alarm('hash', row.device)
}
