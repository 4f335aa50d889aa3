/** `/files/FOLDER/PATH`: whole files in and out, streamed both ways. */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { RecordHash } from '../base/words.ts'
import type { Download, PutOptions } from '../peer/peer.ts'
import { queryOf, wantedBytes } from './body.ts'
import { entityTag, namesVersion, parseRange } from './conditions.ts'
import { checkDigest } from './digest.ts'
import { factHeaders } from './fact-headers.ts'
import { factsOf } from './file-headers.ts'
import { recordHash } from './inputs.ts'
import { type Call, type Route, Reply, answered } from './route.ts'
import { sendBytes } from './send.ts'
import { requireNoCode } from './web-rules.ts'

export const filesRoutes: Route[] = [
  { method: 'GET', path: '/files/*', scope: 'read', handle: getFile },
  { method: 'PUT', path: '/files/*', scope: 'write', handle: putFile },
  { method: 'DELETE', path: '/files/*', scope: 'write', handle: deleteFile },
]

const getQuery = z.strictObject({ version: recordHash.optional() })

async function getFile(call: Call): Promise<unknown> {
  const { request, response, path } = call
  requireNoCode(request)
  const { version } = queryOf(call, getQuery)
  const whole = await call.peer.files.get(path, { version, signal: call.signal })
  setFileHeaders(call, whole)
  if (isUnchanged(call, whole.version)) return finish(call, 304)
  const range = wantsRange(call, whole.version)
    ? parseRange(request.headers.range, whole.size, path)
    : undefined
  if (range === undefined) return sendFile(call, whole, 200)
  const part = await call.peer.files.get(path, { version: whole.version, range, signal: call.signal })
  response.setHeader('content-range', `bytes ${range.first}-${range.last}/${whole.size}`)
  return sendFile(call, part, 206)
}

/** User content never runs in the app's origin: a download, of the stated type, in a sandbox. */
function setFileHeaders(call: Call, file: Download): void {
  const { response } = call
  const name = file.path.split('/').at(-1) ?? 'file'
  response.setHeader('content-type', file.type)
  response.setHeader('content-security-policy', "sandbox; default-src 'none'; frame-ancestors 'none'")
  response.setHeader('content-disposition', `attachment; filename*=UTF-8''${encodeRfc8187(name)}`)
  response.setHeader('accept-ranges', 'bytes')
  response.setHeader('cache-control', 'private, no-cache')
  response.setHeader('etag', entityTag(file.version))
  response.setHeader('last-modified', new Date(file.modified).toUTCString())
  response.setHeader('peerstor-hash', file.hash)
  response.setHeader('peerstor-size', String(file.size))
  const facts = factHeaders({ mode: file.mode, modified: file.modified, link: file.target })
  for (const [header, value] of Object.entries(facts)) response.setHeader(header, value)
}

const isUnchanged = (call: Call, version: RecordHash): boolean => {
  const tags = call.request.headers['if-none-match']
  return tags !== undefined && namesVersion(tags, version)
}

const wantsRange = (call: Call, version: RecordHash): boolean => {
  const tag = call.request.headers['if-range']
  return tag === undefined || tag === entityTag(version)
}

/** Sends the bytes; who asks for trailers learns at the end which peers they came from. */
async function sendFile(call: Call, file: Download, status: number): Promise<unknown> {
  const { request, response } = call
  if (request.method === 'HEAD') {
    response.setHeader('content-length', file.size === 0 ? 0 : file.last - file.first + 1)
    return finish(call, status)
  }
  const trailers = /(^|[ ,])trailers($|[ ,;])/.test(String(request.headers.te ?? ''))
  if (trailers) response.setHeader('trailer', 'peerstor-sources')
  else response.setHeader('content-length', file.size === 0 ? 0 : file.last - file.first + 1)
  response.writeHead(status)
  await sendBytes(response, file.bytes, call.face.clock)
  if (trailers) response.addTrailers({ 'peerstor-sources': file.sources().join(',') })
  response.end()
  return answered
}

function finish(call: Call, status: number): typeof answered {
  call.response.writeHead(status).end()
  return answered
}

const putQuery = z.strictObject({ durability: z.coerce.number().int().min(1).max(64).optional() })

async function putFile(call: Call): Promise<unknown> {
  const { request, path } = call
  const { durability } = queryOf(call, putQuery)
  const existed = call.peer.files.has(path)
  const source = checkDigest(wantedBytes(call), request.headers['content-digest']?.toString(), path)
  const options: PutOptions = {
    ...factsOf(request),
    ...(await replacedVersion(call)),
    size:
      request.headers['content-length'] === undefined ? undefined : Number(request.headers['content-length']),
    type: mediaType(request.headers['content-type']),
    durability,
    signal: call.signal,
  }
  const {
    size,
    hash,
    version,
    copies,
    sentBytes,
    savedBytes,
    path: stored,
  } = await call.peer.files.put(path, source, options)
  const pending = durability !== undefined && copies < durability
  call.response.setHeader('etag', entityTag(version))
  return new Reply(pending ? 202 : existed ? 200 : 201, {
    path: stored,
    size,
    hash,
    version,
    copies,
    sentBytes,
    savedBytes,
  })
}

/** `If-Match` and `If-None-Match` as the version that may be replaced. */
async function replacedVersion(call: Call): Promise<Pick<PutOptions, 'replaces'>> {
  const match = call.request.headers['if-match']
  const noneMatch = call.request.headers['if-none-match']
  if (noneMatch?.trim() === '*') return { replaces: 'none' }
  if (match === undefined && noneMatch === undefined) return {}
  const current = call.peer.files.has(call.path) ? (await call.peer.files.get(call.path)).version : undefined
  const refused =
    match !== undefined
      ? current === undefined || !namesVersion(match, current)
      : current !== undefined && namesVersion(noneMatch ?? '', current)
  if (refused) throw fail('PRECONDITION_FAILED', { path: call.path })
  return current === undefined ? { replaces: 'none' } : { replaces: current }
}

/** What a browser or curl sends when it does not know is not worth keeping. */
function mediaType(header: string | undefined): string | undefined {
  const type = header?.trim().toLowerCase()
  const vague = ['application/octet-stream', 'application/x-www-form-urlencoded']
  if (type === undefined || vague.includes(type)) return undefined
  return /^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/.test(type) ? type : undefined
}

const deleteQuery = z.strictObject({ recursive: z.enum(['1', 'true']).optional() })

async function deleteFile(call: Call): Promise<unknown> {
  const { recursive } = queryOf(call, deleteQuery)
  if (call.request.headers['if-match'] !== undefined) await replacedVersion(call)
  return call.peer.files.remove(call.path, { recursive: recursive !== undefined, signal: call.signal })
}

function encodeRfc8187(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
