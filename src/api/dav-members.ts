/** `GET`, `PUT`, `DELETE`, `MKCOL`, `COPY` and `MOVE` of WebDAV: the verbs, with its rules in front. */
import { fail, isCode } from '../base/errors.ts'
import type { ListedEntry } from '../peer/peer.ts'
import { wantedBytes } from './body.ts'
import { entityTag } from './conditions.ts'
import { type DavCall, DavRefusal, answer } from './dav-answer.ts'
import {
  destinationOf,
  parentOf,
  replacedVersion,
  requireConditions,
  requireTokens,
} from './dav-conditions.ts'
import { getFile, mediaType } from './files.ts'
import { answered } from './route.ts'

/** A file as everywhere; a folder says what it is. */
export async function getMember(call: DavCall): Promise<unknown> {
  const isFolder = call.path === '' || call.files.look(call.path)?.kind === 'folder'
  if (!isFolder) return getFile(call)
  call.response.setHeader('content-type', 'text/plain; charset=utf-8')
  const text = 'A WebDAV folder: connect to this address with a file manager (docs/API.md).\n'
  call.response.setHeader('content-length', text.length)
  call.response.end(call.request.method === 'HEAD' ? undefined : text)
  return answered
}

export async function putMember(call: DavCall): Promise<unknown> {
  const { path, request, response } = call
  const before = call.files.look(path)
  if (before?.kind === 'folder') throw new DavRefusal(405)
  if (request.headers['content-range'] !== undefined)
    throw fail('BAD_INPUT', { what: 'Content-Range', reason: 'a file is put as a whole' })
  requireParent(call, path)
  requireConditions(call)
  const replaces = replacedVersion(call, before)
  requireTokens(call, { path, member: before === undefined })
  const modified = mtimeOf(call)
  const { hash } = await call.files.put(path, wantedBytes(call), {
    ...replaces,
    size: sizeOf(call),
    modified,
    type: mediaType(request.headers['content-type']),
    signal: call.signal,
  })
  response.setHeader('etag', entityTag(hash))
  if (modified !== undefined) response.setHeader('x-oc-mtime', 'accepted')
  return answer(call, before === undefined ? 201 : 204)
}

/** Finder sends in chunks and tells the length apart. */
function sizeOf({ request }: DavCall): number | undefined {
  const length = request.headers['content-length'] ?? request.headers['x-expected-entity-length']
  return typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/** `X-OC-Mtime`, which ownCloud's clients and rclone send: seconds. */
function mtimeOf({ request }: DavCall): number | undefined {
  const text = String(request.headers['x-oc-mtime'] ?? '')
  return /^\d{1,11}(\.\d{1,9})?$/.test(text) ? Math.floor(Number(text) * 1000) : undefined
}

export async function removeMember(call: DavCall): Promise<unknown> {
  const { path, request } = call
  const line = memberInFolder(call)
  if (line.kind === 'folder' && (request.headers['depth'] ?? 'infinity') !== 'infinity')
    throw fail('BAD_INPUT', { what: 'Depth', reason: 'a folder is removed whole' })
  requireConditions(call)
  replacedVersion(call, line)
  requireTokens(call, { path, member: true, below: true })
  await call.files.remove(path, { recursive: true, signal: call.signal })
  await keepParent(call, path)
  call.face.locks.forget(path)
  return answer(call, 204)
}

export async function makeCollection(call: DavCall): Promise<unknown> {
  const { path, request } = call
  const hasBody = request.headers['transfer-encoding'] !== undefined || (sizeOf(call) ?? 0) > 0
  if (hasBody) throw new DavRefusal(415)
  if (path === '' || call.files.look(path) !== undefined) throw new DavRefusal(405)
  requireParent(call, path)
  requireConditions(call)
  requireTokens(call, { path, member: true })
  try {
    await call.files.makeFolder(path)
  } catch (thrown) {
    // Somebody else was first.
    if (isCode(thrown, 'ALREADY_EXISTS')) throw new DavRefusal(405)
    throw thrown
  }
  return answer(call, 201)
}

export async function copyMember(call: DavCall): Promise<unknown> {
  const depth = call.request.headers['depth'] ?? 'infinity'
  if (depth !== '0' && depth !== 'infinity')
    throw fail('BAD_INPUT', { what: 'Depth', reason: 'it is 0 or infinity' })
  memberInFolder(call)
  const { to, replaces, existing } = targetOf(call)
  await call.files.copy(call.path, to, { existing, shallow: depth === '0', signal: call.signal })
  return answer(call, replaces ? 204 : 201)
}

export async function moveMember(call: DavCall): Promise<unknown> {
  const { path } = call
  if ((call.request.headers['depth'] ?? 'infinity') !== 'infinity')
    throw fail('BAD_INPUT', { what: 'Depth', reason: 'a folder is moved whole' })
  memberInFolder(call)
  requireTokens(call, { path, member: true, below: true })
  const { to, replaces, existing } = targetOf(call)
  await call.files.move(path, to, { existing, signal: call.signal })
  await keepParent(call, path)
  call.face.locks.forget(path)
  return answer(call, replaces ? 204 : 201)
}

/** Where `COPY` and `MOVE` lead, once nothing forbids it. */
function targetOf(call: DavCall): { to: string; replaces: boolean; existing: 'replace' | 'refuse' } {
  const to = destinationOf(call)
  const overwrite = String(call.request.headers['overwrite'] ?? 'T').toUpperCase() !== 'F'
  const [a, b] = [`${call.path}/`, `${to}/`].map((path) => path.normalize('NFC')) as [string, string]
  if (!to.includes('/') || a.startsWith(b) || b.startsWith(a)) throw new DavRefusal(403)
  requireConditions(call)
  requireParent(call, to)
  const replaces = call.files.look(to) !== undefined
  if (replaces && !overwrite) throw fail('PRECONDITION_FAILED', { path: to })
  requireTokens(call, { path: to, member: !replaces, below: true })
  return { to, replaces, existing: overwrite ? 'replace' : 'refuse' }
}

/** What the request names, which must exist and lie in a folder: folders themselves are the admin's. */
function memberInFolder(call: DavCall): ListedEntry {
  if (!call.path.includes('/')) throw new DavRefusal(403)
  const line = call.files.look(call.path)
  if (line === undefined) throw fail('NOT_FOUND', { what: 'path', name: call.path })
  return line
}

/** New members need a folder that is there: 409, and 403 beside the folders themselves. */
export function requireParent(call: DavCall, path: string): void {
  const parent = parentOf(path)
  if (parent === '') throw new DavRefusal(403)
  if (call.files.look(parent)?.kind !== 'folder') throw fail('NO_PARENT', { path })
}

/** A folder that only its last member implied stays for who sees folders as things. */
async function keepParent(call: DavCall, path: string): Promise<void> {
  const parent = parentOf(path)
  try {
    if (parent.includes('/') && !call.files.has(parent)) await call.files.makeFolder(parent)
  } catch (thrown) {
    // Who may not see the folder above does not miss it.
    if (!isCode(thrown, 'FORBIDDEN')) throw thrown
  }
}
