/**
 * Uploads in parts, for one caller. A part is a list of chunks under the pins of its upload; the list
 * lies in sealed blocks, so that ten thousand parts cost little memory. Completion writes one manifest
 * over the lists, one after the other.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { CallOptions } from '../base/words.ts'
import { isOneSecret } from '../codec/folder-keys.ts'
import { ContentHash } from './content-hash.ts'
import { ContentWriter, type StoredChunk } from './content-writer.ts'
import type { FilesParts } from './files-parts.ts'
import type { PutOptions, PutResult } from './files.ts'
import type { Multipart, OpenMultipart, Part, WantedPart } from './multipart.ts'
import { chunksOfParts, contentOf, discard, end, keysFor, newRow } from './open-uploads.ts'
import { openPlace, type Place } from './place.ts'
import { pinOfUpload, type PartRow, type UploadRow } from './upload-book.ts'
import { keepStored, requireRoom, requireUploadable, upload } from './upload.ts'
import { chunksOfUpload, type Received, UploadWriter } from './upload-writer.ts'

export function openMultipart(parts: FilesParts): Multipart {
  return {
    begin: (upload) => begin(parts, upload),
    put: (path, id, number, source, options) => put(parts, { path, id }, number, source, options),
    parts: (path, id) => list(parts, { path, id }),
    complete: (path, id, wanted, options) => complete(parts, { path, id }, wanted, options),
    abort: (path, id) => abort(parts, { path, id }),
    open: (folder) => openIn(parts, folder),
  }
}

interface Named {
  path: string
  id: string
}

async function begin(parts: FilesParts, upload: Parameters<Multipart['begin']>[0]): Promise<string> {
  const place = openPlace(parts, 'write', upload.path)
  await requireUploadable(parts, place, upload)
  return parts.uploads.begin(newRow(place, { ...upload, started: parts.clock.now() }))
}

/** The row of an upload in parts at that very path. */
function rowAt(parts: FilesParts, { path, id }: Named): { row: UploadRow; place: Place } {
  const place = openPlace(parts, 'write', path)
  const row = parts.uploads.open(id)
  const isIt = row.upload.started !== undefined && row.folder === place.id && row.upload.path === place.text
  if (!isIt) throw fail('UPLOAD_UNKNOWN', { id })
  return { row, place }
}

/** The same, while it is under way. */
function openRow(parts: FilesParts, named: Named): { row: UploadRow; place: Place } {
  const found = rowAt(parts, named)
  if (found.row.result !== undefined) throw fail('UPLOAD_UNKNOWN', { id: named.id })
  return found
}

async function put(
  parts: FilesParts,
  named: Named,
  number: number,
  source: AsyncIterable<Uint8Array>,
  { size, signal }: CallOptions & { size?: number | undefined } = {},
): Promise<Part> {
  if (!Number.isSafeInteger(number) || number < 1 || number > limits.multipartParts)
    throw fail('BAD_INPUT', { what: 'the part number', reason: `it must be 1 to ${limits.multipartParts}` })
  const { place } = openRow(parts, named)
  parts.quotas.require(place.id, place.text, size ?? 0)
  await requireRoom(parts, place, size)
  const writing = parts.uploads.enter(named.id)
  try {
    const signals = [writing.signal, ...(signal === undefined ? [] : [signal])]
    const part = await store(parts, named, place, number, until(source, AbortSignal.any(signals)))
    await parts.uploads.touch(named.id)
    return part
  } finally {
    writing.leave()
  }
}

async function store(
  parts: FilesParts,
  { path, id }: Named,
  place: Place,
  number: number,
  source: AsyncIterable<Uint8Array>,
): Promise<Part> {
  const keys = await parts.catalogue.writeKeys(place.id)
  const row = { ...newRow(place, { path }), expires: 0 }
  const writer = new UploadWriter(parts, keys, pinOfUpload(id), row, parts.random)
  const received: Received = { bytes: 0 }
  try {
    await writer.take(source, received, () => true, undefined)
    if (received.failure !== undefined) throw received.failure
    const hash = hashOf(writer.listed)
    const { blocks, offset, sentBytes, savedBytes } = await writer.seal(0)
    const part = { number, size: offset, hash, written: parts.clock.now() }
    // Gone meanwhile: then nobody would find its chunks again.
    parts.uploads.open(id)
    await parts.uploads.putPart(id, { ...part, blocks, epoch: keys.epoch, sentBytes, savedBytes })
    return part
  } catch (thrown) {
    // Another part may count on the same chunks by now: a walk at the end of the upload finds what is left.
    await parts.uploads.soil(id)
    throw thrown
  }
}

function hashOf(chunks: readonly StoredChunk[]): string {
  const hash = new ContentHash()
  for (const { ref, p } of chunks) hash.add(p, ref.length)
  return hash.digest().toString('hex')
}

async function* until(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    signal.throwIfAborted()
    yield piece
  }
  signal.throwIfAborted()
}

