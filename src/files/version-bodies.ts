/** New versions out of what an entry already is: moved, removed, restored. Content references are kept as they are. */
import type { NewVersion } from '../access/catalogue.ts'
import type { ChunkId } from '../base/words.ts'
import { decodeContent, type VersionBody } from '../codec/version-body.ts'
import type { EntryRow, VersionRow } from '../store/view.ts'
import { withoutPast } from './expiry.ts'
import type { FilesParts } from './files-parts.ts'
import { headsOf } from './place.ts'

/** The body of a version as it was written. */
export function bodyOf(row: VersionRow): VersionBody {
  const { kind, path, mode, modified, created, size, type, tags, description, target } = row
  return {
    kind,
    path,
    mode,
    modified,
    created,
    size,
    type,
    tags,
    description,
    hash: Buffer.from(row.hash, 'hex'),
    content: decodeContent(row.content),
    ...(target === undefined ? {} : { target }),
  }
}

/** The body of an earlier version that comes back. */
export function bodyAgain(parts: FilesParts, row: VersionRow): VersionBody {
  return { ...bodyOf(row), tags: withoutPast(row.tags, parts.clock.now()) }
}

/** The entry once more, with some of its body changed. */
export function changed(parts: FilesParts, entry: EntryRow, change: Partial<VersionBody>): NewVersion {
  return {
    folder: entry.folder,
    entry: entry.entry,
    parents: headsOf(entry),
    body: { ...bodyOf(entry), ...change },
    ...contentAgain(parts, entry),
  }
}

/** The content of a version once more, as it is sealed. */
export function contentAgain(parts: FilesParts, row: VersionRow): Pick<NewVersion, 'chunks' | 'sealed'> {
  const isKeyed = row.kind === 'file' && row.size > 0
  return { chunks: chunksOf(parts, row), ...(isKeyed ? { sealed: row.sealed ?? row.epoch } : {}) }
}

/** A tombstone: the entry lies in the trash, its earlier versions stay. */
export function tombstone(entry: EntryRow): NewVersion {
  return {
    folder: entry.folder,
    entry: entry.entry,
    parents: headsOf(entry),
    body: { ...bodyOf(entry), kind: 'removed', content: { form: 'inline', chunks: [] } },
    chunks: [],
  }
}

/** All chunks of a version as far as they are known here; a manifest not opened yet is only its root. */
export function chunksOf(parts: FilesParts, row: VersionRow): readonly ChunkId[] {
  const known = parts.store.read.contentOf(row.version)
  if (known !== undefined) return known
  const content = decodeContent(row.content)
  return content.form === 'inline' ? content.chunks.map(({ id }) => id) : [content.root.id]
}
