/** Uploads that go on, for one caller: who may write at an upload's path may write the upload. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { CallOptions, ChunkId } from '../base/words.ts'
import type { FolderKeys } from '../codec/codec.ts'
import { isOneSecret } from '../codec/folder-keys.ts'
import { ContentWriter } from './content-writer.ts'
import type { FilesParts } from './files-parts.ts'
import type { PutResult } from './files.ts'
import { openPlace, type Place } from './place.ts'
import { pinOfUpload, type Lease, type UploadRow } from './upload-book.ts'
import { keepStored, requireRoom, requireUploadable, upload as uploadWhole } from './upload.ts'
import { chunksOfUpload, giveBack, UploadWriter, type Received } from './upload-writer.ts'
import type { AppendOptions, NewUpload, Uploads, UploadState } from './uploads.ts'

export function openUploads(parts: FilesParts): Uploads {
  return {
    begin: (upload) => begin(parts, upload),
    state: (id, options) => state(parts, id, options),
    append: (id, offset, source, options) => append(parts, id, offset, source, options),
    join: (ids, upload, options) => join(parts, ids, upload, options),
    remove: (id) => remove(parts, id),
    list: () => list(parts),
  }
}

async function begin(parts: FilesParts, upload: NewUpload): Promise<UploadState> {
  const place = openPlace(parts, 'write', upload.path)
  if (upload.part === true) {
    parts.quotas.require(place.id, place.text, upload.size ?? 0)
    await requireRoom(parts, place, upload.size)
  } else await requireUploadable(parts, place, upload)
  const row = newRow(place, upload)
  const id = await parts.uploads.begin(row)
  if (upload.size !== 0) return parts.uploads.stateOf(id, parts.uploads.open(id))
  return append(parts, id, 0, nothing())
}

/** Nothing of an upload is here yet. */
export const newRow = (place: Place, upload: NewUpload): Omit<UploadRow, 'expires'> => ({
  upload: { ...upload, path: place.text },
  folder: place.id,
  cutAs: upload.size,
  offset: 0,
  blocks: [],
  listed: '',
  tail: [],
  sentBytes: 0,
  savedBytes: 0,
})

async function state(
  parts: FilesParts,
  id: string,
  { durability = 0, signal }: CallOptions & { durability?: number | undefined } = {},
): Promise<UploadState> {
  await parts.uploads.settled(id)
  const found = parts.uploads.stateOf(id, openRow(parts, id))
  const { result } = found
  if (result === undefined || durability <= result.copies) return found
  const chunks = parts.store.read.contentOf(result.version) ?? []
  if (chunks.length === 0) return found
  const copies = await parts.pool.durable(chunks, durability, limits.durabilityTimeoutMs, { signal })
  return { ...found, result: { ...result, copies } }
}

/** The row of an upload that the caller may write. */
function openRow(parts: FilesParts, id: string): UploadRow {
  const row = parts.uploads.open(id)
  if (row.upload.started !== undefined) throw fail('UPLOAD_UNKNOWN', { id })
  parts.require('write', row.upload.path)
  return row
}

async function append(
  parts: FilesParts,
  id: string,
  offset: number,
  source: AsyncIterable<Uint8Array>,
  options: AppendOptions = {},
): Promise<UploadState> {
  openRow(parts, id)
  const lease = parts.uploads.lease(id)
  try {
    const row = await sized(parts, id, openRow(parts, id), options.size)
    if (row.of !== undefined)
      throw fail('FORBIDDEN', { role: 'nobody', action: 'write to an upload that was joined from others' })
    if (offset !== row.offset) throw fail('UPLOAD_OFFSET', { id, offset: row.offset, asked: offset })
    if (row.result !== undefined) return parts.uploads.stateOf(id, row)
    const written = await write(parts, id, row, source, lease, options)
    return parts.uploads.stateOf(id, written)
  } finally {
    lease.release()
  }
}

