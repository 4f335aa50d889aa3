/**
 * Turns the chunks of one source into stored, replicated content. What is known in the folder is
 * neither sealed nor stored nor sent again; what is new is made durable every few dozen megabytes, so
 * that replication runs while the upload still does.
 */
import { limits } from '../base/limits.ts'
import type { ChunkId, EpochId } from '../base/words.ts'
import type {
  Chunk,
  ChunkRef,
  CompressionLevel,
  CutOptions,
  FolderKeys,
  SealedChunk,
} from '../codec/codec.ts'
import { free } from '../base/handover.ts'
import { ManifestBuilder } from '../codec/manifest.ts'
import type { VersionContent } from '../codec/version-body.ts'
import type { ChunkToPut, Pin } from '../store/chunk-store.ts'
import type { HeldChunk, IndexWrite } from '../store/store.ts'
import { ContentHash } from './content-hash.ts'
import type { FilesParts } from './files-parts.ts'
import type { UploadChunks } from './unfinished.ts'

/** A chunk whose memory is accounted for until `release`. */
export interface PaidChunk<Cut = Chunk> {
  chunk: Cut
  release: () => void
}

export interface StoredChunk {
  ref: ChunkRef
  p: Uint8Array
}

/** What one version's content became. */
export interface StoredContent {
  content: VersionContent
  hash: Buffer
  size: number
  /** All chunks, manifest nodes included. */
  chunks: ChunkId[]
  /** The epoch that sealed them. */
  sealed: EpochId
  /** New pins on chunks that were here before. */
  pins: { id: ChunkId; pin: Pin }[]
  /** Chunks that are written with the version. */
  held: HeldChunk[]
  /** To be called when they are: their memory is given back. */
  written: () => void
  /** Dedup rows not written yet. */
  index: IndexWrite[]
  /** Chunks that become durable with the version and are not yet offered to others. */
  notReplicated: ChunkId[]
  sentBytes: number
  savedBytes: number
}

/** Of content that is larger than the space here: it goes on to other devices, piece by piece. */
export interface Passing {
  /** Sealed bytes that may lie here at once. */
  windowBytes: number
  /** Devices, this one included, that must have made a piece durable before it leaves this disk. */
  copies: number
  /** What to fail with when they do not. */
  refused: () => Error
  signal?: AbortSignal | undefined
}

export class ContentWriter {
  readonly #parts: FilesParts
  readonly #keys: FolderKeys
  readonly #passing: Passing | undefined
  readonly #pin: Pin
  readonly #uses: UploadChunks
  readonly #hash = new ContentHash()
  readonly #manifest: ManifestBuilder
  /** The first references; more than `limits.inlineChunks` of them go into the manifest alone. */
  #first: ChunkRef[] | undefined = []
  readonly #chunks = new Set<ChunkId>()
  readonly #pins = new Map<ChunkId, { id: ChunkId; pin: Pin }>()
  /** The latest chunks of this source by `p`: a repeated one is stored once. */
  readonly #mine = new Map<string, ChunkRef>()
  /** Whether the last chunk was not known: the next ones are then sealed as soon as they are cut. */
  #isNews = true
  /** Whether other devices will fetch what is stored here. */
  #isReadSoon: boolean | undefined
  readonly #held: HeldChunk[] = []
  readonly #heldRows: IndexWrite[] = []
  /** Gives back the memory that held chunks were counted for. */
  readonly #releases: (() => void)[] = []
  #index: IndexWrite[] = []
  /** Whether some of it has left this disk. */
  #hasPassed = false
  #staged: ChunkId[] = []
  #stagedBytes = 0
  #saving: Promise<void> = Promise.resolve()
  #sentBytes = 0
  #savedBytes = 0

  constructor(parts: FilesParts, keys: FolderKeys, passing?: Passing) {
    this.#parts = parts
    this.#passing = passing
    this.#keys = keys
    this.#pin = { folder: keys.folder, device: parts.catalogue.device }
    this.#uses = parts.unfinished.begin()
    this.#manifest = new ManifestBuilder(keys, (node) => this.#stageNode(node))
  }