function list(parts: FilesParts, named: Named): Part[] {
  openRow(parts, named)
  return latest(parts, named.id).map(({ number, size, hash, written }) => ({ number, size, hash, written }))
}

/** The part that counts for each number, in order. */
function latest(parts: FilesParts, id: string): PartRow[] {
  const byNumber = new Map<number, PartRow>()
  for (const row of parts.uploads.partsOf(id)) {
    const known = byNumber.get(row.number)
    if (known === undefined || known.order < row.order) byNumber.set(row.number, row)
  }
  return [...byNumber.values()].sort((a, b) => a.number - b.number)
}

async function complete(
  parts: FilesParts,
  named: Named,
  wanted: readonly WantedPart[],
  options: Parameters<Multipart['complete']>[3] = {},
): Promise<PutResult> {
  const { result } = rowAt(parts, named).row
  // Asked again, because the first answer was lost: it is told once more.
  if (result !== undefined) return result
  const lease = parts.uploads.lease(named.id)
  try {
    await parts.uploads.stopWriters(named.id)
    const { row, place } = openRow(parts, named)
    const chosen = choose(named.id, latest(parts, named.id), wanted)
    parts.uploads.settle(named.id)
    const kept = await keep(parts, place, row, chosen, options)
    await letGo(parts, named.id, row, { result: kept })
    return kept
  } finally {
    lease.release()
  }
}

function choose(id: string, present: readonly PartRow[], wanted: readonly WantedPart[]): PartRow[] {
  const byNumber = new Map(present.map((part) => [part.number, part]))
  const isInOrder = wanted.every(
    ({ number }, index) => index === 0 || number > (wanted[index - 1]?.number ?? 0),
  )
  if (!isInOrder) throw fail('PART_ORDER', { id })
  if (wanted.length === 0) throw fail('BAD_INPUT', { what: 'the list of parts', reason: 'it is empty' })
  return wanted.map(({ number, accepts }) => {
    const part = byNumber.get(number)
    if (part === undefined || accepts?.(part) === false) throw fail('PART_UNKNOWN', { id, number })
    return part
  })
}

async function keep(
  parts: FilesParts,
  place: Place,
  { upload: facts }: UploadRow,
  chosen: readonly PartRow[],
  { signal, replaces }: NonNullable<Parameters<Multipart['complete']>[3]>,
): Promise<PutResult> {
  const keys = await Promise.all(chosen.map(({ epoch }) => keysFor(parts, { folder: place.id, epoch })))
  const [first] = keys
  if (first === undefined || !keys.every((other) => isOneSecret(first, other)))
    return storeAgain(parts, place, chosen, { ...facts, replaces, signal })
  const writer = new ContentWriter(parts, first)
  for (const { blocks } of chosen) {
    signal?.throwIfAborted()
    for await (const stored of chunksOfUpload(parts, { blocks, listed: '' })) await writer.adopt(stored)
  }
  const kept = await keepStored(parts, place, await writer.end(), { ...facts, replaces, signal })
  const sum = (of: (part: PartRow) => number): number => chosen.reduce((total, part) => total + of(part), 0)
  return { ...kept, sentBytes: sum((part) => part.sentBytes), savedBytes: sum((part) => part.savedBytes) }
}

/** Parts from before and after the folder got another secret have nothing in common but their bytes. */
function storeAgain(
  parts: FilesParts,
  place: Place,
  chosen: readonly PartRow[],
  options: PutOptions,
): Promise<PutResult> {
  const lists = chosen.map(({ blocks }) => ({ blocks, listed: '' }))
  return upload(parts, place.text, contentOf(parts, lists), { ...options, size: undefined })
}

async function abort(parts: FilesParts, named: Named): Promise<void> {
  openRow(parts, named)
  const lease = parts.uploads.lease(named.id)
  try {
    await parts.uploads.stopWriters(named.id)
    await discard(parts, named.id, openRow(parts, named).row)
  } finally {
    lease.release()
  }
}

/** Completed: the pins of the upload fall, and what only it kept; what it became is remembered for a while. */
async function letGo(
  parts: FilesParts,
  id: string,
  row: UploadRow,
  how: { result: PutResult },
): Promise<void> {
  const ended = await end(parts, id, row, how, await chunksOfParts(parts, id))
  if (ended.unclean !== true) await parts.uploads.forgetParts(id)
}

function openIn(parts: FilesParts, folder: string): OpenMultipart[] {
  const place = openPlace(parts, 'write', folder)
  return parts.uploads
    .rows()
    .filter(({ row }) => row.folder === place.id && row.removed !== true && row.result === undefined)
    .flatMap(({ id, row: { upload } }) =>
      upload.started === undefined ? [] : [{ id, path: upload.path, started: upload.started }],
    )
    .sort((a, b) => (a.path === b.path ? a.started - b.started : a.path < b.path ? -1 : 1))
}
