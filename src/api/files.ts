/** `/files/FOLDER/PATH`: whole files in and out, streamed both ways. */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Download, PutOptions } from '../peer/peer.ts'
import { queryOf, wantedBytes } from './body.ts'
import { contentRange, lengthOf, RangeParts } from './byte-ranges.ts'
import { entityTag, namesStrongly, namesWeakly, parseRanges, type ByteRange } from './conditions.ts'
import { checkDigest, digestAskedFor, tellDigest } from './digest.ts'
import { encoded, encodingOf, paysToEncode } from './encoding.ts'
import { factHeaders } from './fact-headers.ts'
import { factsNow, factsOf } from './file-headers.ts'
import { expiry, recordHash } from './inputs.ts'
import { type Call, type Route, Reply, answered } from './route.ts'
import { sendBytes } from './send.ts'
import { requireNoCode } from './web-rules.ts'

export const filesRoutes: Route[] = [
  { method: 'GET', path: '/files/*', scope: 'read', handle: getFile },
  { method: 'PUT', path: '/files/*', scope: 'write', handle: putFile },
  { method: 'DELETE', path: '/files/*', scope: 'write', handle: deleteFile },
]

export const getQuery = z.strictObject({ version: recordHash.optional() })

export async function getFile(call: Call): Promise<unknown> {
  const { request, path } = call
  requireNoCode(request)
  const { version } = queryOf(call, getQuery)
  const whole = await call.peer.files.get(path, { version, signal: call.signal })
  setFileHeaders(call, whole)
  const condition = conditionOf(call, whole)
  if (condition !== undefined) return finish(call, condition)
  const ranges = wantsRange(call, whole) ? parseRanges(request.headers.range, whole.size, path) : undefined
  return ranges === undefined ? sendWhole(call, whole) : sendRanges(call, whole, ranges)
}

/** 412 or 304 where the client's conditions say so. */
function conditionOf({ request }: Call, { hash, path, modified }: Download): 304 | undefined {
  const match = request.headers['if-match']
  if (match !== undefined && !namesStrongly(match, hash)) throw fail('PRECONDITION_FAILED', { path })
  const noneMatch = request.headers['if-none-match']
  if (noneMatch !== undefined) return namesWeakly(noneMatch, hash) ? 304 : undefined
  // Exactly: a file put back to an older time has changed too.
  const since = request.headers['if-modified-since']
  return since !== undefined && since === new Date(modified).toUTCString() ? 304 : undefined
}

/** A range of other content than the client has is of no use to it: then it gets all. */
const wantsRange = ({ request }: Call, { hash }: Download): boolean => {
  const tag = request.headers['if-range']
  return tag === undefined || tag === entityTag(hash)
}

async function sendWhole(call: Call, file: Download): Promise<unknown> {
  const { response } = call
  if (paysToEncode(file.type, file.size)) {
    const encoding = encodingOf(call)
    if (encoding !== undefined) {
      response.setHeader('etag', entityTag(file.hash, encoding))
      return sendBody(call, {
        status: 200,
        bytes: () => encoded(file.bytes, encoding),
        sources: () => file.sources(),
      })
    }
  }
  const digest = call.face.digests.of(file.hash)
  if (digest !== undefined) response.setHeader('content-digest', digest)
  return sendBody(call, {
    status: 200,
    length: file.size,
    bytes: () => file.bytes,
    sources: () => file.sources(),
  })
}

async function sendRanges(call: Call, whole: Download, ranges: readonly ByteRange[]): Promise<unknown> {
  const sources = new Set<string>()
  const read = async function* (range: ByteRange): AsyncGenerator<Uint8Array> {
    const part = await call.peer.files.get(call.path, { version: whole.version, range, signal: call.signal })
    yield* part.bytes
    for (const peer of part.sources()) sources.add(peer)
  }
  const answer = { status: 206, sources: () => [...sources] }
  const [only] = ranges
  if (only !== undefined && ranges.length === 1) {
    call.response.setHeader('content-range', contentRange(only, whole.size))
    return sendBody(call, { ...answer, length: lengthOf(only), bytes: () => read(only) })
  }
  const parts = new RangeParts(call.face.random.bytes(16).toString('hex'), whole.type, whole.size)
  call.response.setHeader('content-type', parts.contentType)
  return sendBody(call, { ...answer, length: parts.length(ranges), bytes: () => parts.bytes(ranges, read) })
}

interface Body {
  status: number
  /** Undefined: not known before the end. */
  length?: number
  bytes: () => AsyncIterable<Uint8Array>
  sources: () => readonly string[]
}