  /** Cuts a source; takes memory for each chunk before the next is cut: a slow disk slows the source. */
  async *cut(
    source: AsyncIterable<Uint8Array>,
    options: CutOptions,
  ): AsyncGenerator<PaidChunk<Chunk | SealedChunk>> {
    const { codec, budget, compression } = this.#parts
    const asNew = (): CompressionLevel | undefined => (this.#isNews ? compression() : undefined)
    for await (const chunk of codec.cutAndSeal(this.#keys, source, asNew, options))
      yield { chunk, release: await budget.take(bytesOf(chunk).length, options.signal) }
  }

  /** Finds or seals and writes one chunk; several at once. */
  async store({ chunk, release }: PaidChunk<Chunk | SealedChunk>): Promise<StoredChunk> {
    let isHeld = false
    try {
      const known = this.#known(chunk)
      this.#isNews = known === undefined
      if (known !== undefined) {
        free(bytesOf(chunk))
        return { ref: known, p: chunk.p }
      }
      const sealed = 'sealed' in chunk ? chunk : await this.#seal(chunk)
      isHeld = lengthOf(sealed) < Math.min(limits.heldBytes, limits.chunkMin)
      if (isHeld) this.#releases.push(release)
      await (isHeld ? this.#hold(sealed) : this.#stage(sealed))
      const rows = isHeld ? this.#heldRows : this.#index
      rows.push({ op: 'known', folder: this.#keys.folder, p: sealed.p, ref: sealed.ref })
      this.#remember(sealed)
      return sealed
    } finally {
      if (!isHeld) release()
    }
  }

  /** Adds the next stored chunk, in the order of the file. */
  async add({ ref, p }: StoredChunk): Promise<void> {
    this.#hash.add(p, ref.length)
    this.#chunks.add(ref.id)
    this.#first?.push(ref)
    if ((this.#first?.length ?? 0) > limits.inlineChunks) {
      for (const first of this.#first ?? []) await this.#manifest.add(first)
      this.#first = undefined
    } else if (this.#first === undefined) await this.#manifest.add(ref)
    if (this.#passing !== undefined) await this.#passOn(this.#passing, this.#passing.windowBytes)
    else if (this.#stagedBytes >= checkpointBytes) this.#checkpoint()
  }

  /** Adds the next chunk of content that was stored before, under other pins; unknown to others until now. */
  async adopt(stored: StoredChunk): Promise<void> {
    const { ref, p } = stored
    this.#pins.set(ref.id, { id: ref.id, pin: this.#pin })
    this.#index.push({ op: 'known', folder: this.#keys.folder, p, ref })
    this.#staged.push(ref.id)
    await this.add(stored)
  }

  /** Writes the manifest where one is needed and waits for everything that was begun. */
  async end(): Promise<StoredContent> {
    const content: VersionContent =
      this.#first === undefined
        ? { form: 'manifest', root: await this.#manifest.end() }
        : { form: 'inline', chunks: this.#first }
    await this.#saving
    // What turned out to fit stays.
    if (this.#passing !== undefined && this.#hasPassed) {
      await this.#passOn(this.#passing, 0)
      await this.#requireHeld(this.#passing)
    }
    return {
      content,
      hash: this.#hash.digest(),
      size: this.#hash.size,
      chunks: [...this.#chunks],
      sealed: this.#keys.epoch,
      pins: [...this.#pins.values()],
      held: [...this.#held],
      written: () => this.#letGo(),
      index: [...this.#index, ...this.#heldRows],
      notReplicated: [...this.#staged, ...this.#held.map(({ id }) => id)],
      sentBytes: this.#sentBytes,
      savedBytes: this.#savedBytes,
    }
  }

  /** Runs what writes content and its version: both or neither. When it fails, what was stored is given back. */
  async keeping<T>(write: () => Promise<T>): Promise<T> {
    try {
      const result = await write()
      this.#uses.kept()
      return result
    } catch (thrown) {
      await this.#saving.catch(() => undefined)
      await this.#uses.failed()
      throw thrown
    } finally {
      this.#letGo()
    }
  }

  /** Held chunks are written, or will not be. */
  #letGo(): void {
    for (const chunk of this.#held.splice(0)) {
      chunk.release()
      free(chunk.bytes)
    }
    for (const release of this.#releases.splice(0)) release()
  }

  #seal(chunk: Chunk): Promise<SealedChunk> {
    return this.#parts.codec.seal(this.#keys, chunk, this.#parts.compression())
  }

  /** A hit counts when the chunk is on this disk: it gets a new pin (crypto.md §2). */
  #known(chunk: Chunk | SealedChunk): ChunkRef | undefined {
    const { store } = this.#parts
    const { p } = chunk
    const length = lengthOf(chunk)
    const mine = this.#mine.get(textOf(p))
    const known = mine ?? store.read.known(this.#keys.folder, p)
    if (known === undefined || known.length !== length) return undefined
    if (mine === undefined && !store.has(known.id)) return undefined
    if (mine === undefined) this.#pinHere(known.id)
    this.#savedBytes += length
    return known
  }

  /** The key goes into a block of many: a buffer of its own, from another thread, costs 1.3 KB. */
  #remember({ p, ref }: StoredChunk): void {
    this.#mine.set(textOf(p), { ...ref, ck: Buffer.from(ref.ck) })
    const [oldest] = this.#mine.keys()
    if (this.#mine.size > rememberedChunks) this.#mine.delete(oldest!)
  }

  async #stage(chunk: SealedChunk): Promise<void> {
    const { length } = chunk.sealed
    await this.#parts.store.stage([this.#toPut(chunk)])
    free(chunk.sealed)
    this.#chunks.add(chunk.ref.id)
    this.#staged.push(chunk.ref.id)
    this.#stagedBytes += length
    this.#sentBytes += length
  }

  /** The last of a source, and all of a small file: it waits in memory for its version. */
  async #hold(chunk: SealedChunk): Promise<void> {
    this.#held.push(await this.#parts.store.hold(this.#toPut(chunk)))
    this.#chunks.add(chunk.ref.id)
    this.#sentBytes += chunk.sealed.length
  }

  #toPut({ ref: { id }, sealed }: SealedChunk): ChunkToPut {
    this.#uses.use(id, !this.#parts.store.has(id))
    const readSoon = (this.#isReadSoon ??= this.#hasOthers())
    return { id, bytes: sealed, pins: [this.#pin], readSoon }
  }

  /** Whether other devices keep chunks, and so fetch what is new. */
  #hasOthers(): boolean {
    const { pool, catalogue } = this.#parts
    return pool.countedPeers().some((peer) => peer !== catalogue.peer)
  }

  /** Equal references make an equal node: of content that is all known the manifest is known too. */
  async #stageNode(node: SealedChunk): Promise<void> {
    const { id } = node.ref
    if (!this.#parts.store.has(id)) return this.#stage(node)
    this.#chunks.add(id)
    this.#pinHere(id)
  }

  /** Of a chunk that is here already: its pin comes with the version. */
  #pinHere(id: ChunkId): void {
    this.#uses.use(id, false)
    this.#pins.set(id, { id, pin: this.#pin })
  }

  /** Waits until others have what was written so far, when that is enough; then it leaves this disk. */
  async #passOn({ copies, refused, signal }: Passing, enough: number): Promise<void> {
    if (this.#staged.length === 0 || this.#stagedBytes < enough) return
    this.#hasPassed = true
    const { store, pool } = this.#parts
    const [index, staged] = [this.#index, this.#staged]
    this.#index = []
    this.#staged = []
    this.#stagedBytes = 0
    await store.commit({ index })
    pool.replicate(this.#keys.folder, staged)
    for (let tries = 1; ; tries++) {
      const held = await pool.durable(staged, copies, limits.passOnMs, { signal })
      if (held < copies) throw refused()
      // The copies here go now: that others say they keep them is not enough (crypto.md's challenge).
      const unproved = await pool.unproved(staged, copies - 1, { signal })
      if (unproved.length === 0) break
      if (tries === proofTries) throw refused()
      pool.replicate(this.#keys.folder, unproved)
    }
    await this.#uses.passed(staged)
  }

  /** Passing on may take days: no version names what a device that took it has lost or given up meanwhile. */
  async #requireHeld({ refused, signal }: Passing): Promise<void> {
    const { pool, clock } = this.#parts
    const held = new Set(this.#held.map(({ id }) => id))
    const ids = [...this.#chunks].filter((id) => !held.has(id))
    for (let at = 0; at < ids.length; at += lookedAtOnce) {
      signal?.throwIfAborted()
      if ((await pool.durable(ids.slice(at, at + lookedAtOnce), 1, 0)) < 1) throw refused()
      await clock.sleep(0)
    }
  }

  /** Makes what was written so far durable, then lets it be copied; the upload goes on meanwhile. */
  #checkpoint(): void {
    const index = this.#index
    const staged = this.#staged
    this.#index = []
    this.#staged = []
    this.#stagedBytes = 0
    this.#saving = this.#saving.then(async () => {
      await this.#parts.store.commit({ index })
      return this.#parts.pool.replicate(this.#keys.folder, staged)
    })
    // Met by end(); an upload that fails earlier never gets there.
    this.#saving.catch(() => undefined)
  }
}

/** So often others are asked to prove what they took before an upload that is passed on fails. */
const proofTries = 3

/** Sealed bytes between two syncs of one upload. */
export const checkpointBytes = 32 * 2 ** 20
/** Chunks looked up in one step: some milliseconds. */
const lookedAtOnce = 500
/** More than two checkpoints have; a repeated chunk of before is found in the index. */
const rememberedChunks = 4096

const lengthOf = (chunk: Chunk | SealedChunk): number =>
  'sealed' in chunk ? chunk.ref.length : chunk.bytes.length

/** What of a chunk takes memory. */
function bytesOf(chunk: Chunk | SealedChunk): Uint8Array {
  return 'sealed' in chunk ? chunk.sealed : chunk.bytes
}

function textOf(p: Uint8Array): string {
  return Buffer.from(p.buffer, p.byteOffset, p.byteLength).toString('latin1')
}
