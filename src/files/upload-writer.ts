/**
 * Writes one stretch of an upload that can go on. Chunks are stored as they are cut, but named only
 * in the upload's own list. The last piece of a stretch is no chunk yet: it is kept as it came, behind
 * 16 random bytes that make it no other chunk's twin, and the next stretch is cut from its beginning.
 */
import { free } from '../base/handover.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { ChunkId } from '../base/words.ts'
import { bytes, decode, encode, id, integer, list, tuple } from '../codec/cbor-schema.ts'
import type { Chunk, ChunkRef, FolderKeys } from '../codec/codec.ts'
import { contentHash } from '../codec/seal.ts'
import type { Pin } from '../store/chunk-store.ts'
import type { PaidChunk, StoredChunk } from './content-writer.ts'
import type { FilesParts } from './files-parts.ts'
import { inOrder } from './in-order.ts'
import type { UploadChunks } from './unfinished.ts'
import type { KeptRef, UploadRow } from './upload-book.ts'

type Row = [ChunkId, Uint8Array, number, Uint8Array]
const listSchema = list(tuple<Row>(id<ChunkId>(), bytes(32), integer(1), bytes(32)), limits.uploadListed)
const listBytes = limits.uploadListed * 128
const saltBytes = 16

/** Where an upload's row is made durable. */
export type SaveRow = (row: UploadRow) => Promise<unknown>

/** What a source gave and whether it broke off. */
export interface Received {
  bytes: number
  failure?: unknown
}

export class UploadWriter {
  readonly #parts: FilesParts
  readonly #keys: FolderKeys
  readonly #pin: Pin
  readonly #random: Random
  /** Chunks of other files that are relied on before the pins on them are written. */
  #uses: UploadChunks | undefined
  #row: UploadRow
  #listed: StoredChunk[]
  #pins: { id: ChunkId; pin: Pin }[] = []
  /** Chunks that this writer stored and no row names yet. */
  readonly #unnamed = new Set<ChunkId>()
  /** Those of them that the next row names. */
  #named: ChunkId[] = []
  /** Pieces that the next row does not name any more. */
  #old: ChunkId[] = []
  #unsavedBytes = 0

  constructor(parts: FilesParts, keys: FolderKeys, pin: Pin, row: UploadRow, random: Random) {
    this.#parts = parts
    this.#keys = keys
    this.#pin = pin
    this.#row = row
    this.#random = random
    this.#listed = decodeListed(row.listed)
  }

  get row(): UploadRow {
    return this.#row
  }