/** Sends the bytes; who asks for trailers learns at the end which peers they came from, and their digest. */
export async function sendBody(call: Call, { status, length, bytes, sources }: Body): Promise<unknown> {
  const { request, response } = call
  const wanted = response.hasHeader('content-digest') ? undefined : digestAskedFor(request)
  const trailers = /(^|[ ,])trailers($|[ ,;])/.test(String(request.headers.te ?? ''))
  if (trailers && request.method !== 'HEAD')
    response.setHeader(
      'trailer',
      wanted === undefined ? 'peerstor-sources' : 'peerstor-sources, content-digest',
    )
  else if (length !== undefined) response.setHeader('content-length', length)
  // The head goes out with the first byte: until then a chunk that nobody has is still a proper error.
  response.statusCode = status
  if (request.method === 'HEAD') {
    response.end()
    return answered
  }
  let digest: string | undefined
  const told = trailers && wanted !== undefined
  await sendBytes(
    response,
    told ? tellDigest(bytes(), wanted, (item) => (digest = item)) : bytes(),
    call.face.clock,
  )
  if (trailers)
    response.addTrailers({
      'peerstor-sources': sources().join(','),
      ...(digest === undefined ? {} : { 'content-digest': digest }),
    })
  response.end()
  return answered
}

/** User content never runs in the app's origin: a download, of the stated type, in a sandbox. */
export function setFileHeaders(call: Call, file: Download): void {
  const { response } = call
  const name = file.path.split('/').at(-1) ?? 'file'
  response.setHeader('content-type', file.type)
  response.setHeader('content-security-policy', "sandbox; default-src 'none'; frame-ancestors 'none'")
  response.setHeader('content-disposition', `attachment; ${fileNames(name)}`)
  response.setHeader('accept-ranges', 'bytes')
  response.setHeader('cache-control', 'private, no-cache')
  response.setHeader('etag', entityTag(file.hash))
  response.setHeader('last-modified', new Date(file.modified).toUTCString())
  response.setHeader('peerstor-hash', file.hash)
  response.setHeader('peerstor-version', file.version)
  response.setHeader('peerstor-size', String(file.size))
  const facts = factHeaders({ mode: file.mode, modified: file.modified, link: file.target })
  for (const [header, value] of Object.entries(facts)) response.setHeader(header, value)
}

function finish(call: Call, status: number): typeof answered {
  call.response.writeHead(status).end()
  return answered
}

export const putQuery = z.strictObject({
  durability: z.coerce.number().int().min(1).max(64).optional(),
  expires: expiry.optional(),
})

async function putFile(call: Call): Promise<unknown> {
  const { request, path } = call
  const { durability, expires } = queryOf(call, putQuery)
  let existed = false
  const source = checkDigest(wantedBytes(call), request.headers['content-digest']?.toString(), path)
  const options: PutOptions = {
    ...factsNow({ ...factsOf(request), ...(expires === undefined ? {} : { expires }) }, call.face.clock),
    ...(await replacedVersion(call)),
    size:
      request.headers['content-length'] === undefined ? undefined : Number(request.headers['content-length']),
    type: mediaType(request.headers['content-type']),
    durability,
    signal: call.signal,
    onFound: (isThere) => (existed = isThere),
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
  call.response.setHeader('etag', entityTag(hash))
  call.face.digests.learn(hash, request.headers['content-digest']?.toString())
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

/** `If-Match` and `If-None-Match` as the version that may be replaced: no other may slip in between. */
async function replacedVersion(call: Call): Promise<Pick<PutOptions, 'replaces'>> {
  const match = call.request.headers['if-match']
  const noneMatch = call.request.headers['if-none-match']
  if (noneMatch?.trim() === '*') return { replaces: 'none' }
  if (match === undefined && noneMatch === undefined) return {}
  const current = call.peer.files.has(call.path) ? await call.peer.files.get(call.path) : undefined
  const refused =
    match !== undefined
      ? current === undefined || !namesStrongly(match, current.hash)
      : current !== undefined && namesWeakly(noneMatch ?? '', current.hash)
  if (refused) throw fail('PRECONDITION_FAILED', { path: call.path })
  return { replaces: current?.version ?? 'none' }
}

/** What a browser or curl sends when it does not know is not worth keeping. */
export function mediaType(header: string | undefined): string | undefined {
  const type = header?.trim().toLowerCase()
  const vague = ['application/octet-stream', 'application/x-www-form-urlencoded']
  if (type === undefined || vague.includes(type)) return undefined
  return /^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/.test(type) ? type : undefined
}

export const deleteQuery = z.strictObject({ recursive: z.enum(['1', 'true']).optional() })

async function deleteFile(call: Call): Promise<unknown> {
  const { recursive } = queryOf(call, deleteQuery)
  if (call.request.headers['if-match'] !== undefined) await replacedVersion(call)
  return call.peer.files.remove(call.path, { recursive: recursive !== undefined, signal: call.signal })
}

/** The name of a file for `Content-Disposition`: in ASCII as far as it goes, and whole (RFC 6266, RFC 8187). */
function fileNames(name: string): string {
  const plain = name.replaceAll(/[^ -~]|["\\%]/g, '_')
  const whole = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `filename="${plain}"; filename*=UTF-8''${whole}`
}