/** The row once its size is known; a size never changes. */
async function sized(
  parts: FilesParts,
  id: string,
  row: UploadRow,
  size: number | undefined,
): Promise<UploadRow> {
  const known = row.upload.size
  if (size === undefined || size === known) return row
  if (known !== undefined || size < row.offset)
    throw fail('BAD_INPUT', { what: 'the length of the upload', reason: 'it is not the one known before' })
  return parts.uploads.put(id, { ...row, upload: { ...row.upload, size } })
}

async function write(
  parts: FilesParts,
  id: string,
  row: UploadRow,
  source: AsyncIterable<Uint8Array>,
  lease: Lease,
  { verify, onProgress }: AppendOptions,
): Promise<UploadRow> {
  const { size } = row.upload
  const pin = pinOfUpload(id)
  const keys = await keysFor(parts, row)
  const writer = new UploadWriter(parts, keys, pin, { ...row, epoch: keys.epoch }, parts.random)
  const received: Received = { bytes: 0 }
  const watched = watch(source, lease, (bytes) => {
    if (size !== undefined && row.offset + bytes > size)
      throw fail('TOO_LARGE', { what: 'the upload', limit: size })
    onProgress?.({ bytes: row.offset + bytes, total: size, chunks: 0 })
  })
  const save = verify === undefined ? (saved: UploadRow) => parts.uploads.put(id, saved) : undefined
  try {
    await writer.take(watched, received, () => row.offset + received.bytes === size, save)
    if (verify !== undefined && received.failure === undefined) verify()
    if (verify !== undefined && received.failure !== undefined) throw received.failure
    const sealed = await writer.seal()
    const written =
      isWhole(sealed) && sealed.upload.part !== true
        ? await finish(parts, id, sealed)
        : await parts.uploads.put(id, sealed)
    await writer.saved()
    if (received.failure !== undefined) throw received.failure
    return written
  } catch (thrown) {
    if (thrown !== received.failure || verify !== undefined) await writer.abandon()
    throw thrown
  }
}

/** Keys of the secret that this content began under: `p` and cuts of another would not fit. */
export async function keysFor(
  { catalogue }: FilesParts,
  { folder, epoch }: Pick<UploadRow, 'folder' | 'epoch'>,
): Promise<FolderKeys> {
  const now = await catalogue.writeKeys(folder)
  const begun = epoch === undefined ? now : catalogue.keysOf(folder, epoch)
  return isOneSecret(begun, now) ? now : begun
}

const isWhole = ({ offset, upload }: UploadRow): boolean => offset === upload.size

/** Tells the lease when the source has nothing more, and counts what it gave. */
async function* watch(
  source: AsyncIterable<Uint8Array>,
  lease: Lease,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const piece of source) {
      onBytes((bytes += piece.length))
      yield piece
    }
  } finally {
    lease.ending()
  }
}

/** All bytes are here: they become the file, and the upload lets go of them. */
async function finish(parts: FilesParts, id: string, row: UploadRow): Promise<UploadRow> {
  const { upload, sentBytes, savedBytes } = row
  const place = openPlace(parts, 'write', upload.path)
  if (place.id !== row.folder) throw fail('NOT_FOUND', { what: 'folder', name: place.folder })
  const writer = new ContentWriter(parts, await keysFor(parts, row))
  const ids: ChunkId[] = []
  const kept = await writer.keeping(async () => {
    for await (const stored of chunksOfUpload(parts, row)) {
      await writer.adopt(stored)
      ids.push(stored.ref.id)
    }
    const content = await writer.end()
    parts.uploads.settle(id)
    return keepStored(parts, place, content, upload)
  })
  const result: PutResult = { ...kept, sentBytes, savedBytes }
  return end(parts, id, row, { result }, ids)
}

