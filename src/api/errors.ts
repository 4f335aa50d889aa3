/** Any thrown value as an RFC 9457 problem document with the catalogue's `code` and `next`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { type PeerStorError, asPeerStorError, fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { closeLingering } from './linger.ts'

/** Node's own error codes of a client that went away while it sent or received. */
const goneCodes = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'])

/** The catalogue error for anything a handler threw. */
export function errorOf(thrown: unknown): PeerStorError {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined
  if (code !== undefined && goneCodes.has(code)) return fail('INTERRUPTED', { what: 'the request' }, thrown)
  return asPeerStorError(thrown)
}

/** Sends `error`, or cuts the connection when an answer has begun: a shortened body must not look whole. */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  error: PeerStorError,
  clock: Clock,
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) if (describesFile(name)) response.removeHeader(name)
  const body = JSON.stringify(problemOf(error))
  response.statusCode = error.status
  for (const [name, value] of Object.entries(headersOf(error)))
    if (!response.hasHeader(name)) response.setHeader(name, value)
  response.setHeader('content-type', 'application/problem+json')
  response.setHeader('content-length', Buffer.byteLength(body))
  response.setHeader('cache-control', 'no-store')
  if (request.complete || request.method === 'HEAD') response.end(body)
  else closeLingering(request, response, body, clock)
}

/** Headers of a file's answer that would be false on a problem in its place. */
function describesFile(name: string): boolean {
  return fileHeaders.has(name) || name.startsWith('peerstor-')
}

const fileHeaders = new Set([
  'accept-ranges',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-range',
  'etag',
  'last-modified',
  'trailer',
])

const details = new WeakMap<PeerStorError, Record<string, unknown>>()

/** The error with more members in its problem document. */
export function withDetails(error: PeerStorError, more: Record<string, unknown>): PeerStorError {
  details.set(error, more)
  return error
}

/** The members of a problem document. */
export function problemOf(error: PeerStorError): Record<string, unknown> {
  return {
    type: `urn:peerstor:error:${error.code}`,
    title: error.code,
    status: error.status,
    detail: error.message,
    code: error.code,
    message: error.message,
    next: error.next,
    ...details.get(error),
    ...(error.code === 'DURABILITY_PENDING' ? { have: error.data['have'], want: error.data['want'] } : {}),
  }
}

function headersOf(error: PeerStorError): Record<string, string> {
  if (error.code === 'NOT_SIGNED_IN') return { 'www-authenticate': 'Bearer realm="PeerStor"' }
  if (error.code === 'METHOD_NOT_ALLOWED') return { allow: String(error.data['allowed']) }
  if (error.code === 'RATE_LIMITED') return { 'retry-after': String(error.data['seconds'] ?? 60) }
  if (error.code === 'BAD_RANGE') return { 'content-range': `bytes */${String(error.data['size'] ?? '*')}` }
  if (error.code === 'TIMED_OUT') return { 'retry-after': String(limits.stallTimeoutMs / 1000) }
  return {}
}
