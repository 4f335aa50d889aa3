/** The sealed body of a version record (docs/FORMAT.md): what an entry is, and where its bytes are. */
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
