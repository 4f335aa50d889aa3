/** All that is known about one file: content, versions, copies, and on request its chunks. */
import { timeText } from '../base/clock.ts'
import type { CallOptions, ChunkId, PeerId } from '../base/words.ts'
import type { ChunkRef } from '../codec/codec.ts'
import { isOneSecret } from '../codec/folder-keys.ts'
import { Sha256 } from '../codec/sha256.ts'
import { walkManifest } from '../codec/manifest.ts'
import { decodeContent } from '../codec/version-body.ts'
import { priorityTag, type EntryRow, type VersionRow } from '../store/view.ts'
import { copiesInFull } from './copies.ts'
import { contentOf } from './download.ts'
import { expiresLine } from './expiry.ts'
import type { FilesParts } from './files-parts.ts'
import type { FileInfo } from './files.ts'
import { shownTags } from './mime.ts'
import { entryAt, openPlace } from './place.ts'
import { chunksOf } from './version-bodies.ts'
import { authorOf, versionsOf } from './versions.ts'

export interface InfoOptions extends CallOptions {
  chunks?: boolean | undefined
  sha256?: boolean | undefined
}

export async function info(parts: FilesParts, path: string, options: InfoOptions = {}): Promise<FileInfo> {
  const place = openPlace(parts, 'read', path)
  const entry = entryAt(parts, place)
  return {
    ...facts(parts, place.text, entry),
    ...expiresLine(entry, place.expireMs),
    versions: versionsOf(parts, place),
    copies: await copiesInFull(parts, place.id, entry, chunksOf(parts, entry), options),
    ...((await isUnderFormerSecret(parts, entry)) ? { rekey: 'waiting' as const } : {}),
    ...(options.chunks === true ? { chunks: await chunkLines(parts, entry, options) } : {}),
    ...(options.sha256 === true ? { sha256: await sha256Of(parts, entry, options) } : {}),
  }
}

function facts(
  parts: FilesParts,
  path: string,
  entry: EntryRow,
): Omit<FileInfo, 'versions' | 'copies' | 'chunks' | 'sha256'> {
  return {
    path,
    kind: entry.kind === 'removed' ? 'file' : entry.kind,
    size: entry.size,
    hash: entry.hash,
    created: timeText(entry.created),
    modified: timeText(entry.modified),
    mode: entry.mode,
    type: entry.type,
    category: entry.category,
    tags: shownTags(entry.tags),
    description: entry.description,
    priority: entry.tags.includes(priorityTag),
    author: authorOf(parts, entry),
    root: refsOf(entry)[0]?.id ?? '',
    version: entry.version,
  }
}

/** Nobody waits for anything in a folder that never got other keys. */
async function isUnderFormerSecret({ catalogue }: FilesParts, row: EntryRow): Promise<boolean> {
  if (row.size === 0 || (catalogue.rekeying(row.folder)?.generation ?? 0) === 0) return false
  try {
    const keys = await catalogue.writeKeys(row.folder)
    return !isOneSecret(catalogue.keysOf(row.folder, row.sealed ?? row.epoch), keys)
  } catch {
    return false
  }
}

function refsOf(row: VersionRow): readonly ChunkRef[] {
  const content = decodeContent(row.content)
  return content.form === 'inline' ? content.chunks : [content.root]
}

/** Every data chunk with its plaintext length and its holders, in the order of the file. */
async function chunkLines(
  parts: FilesParts,
  row: VersionRow,
  options: CallOptions,
): Promise<NonNullable<FileInfo['chunks']>> {
  const placed = await Array.fromAsync(
    walkManifest(refsOf(row), 0, row.size, (ref) =>
      parts.manifestNodes.refsOf(ref, () => parts.pool.get(ref.id, options)),
    ),
  )
  const counted = new Set(parts.pool.countedPeers())
  const { read } = parts.store
  const holders = (id: ChunkId): PeerId[] => {
    const shards = read.codingsOf(id).flatMap((coding) => coding.shards)
    return [...new Set([...read.holders([id, ...shards]).values()].flat())]
  }
  return placed.map(({ ref }) => ({
    id: ref.id,
    size: ref.length,
    holders: holders(ref.id).filter((peer) => counted.has(peer)),
  }))
}

async function sha256Of(parts: FilesParts, row: VersionRow, { signal }: CallOptions): Promise<string> {
  const hash = new Sha256()
  for await (const bytes of contentOf(parts, row, { first: 0, last: row.size - 1, signal })) hash.add(bytes)
  return hash.hex()
}
