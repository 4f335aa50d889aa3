/**
 * Manifests: the references of a file's chunks as a tree of sealed nodes, up to 1,024 references
 * each. A node of level n holds references of level n-1; its length is their sum. The tree of given
 * references is always the same: nodes are filled from the left.
 */
import { fail, type PeerStorError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId } from '../base/words.ts'
import { bytes, decode, encode, id, integer, list, tuple } from './cbor-schema.ts'
import type { ChunkRef, FolderKeys, SealedChunk, VerifiedBytes } from './codec.ts'
import { openChunk, sealChunk } from './seal.ts'

type Row = [ChunkId, Uint8Array, number]
const row = tuple<Row>(id<ChunkId>(), bytes(32), integer(1))
const nodeSchema = list(row, limits.manifestFanout)

/** Canonical bytes of a node: its references without their level, which the node's own gives. */
export function encodeNode(refs: readonly ChunkRef[]): Buffer {
  return encode(
    nodeSchema,
    refs.map(({ id, ck, length }): Row => [id, ck, length]),
  )
}

/** The references in the plaintext of the node `node` of `level`; `CHUNK_INVALID` when they break a rule. */
export function decodeNode(node: ChunkId, level: number, plaintext: Uint8Array): ChunkRef[] {
  let rows: Row[]
  try {
    rows = decode(nodeSchema, plaintext, 'a manifest node', limits.manifestNode)
  } catch (thrown) {
    throw invalid(node, (thrown as PeerStorError).message, thrown)
  }
  const refs = rows.map(([id, ck, length]) => ({ id, ck, length, level: level - 1 }))
  if (level === 1 && refs.some(({ length }) => length > limits.chunkMax * limits.hugeFactor))
    throw invalid(node, 'a chunk in it is longer than any')
  if (level > 1 && refs.length === 0) throw invalid(node, 'it holds no references')
  if (!Number.isSafeInteger(lengthOf(refs))) throw invalid(node, 'the sum of its lengths overflows')
  return refs
}

/** Seals one node over references of one level; no references: the manifest of an empty file. */
export function sealNode(keys: FolderKeys, refs: readonly ChunkRef[]): SealedChunk {
  const level = (refs[0]?.level ?? 0) + 1
  if (level > limits.manifestLevels || refs.length > limits.manifestFanout)
    throw fail('INTERNAL', { reason: `no manifest node has level ${level} and ${refs.length} references` })
  if (refs.some((ref) => ref.level !== level - 1))
    throw fail('INTERNAL', { reason: 'a manifest node mixes levels' })
  const plaintext = encodeNode(refs)
  const { id, ck, p, sealed } = sealChunk(keys, { type: 'manifest', level, plaintext }, 0)
  return { ref: { id, ck, length: lengthOf(refs), level }, p, sealed }
}

/** Opens a node that a reference names, and checks its level and length against it. */
export function openNode(ref: ChunkRef, sealed: VerifiedBytes): ChunkRef[] {
  const { plaintext } = openChunk(ref.id, ref.ck, sealed, { type: 'manifest', level: ref.level })
  const refs = decodeNode(ref.id, ref.level, plaintext)
  if (lengthOf(refs) !== ref.length) throw invalid(ref.id, 'its length is not that of its reference')
  return refs
}

/** Opens the node that a link names: level and length come from the node itself. */
export function openRoot(
  id: ChunkId,
  ck: Uint8Array,
  sealed: VerifiedBytes,
): { root: ChunkRef; refs: ChunkRef[] } {
  const { level, plaintext } = openChunk(id, ck, sealed, { type: 'manifest', level: undefined })
  const refs = decodeNode(id, level, plaintext)
  return { root: { id, ck, length: lengthOf(refs), level }, refs }
}

/** Builds the tree of a file while its chunks are sealed; nodes are handed to `put` as they fill up. */
export class ManifestBuilder {
  readonly #keys: FolderKeys
  readonly #put: (node: SealedChunk) => Promise<void> | void
  /** Open references of each level, lowest first. */
  readonly #open: ChunkRef[][] = [[]]

  constructor(keys: FolderKeys, put: (node: SealedChunk) => Promise<void> | void) {
    this.#keys = keys
    this.#put = put
  }

  /** Adds the next data chunk's reference. */
  async add(ref: ChunkRef): Promise<void> {
    await this.#add(0, ref)
  }

  /** Puts the last nodes; the root's reference. */
  async end(): Promise<ChunkRef> {
    for (let level = 0; ; level++) {
      const top = level === this.#open.length - 1
      const root = await this.#close(level)
      if (top) return root
      await this.#add(level + 1, root)
    }
  }

  async #add(level: number, ref: ChunkRef): Promise<void> {
    const refs = (this.#open[level] ??= [])
    if (refs.length === limits.manifestFanout) await this.#add(level + 1, await this.#close(level))
    this.#open[level]!.push(ref)
  }

  async #close(level: number): Promise<ChunkRef> {
    if (level >= limits.manifestLevels) throw fail('TOO_LARGE', { what: 'the file', limit: 2 ** 53 - 1 })
    const node = sealNode(this.#keys, this.#open[level]!)
    this.#open[level] = []
    await this.#put(node)
    return node.ref
  }
}

/** A data chunk's place in its file. */
export interface PlacedRef {
  ref: ChunkRef
  /** Offset of the chunk's first byte in the file. */
  offset: number
}

/**
 * The data chunks that hold the bytes from `from` up to `to` (not included) of what `refs` lists,
 * in order. Asks only for the nodes that it needs, each when it is reached.
 */
export async function* walkManifest(
  refs: readonly ChunkRef[],
  from: number,
  to: number,
  refsOf: (node: ChunkRef) => Promise<readonly ChunkRef[]>,
  base = 0,
): AsyncGenerator<PlacedRef> {
  let offset = base
  for (const ref of refs) {
    const end = offset + ref.length
    if (offset >= to) return
    if (end > from && ref.level === 0) yield { ref, offset }
    else if (end > from) yield* walkManifest(await refsOf(ref), from, to, refsOf, offset)
    offset = end
  }
}

function lengthOf(refs: readonly ChunkRef[]): number {
  return refs.reduce((sum, { length }) => sum + length, 0)
}

function invalid(id: ChunkId, reason: string, cause?: unknown): PeerStorError {
  return fail('CHUNK_INVALID', { id, reason }, cause)
}
