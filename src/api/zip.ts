/**
 * `/api/v1/zip?path=…`: folders and files as one zip stream. What goes in is settled before the first
 * byte, version by version, so that the length is known and the archive is one moment's.
 */
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Files, ListedEntry } from '../peer/peer.ts'
import type { RecordHash } from '../base/words.ts'
import { checked } from './body.ts'
import { filePath } from './inputs.ts'
import { type Call, type Route, answered } from './route.ts'
import { sendBytes } from './send.ts'
import { centralHeader, dataDescriptor, endOf, localHeader, zipLength, type ZipMember } from './zip-format.ts'

export const zipRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/zip', scope: 'read', checksPaths: true, handle: zip },
]

/** A file of the archive, or a folder (without version). */
interface Packed extends ZipMember {
  path: string
  version: RecordHash | undefined
  /** Links: what stands in them. */
  target: string | undefined
}

export const zipQuery = z.strictObject({ path: z.array(filePath).min(1).max(limits.listEntries) })

async function zip(call: Call): Promise<unknown> {
  const { path: paths } = checked(zipQuery, { path: call.query.getAll('path') }, 'the query')
  const files = call.subject === undefined ? call.peer.files : call.peer.filesFor(call.subject)
  const members = await membersOf(files, paths, call)
  const { response } = call
  response.setHeader('content-type', 'application/zip')
  response.setHeader('content-length', zipLength(members))
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-disposition', `attachment; filename*=UTF-8''${archiveName(paths)}`)
  response.writeHead(200)
  if (call.request.method !== 'HEAD')
    await sendBytes(response, inLargePieces(archive(call, files, members)), call.face.clock)
  response.end()
  return answered
}

/** One thing gives the archive its name. */
function archiveName(paths: readonly string[]): string {
  const only = paths.length === 1 ? (paths[0] ?? '').replace(/\/$/, '') : 'peerstor'
  const name = `${only.slice(only.lastIndexOf('/') + 1)}.zip`
  return encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** Everything that is asked for, each thing under its own last name. */
async function membersOf(files: Files, paths: readonly string[], call: Call): Promise<Packed[]> {
  const members: Packed[] = []
  const taken = new Set<string>()
  for (const path of paths) {
    const line = files.look(path)
    if (line === undefined) throw fail('NOT_FOUND', { what: 'path', name: path })
    const name = freeName(line.path.slice(line.path.lastIndexOf('/') + 1), taken)
    if (line.kind !== 'folder') members.push(packed(line, name, call))
    else await addFolder(files, line, name, members, call)
    if (members.length > limits.zipFiles)
      throw fail('BAD_INPUT', { what: 'the selection', reason: `it has over ${limits.zipFiles} files` })
  }
  return members
}

/** Two things of one name do not end in each other. */
function freeName(name: string, taken: Set<string>): string {
  let free = name
  for (let number = 2; taken.has(free); number += 1) free = `${name} (${number})`
  taken.add(free)
  return free
}

async function addFolder(
  files: Files,
  folder: ListedEntry,
  name: string,
  members: Packed[],
  call: Call,
): Promise<void> {
  members.push(packed(folder, name, call))
  let cursor: string | undefined
  do {
    const { entries, next } = await files.list(folder.path, { recursive: true, cursor, signal: call.signal })
    for (const line of entries) members.push(packed(line, name + line.path.slice(folder.path.length), call))
    cursor = next
  } while (cursor !== undefined && members.length <= limits.zipFiles)
}

const kindBits = { file: 0o100000, folder: 0o040000, link: 0o120000 }

/** A folder that only paths imply has no time of its own. */
function packed(line: ListedEntry, name: string, { face }: Call): Packed {
  const { path, kind, version, target, mode = 0o755, modified } = line
  return {
    path,
    version: kind === 'folder' ? undefined : version,
    target,
    name: kind === 'folder' ? `${name}/` : name,
    size: kind === 'folder' ? 0 : target === undefined ? line.size : Buffer.byteLength(target),
    modified: modified === null ? face.clock.now() : Date.parse(modified),
    mode: kindBits[kind] | (mode & 0o777),
    crc: 0,
    offset: 0,
  }
}

/** Members one after the other, then their directory; each learns its place and CRC on the way. */
async function* archive(call: Call, files: Files, members: readonly Packed[]): AsyncGenerator<Uint8Array> {
  let offset = 0
  for (const [index, member] of members.entries()) {
    // Nothing waits for anything in a run of empty files: others are served here.
    if (index % membersAtOnce === membersAtOnce - 1) await call.face.clock.sleep(0)
    member.offset = offset
    const header = localHeader(member)
    yield header
    for await (const piece of contentOf(files, member, call.signal)) {
      member.crc = crc32(piece, member.crc)
      yield piece
    }
    const descriptor = dataDescriptor(member)
    yield descriptor
    offset += header.length + member.size + descriptor.length
  }
  yield* directory(call, members, offset)
}

const membersAtOnce = 64

async function* directory(
  call: Call,
  members: readonly Packed[],
  offset: number,
): AsyncGenerator<Uint8Array> {
  let length = 0
  for (const [index, member] of members.entries()) {
    if (index % limits.listEntries === limits.listEntries - 1) await call.face.clock.sleep(0)
    const header = centralHeader(member)
    length += header.length
    yield header
  }
  yield endOf({ count: members.length, offset, length })
}

/** The bytes of that very version; of a link where it leads. */
async function* contentOf(
  files: Files,
  { path, version, target, size }: Packed,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (target !== undefined) yield Buffer.from(target)
  else if (version !== undefined && size > 0) yield* (await files.get(path, { version, signal })).bytes
}

const pieceBytes = 64 * 1024

/** Small pieces together: a packet for each would cost more than its content. */
async function* inLargePieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let small: Uint8Array[] = []
  let length = 0
  for await (const piece of pieces) {
    const isLarge = piece.length >= pieceBytes
    if (length > 0 && (isLarge || length + piece.length > pieceBytes)) {
      yield Buffer.concat(small)
      small = []
      length = 0
    }
    if (isLarge) yield piece
    else {
      small.push(piece)
      length += piece.length
    }
  }
  if (length > 0) yield Buffer.concat(small)
}