/** The upload has ended: its row says how, its own pins fall. */
export async function end(
  parts: FilesParts,
  id: string,
  row: UploadRow,
  how: Pick<UploadRow, 'result' | 'removed'>,
  ids: readonly ChunkId[],
): Promise<UploadRow> {
  const pieces = [...row.blocks, ...row.tail].map(([piece]) => piece)
  const ended = { ...row, ...how }
  const bare = { ...ended, blocks: [], listed: '', tail: [] }
  // Killed between the two, a later sweep (upload-keeper.ts) finds what is left.
  await parts.uploads.put(id, { ...bare, unclean: true })
  await giveBack(parts, pinOfUpload(id), [...ids, ...pieces])
  return parts.uploads.put(id, { ...bare, unclean: row.unclean })
}

async function join(
  parts: FilesParts,
  ids: readonly string[],
  upload: Omit<NewUpload, 'part' | 'size'>,
  options: CallOptions = {},
): Promise<UploadState> {
  const rows = ids.map((id) => openRow(parts, id))
  const place = openPlace(parts, 'write', upload.path)
  if (ids.length === 0 || ids.length > limits.uploadParts || new Set(ids).size < ids.length)
    throw fail('BAD_INPUT', {
      what: 'the list of parts',
      reason: `it names none, one twice or over ${limits.uploadParts}`,
    })
  const wrong = rows.findIndex((row) => row.upload.part !== true || !isWhole(row))
  if (wrong >= 0)
    throw fail('BAD_INPUT', { what: `part ${wrong + 1}`, reason: 'it is no part, or not whole yet' })
  const leases = ids.map((id) => parts.uploads.lease(id))
  try {
    const size = rows.reduce((sum, { offset }) => sum + offset, 0)
    for (const id of ids) parts.uploads.settle(id)
    const result = await uploadWhole(parts, upload.path, contentOf(parts, rows), {
      ...upload,
      size,
      signal: options.signal,
    })
    const row = { ...newRow(place, { ...upload, size }), offset: size, of: ids, result }
    const id = await parts.uploads.begin(row)
    for (const [index, part] of ids.entries()) await discard(parts, part, rows[index]!)
    return parts.uploads.stateOf(id, await parts.uploads.put(id, { ...row, expires: 0 }))
  } finally {
    for (const lease of leases) lease.release()
  }
}

/** The bytes of whole uploads, or of parts, one after the other. */
export async function* contentOf(
  parts: FilesParts,
  rows: readonly Parameters<typeof chunksOfUpload>[1][],
): AsyncGenerator<Uint8Array> {
  for (const row of rows)
    for await (const { ref } of chunksOfUpload(parts, row))
      yield (await parts.codec.open(ref, await parts.pool.get(ref.id))).bytes
}

async function remove(parts: FilesParts, id: string): Promise<void> {
  openRow(parts, id)
  const lease = parts.uploads.lease(id)
  try {
    await discard(parts, id, parts.uploads.open(id))
  } finally {
    lease.release()
  }
}

/** Gives an upload up, with the space of what it became not. */
export async function discard(parts: FilesParts, id: string, row: UploadRow): Promise<void> {
  const own = await Array.fromAsync(chunksOfUpload(parts, row), ({ ref }) => ref.id)
  const ids = [...own, ...(await chunksOfParts(parts, id))]
  const ended = await end(parts, id, row, { removed: true }, ids)
  if (ended.unclean !== true) await parts.uploads.forget(id)
}

/** Every chunk that the numbered parts of an upload name, with the blocks that name them. */
export async function chunksOfParts(parts: FilesParts, id: string): Promise<ChunkId[]> {
  const ids: ChunkId[] = []
  for (const { blocks } of parts.uploads.partsOf(id)) {
    for await (const { ref } of chunksOfUpload(parts, { blocks, listed: '' })) ids.push(ref.id)
    ids.push(...blocks.map(([block]) => block))
  }
  return ids
}

function list(parts: FilesParts): UploadState[] {
  return parts.uploads
    .rows()
    .filter(
      ({ row }) =>
        row.removed !== true && row.upload.started === undefined && mayWrite(parts, row.upload.path),
    )
    .map(({ id, row }) => parts.uploads.stateOf(id, row))
}

function mayWrite(parts: FilesParts, path: string): boolean {
  try {
    parts.require('write', path)
    return true
  } catch {
    return false
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
