/** The sealed body of a version record (docs/FORMAT.md): what an entry is, and where its bytes are. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ChunkId, EpochId, RecordHash } from '../base/words.ts'
import {
  bytes,
  choice,
  decode,
  encode,
  field,
  fields,
  id,
  list,
  optional,
  refuse,
  text,
  uint,
  type Schema,
} from './cbor-schema.ts'
import type { ChunkRef } from './codec.ts'

export type VersionContent =
  /** Up to `limits.inlineChunks` data chunks; none for an empty file. */
  { form: 'inline'; chunks: readonly ChunkRef[] } | { form: 'manifest'; root: ChunkRef }

export interface VersionBody {
  kind: 'file' | 'folder' | 'link' | 'removed'
  /** Whole path inside the folder, NFC. */
  path: string
  mode: number
  /** Wall milliseconds of the content; of the entry's first version. */
  modified: number
  created: number
  size: number
  /** 32 bytes: BLAKE3 over the chunks' `p` and the size (design.md §5). */
  hash: Uint8Array
  content: VersionContent
  type: string
  tags: readonly string[]
  description: string
  /** Symbolic links: the target text, never followed. */
  target?: string | undefined
}

const chunkRef: Schema<ChunkRef> = fields({
  id: field(0, id<ChunkId>()),
  ck: field(1, bytes(32)),
  length: field(2, uint()),
  level: field(3, uint(limits.manifestLevels)),
})

const inline = list(chunkRef, limits.inlineChunks)

/** A list of data chunks, or one manifest node. */
const content: Schema<VersionContent> = {
  write: (value) => (value.form === 'inline' ? inline.write([...value.chunks]) : chunkRef.write(value.root)),
  read: (value, path) => {
    if (Array.isArray(value)) return { form: 'inline', chunks: inline.read(value, path).map(dataOnly) }
    const root = chunkRef.read(value, path)
    if (root.level === 0) refuse(path, 'names a data chunk as its manifest')
    return { form: 'manifest', root }
  },
}

function dataOnly(ref: ChunkRef): ChunkRef {
  if (ref.level !== 0) refuse('content', 'lists a manifest node among data chunks')
  return ref
}

/** A tag that begins so holds a piece of the file's properties: only programs see it (files/property-tags.ts). */
export const propertyTag = 'properties,'
export const isPropertyTag = (tag: string): boolean => tag.startsWith(propertyTag)

/** A tag of this form names the epoch that a version's content was sealed under, when that has another secret. */
const sealedTag = 'sealed,'

/** The epoch that the tags name, and the other tags. */
export function sealedUnder(tags: readonly string[]): { tags: readonly string[]; sealed?: EpochId } {
  const found = tags.find((tag) => tag.startsWith(sealedTag))?.slice(sealedTag.length)
  if (found === undefined || !/^[0-9a-f]{64}$/.test(found)) return { tags }
  return { tags: tags.filter((tag) => !tag.startsWith(sealedTag)), sealed: found as EpochId }
}

/** The tags of a version whose content was sealed under this epoch. */
export function withSealed(tags: readonly string[], sealed: EpochId | undefined): readonly string[] {
  const others = tags.filter((tag) => !tag.startsWith(sealedTag))
  return sealed === undefined ? others : [...others, `${sealedTag}${sealed}`]
}

// One more than people give: the tag above.
const tags = list(text(limits.tagBytes), limits.tags + 1)

const body = fields({
  kind: field(0, choice({ file: 1, folder: 2, link: 3, removed: 4 })),
  path: field(1, text(limits.pathBytes)),
  mode: field(2, uint(0o7777)),
  modified: field(3, uint(2 ** 48)),
  created: field(4, uint(2 ** 48)),
  size: field(5, uint()),
  hash: field(6, bytes(32)),
  content: field(7, content),
  type: field(8, text(limits.typeBytes)),
  tags: optional(9, tags),
  description: optional(10, text(limits.descriptionBytes)),
  target: optional(11, text(limits.pathBytes)),
})

/** Canonical plaintext bytes of a version's body. */
export function encodeVersionBody(value: VersionBody): Buffer {
  const { tags, description, target, ...rest } = value
  return encode(body, {
    ...rest,
    ...(tags.length > 0 && { tags: [...tags] }),
    ...(description !== '' && { description }),
    ...(target !== undefined && { target }),
  })
}

/** Reads a version's body; `BAD_INPUT` or `TOO_LARGE`. */
export function decodeVersionBody(plaintext: Uint8Array): VersionBody {
  const read = decode(body, plaintext, 'the body of a version', limits.recordBody)
  if (read.kind === 'file') checkSize(read.content, read.size)
  return { ...read, tags: read.tags ?? [], description: read.description ?? '' }
}

/** A version's content references alone, as the index keeps them. */
export function encodeContent(value: VersionContent): Buffer {
  return encode(content, value)
}

/** Reads `encodeContent`'s bytes. */
export function decodeContent(encoded: Uint8Array): VersionContent {
  return decode(content, encoded, 'the content of a version', limits.recordHead)
}

/** What a version's content became when it was sealed anew: the shown hash under the new secret, and the references. */
export interface ResealBody {
  version: RecordHash
  /** 32 bytes. */
  hash: Uint8Array
  content: VersionContent
}

const resealBody = fields({
  version: field(0, id<RecordHash>()),
  hash: field(1, bytes(32)),
  content: field(2, content),
})

export function encodeResealBody(value: ResealBody): Buffer {
  return encode(resealBody, value)
}

/** `BAD_INPUT` or `TOO_LARGE`. */
export function decodeResealBody(plaintext: Uint8Array): ResealBody {
  return decode(resealBody, plaintext, 'the content of a version sealed anew', limits.recordBody)
}

/** Plaintext bytes of all references. */
export function sizeOf(value: VersionContent): number {
  const lengths = value.form === 'inline' ? value.chunks.map((ref) => ref.length) : [value.root.length]
  return lengths.reduce((sum, length) => sum + length, 0)
}

/** The references add up to the size, without overflow. */
function checkSize(value: VersionContent, size: number): void {
  const total = sizeOf(value)
  if (total !== size)
    throw fail('BAD_INPUT', {
      what: 'the body of a version',
      reason: `its chunks hold ${total} of ${size} bytes`,
    })
}