  /**
   * Takes in all of `source` and says where the upload then stands. `isWhole` tells whether the file
   * ends with what was received. With `save` it is made durable on the way, not only by `close`.
   */
  async take(
    source: AsyncIterable<Uint8Array>,
    received: Received,
    isWhole: () => boolean,
    save: SaveRow | undefined,
  ): Promise<void> {
    const tail = await readPieces(this.#parts, this.#row.tail)
    const base = this.#row.offset - tail.length
    let last: Chunk | undefined
    const cut = this.#parts.codec.cut(this.#keys, joined(tail, source, received), { size: this.#row.cutAs })
    const chunks = this.#paid(allButLast(cut, (chunk) => (isWhole() ? chunk : void (last = chunk))))
    let offset = base
    for await (const stored of inOrder(chunks, chunksInFlight, (chunk) => this.#store(chunk))) {
      if (offset === base) this.#dropTail()
      this.#listed.push(stored)
      this.#named.push(stored.ref.id)
      this.#row = { ...this.#row, offset: (offset += stored.ref.length) }
      this.#unsavedBytes += stored.ref.length
      if (save !== undefined && this.#unsavedBytes >= limits.uploadCheckpoint) await this.#checkpoint(save)
    }
    if (last !== undefined) await this.#keepTail(last, offset === base ? tail.length : 0)
  }

  /** Makes everything durable, then the row that names it. */
  async #checkpoint(save: SaveRow): Promise<void> {
    await this.seal()
    await save(this.#row)
    await this.saved()
  }

  /** Chunks that the row names and no block does. */
  get listed(): readonly StoredChunk[] {
    return this.#listed
  }

  /** Everything that the row will name becomes durable; up to `listedMax` chunks stay out of blocks. */
  async seal(listedMax: number = limits.uploadListed): Promise<UploadRow> {
    while (this.#listed.length > listedMax) {
      const block = encodeListed(this.#listed.splice(0, limits.uploadListed))
      this.#row = { ...this.#row, blocks: [...this.#row.blocks, await this.#keep(block)] }
    }
    this.#row = { ...this.#row, listed: encodeListed(this.#listed).toString('base64') }
    const uses = this.#uses
    const pins = this.#pins
    this.#uses = undefined
    this.#pins = []
    try {
      await this.#parts.store.commit({ pins })
    } finally {
      uses?.kept()
    }
    return this.#row
  }

  /** The row is durable: what only the one before named may go. */
  async saved(): Promise<void> {
    const old = this.#old
    this.#old = []
    for (const id of this.#named) this.#unnamed.delete(id)
    this.#named = []
    this.#unsavedBytes = 0
    await giveBack(this.#parts, this.#pin, old)
  }

  /** The row stays what it was: gives back the space of what no row names. */
  async abandon(): Promise<void> {
    await this.#uses?.failed()
    await this.#parts.store.commit({})
    await giveBack(this.#parts, this.#pin, [...this.#unnamed])
  }

  async *#paid(chunks: AsyncIterable<Chunk>): AsyncGenerator<PaidChunk> {
    for await (const chunk of chunks)
      yield { chunk, release: await this.#parts.budget.take(chunk.bytes.length) }
  }

  async #store({ chunk, release }: PaidChunk): Promise<StoredChunk> {
    const { store, unfinished } = this.#parts
    const { length } = chunk.bytes
    try {
      const known = store.read.known(this.#keys.folder, chunk.p)
      if (known?.length === length && store.has(known.id)) {
        free(chunk.bytes)
        this.#uses ??= unfinished.begin()
        this.#uses.use(known.id, false)
        this.#pins.push({ id: known.id, pin: this.#pin })
        this.#noteUnnamed(known.id)
        this.#row = { ...this.#row, savedBytes: this.#row.savedBytes + length }
        return { ref: known, p: chunk.p }
      }
      const { ref, p, sealed } = await this.#parts.codec.seal(this.#keys, chunk, this.#parts.compression())
      this.#row = { ...this.#row, sentBytes: this.#row.sentBytes + sealed.length }
      await this.#stage(ref.id, sealed)
      free(sealed)
      return { ref, p }
    } finally {
      release()
    }
  }

  /** Keeps the bytes behind the last cut, of which the first `kept` are kept already. */
  async #keepTail(chunk: Chunk, kept: number): Promise<void> {
    const { tail, offset } = this.#row
    const added = chunk.bytes.length - kept
    if (added === 0) return
    const rewrite = tail.length >= limits.uploadTailPieces
    const piece = await this.#keep(rewrite ? chunk.bytes : chunk.bytes.subarray(kept))
    free(chunk.bytes)
    if (rewrite) this.#dropTail()
    this.#row = { ...this.#row, tail: [...this.#row.tail, piece], offset: offset + added }
  }

  /** The bytes of the tail are in a chunk now. */
  #dropTail(): void {
    this.#old.push(...this.#row.tail.map(([id]) => id))
    this.#row = { ...this.#row, tail: [] }
  }

  async #keep(content: Uint8Array): Promise<KeptRef> {
    const salted = Buffer.concat([this.#random.bytes(saltBytes), content])
    const { length } = salted
    const { ref, sealed } = await this.#parts.codec.seal(
      this.#keys,
      { bytes: salted, p: contentHash(this.#keys, salted) },
      0,
    )
    await this.#stage(ref.id, sealed)
    this.#named.push(ref.id)
    return [ref.id, Buffer.from(ref.ck).toString('hex'), length]
  }

  async #stage(id: ChunkId, sealed: Uint8Array): Promise<void> {
    this.#noteUnnamed(id)
    await this.#parts.store.stage([{ id, bytes: sealed, pins: [this.#pin] }])
  }

  /** A chunk that an earlier stretch of this upload has is not given back with this one. */
  #noteUnnamed(id: ChunkId): void {
    const has = this.#parts.store.read.pins(id).some(({ folder }) => folder === this.#pin.folder)
    if (!has) this.#unnamed.add(id)
  }
}

const chunksInFlight = 8

/** All chunks of an upload in order: those of its blocks, then the listed ones. */
export async function* chunksOfUpload(
  parts: FilesParts,
  row: Pick<UploadRow, 'blocks' | 'listed'>,
): AsyncGenerator<StoredChunk> {
  for (const block of row.blocks) yield* decodeRows(await readPiece(parts, block))
  yield* decodeListed(row.listed)
}

/** Lets go of chunks that one upload kept; those with another pin stay. Call when they are indexed. */
export async function giveBack(parts: FilesParts, pin: Pin, ids: readonly ChunkId[]): Promise<void> {
  const { store, unfinished } = parts
  const isMine = ({ folder }: Pin): boolean => folder === pin.folder
  const isPinned = (id: ChunkId): boolean => store.read.pins(id).some(isMine)
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    const slice = [...new Set(ids.slice(at, at + idsAtOnce))]
    // Asked in the step that writes: somebody may come to rely on one while it waits for the disk.
    const isFree = (id: ChunkId): boolean =>
      !unfinished.isUsed(id) && isPinned(id) && store.read.pins(id).every(isMine)
    const dropped = new Set(await store.chunks.drop(slice, isFree))
    const left = slice.filter((id) => !dropped.has(id) && isPinned(id))
    await store.commit({ releases: left.map((id) => ({ id, pin })) })
  }
}

const idsAtOnce = 1024

async function readPieces(parts: FilesParts, pieces: readonly KeptRef[]): Promise<Buffer> {
  const read: Buffer[] = []
  for (const piece of pieces) read.push(await readPiece(parts, piece))
  return Buffer.concat(read)
}

/** What `#keep` wrote, without its salt. */
async function readPiece(parts: FilesParts, [id, ck, length]: KeptRef): Promise<Buffer> {
  const ref: ChunkRef = { id, ck: Buffer.from(ck, 'hex'), length, level: 0 }
  const opened = await parts.codec.open(ref, await parts.pool.get(id))
  return Buffer.from(opened.bytes.buffer, opened.bytes.byteOffset, opened.bytes.byteLength).subarray(
    saltBytes,
  )
}

/** First what is kept, then the source. A source that fails just ends: `received` says how far it came. */
async function* joined(
  tail: Buffer,
  source: AsyncIterable<Uint8Array>,
  received: Received,
): AsyncGenerator<Uint8Array> {
  // A copy: the cutter takes what it is given.
  if (tail.length > 0) yield Uint8Array.from(tail)
  try {
    for await (const piece of source) {
      received.bytes += piece.length
      yield piece
    }
  } catch (thrown) {
    received.failure = thrown
  }
}

/** Each chunk once the next is known; of the last one `end` decides. */
async function* allButLast(
  chunks: AsyncIterable<Chunk>,
  end: (last: Chunk) => Chunk | undefined,
): AsyncGenerator<Chunk> {
  let held: Chunk | undefined
  for await (const chunk of chunks) {
    if (held !== undefined) yield held
    held = chunk
  }
  const last = held && end(held)
  if (last !== undefined) yield last
}

function encodeListed(chunks: readonly StoredChunk[]): Buffer {
  return encode(
    listSchema,
    chunks.map(({ ref, p }): Row => [ref.id, ref.ck, ref.length, p]),
  )
}

function decodeRows(encoded: Uint8Array): StoredChunk[] {
  return decode(listSchema, encoded, 'the list of an upload', listBytes).map(([id, ck, length, p]) => ({
    ref: { id, ck, length, level: 0 },
    p,
  }))
}

const decodeListed = (text: string): StoredChunk[] =>
  text === '' ? [] : decodeRows(Buffer.from(text, 'base64'))
