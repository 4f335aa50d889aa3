/**
 * What a browser may be made to do to this peer: nothing from another page. Host names are checked
 * against DNS rebinding, Origin and Sec-Fetch-Site against requests from other sites, and every
 * answer carries headers that keep it out of other pages.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { fail } from '../base/errors.ts'
import type { Face } from './route.ts'
import { tusHeaderNames } from './tus.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Headers of every answer; the app page and user content replace the policy by their own. */
const commonHeaders: Record<string, string> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

export function setCommonHeaders(face: Face, request: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value)
  // The name is this peer's own only behind a proxy, or where it is said: other programs of this machine share its host.
  if (isHttps(face, request) && !isOwnTls(face, request))
    response.setHeader('strict-transport-security', 'max-age=31536000')
}

/** Fails unless the request names this peer as its host. */
export function requireHost(face: Face, request: IncomingMessage): void {
  const name = hostNameOf(hostOf(face, request) ?? '')
  if (name !== undefined && (isIP(name) !== 0 || ownNames(face).has(name))) return
  throw fail('HOST_REFUSED', { host: JSON.stringify((request.headers.host ?? '').slice(0, 100)) })
}

/** Fails when a request that changes something, or opens a WebSocket, comes from another site. */
export function requireOrigin(face: Face, request: IncomingMessage, always = false): void {
  if (!always && safeMethods.has(request.method ?? '')) return
  const { origin } = request.headers
  const site = request.headers['sec-fetch-site']
  const refused =
    origin === undefined
      ? site !== undefined && site !== 'same-origin' && site !== 'none'
      : !isOwnOrigin(face, request, origin) && !isAllowedOrigin(face, origin)
  if (refused)
    throw fail('ORIGIN_REFUSED', { origin: JSON.stringify((origin ?? 'another site').slice(0, 100)) })
}

/** What a browser would run or style a page with. */
const codeUses = new Set(
  'script style worker sharedworker serviceworker audioworklet paintworklet xslt object embed manifest'.split(
    ' ',
  ),
)

/** Fails when a browser wants a stored file as code: not even the own page may run one. */
export function requireNoCode(request: IncomingMessage): void {
  const use = request.headers['sec-fetch-dest']
  if (typeof use === 'string' && codeUses.has(use))
    throw fail('ORIGIN_REFUSED', { origin: JSON.stringify(use) })
}

/** Lets the origins of the setting `cors` read answers; they sign in by token, never by cookie. */
export function setCorsHeaders(face: Face, request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers
  if (origin === undefined || !isAllowedOrigin(face, origin)) return
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-allow-methods', 'GET, HEAD, PUT, POST, PATCH, DELETE')
  response.setHeader(
    'access-control-allow-headers',
    `authorization, content-type, content-digest, range, if-match, if-none-match, if-range, ${tusHeaderNames}`,
  )
  response.setHeader(
    'access-control-expose-headers',
    `etag, content-range, content-length, content-digest, location, ${tusHeaderNames}`,
  )
  response.setHeader('cross-origin-resource-policy', 'cross-origin')
  response.appendHeader('vary', 'origin')
}

/** Whether the browser reached this peer by https, as far as can be known. */
export function isHttps(face: Face, request: IncomingMessage): boolean {
  if ('encrypted' in request.socket) return true
  return trustsProxy(face) && lastOf(request.headers['x-forwarded-proto']) === 'https'
}

/** Of the port that speaks http too, under a name that was not said to be public. */
function isOwnTls(face: Face, request: IncomingMessage): boolean {
  const isPublic = face.peer.settings.get('public-url')?.startsWith('https:') === true
  return 'encrypted' in request.socket && !isPublic
}

/** The address that asks; behind a trusted proxy the one that the proxy saw. */
export function clientAddress(face: Face, request: IncomingMessage): string {
  const seen = request.socket.remoteAddress ?? 'unknown'
  return trustsProxy(face) ? (lastOf(request.headers['x-forwarded-for']) ?? seen) : seen
}

/** The host that the client named; behind a trusted proxy the one that the proxy was asked for. */
export function hostOf(face: Face, request: IncomingMessage): string | undefined {
  const forwarded = trustsProxy(face) ? lastOf(request.headers['x-forwarded-host']) : undefined
  return forwarded ?? request.headers.host
}

const trustsProxy = (face: Face): boolean => face.peer.settings.get('trust-proxy')

/** A proxy appends what it saw itself: the last item is the trustworthy one. */
function lastOf(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(',') : header
  return text?.split(',').at(-1)?.trim()
}

/** `name[:port]` or `[v6][:port]` as a lower-case name or address; undefined when it is neither. */
function hostNameOf(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+?)\.?)(?::\d{1,5})?$/i.exec(host)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}

function ownNames(face: Face): Set<string> {
  const names = ['localhost', hostname(), face.peer.settings.get('name') ?? '']
    .filter((name) => name !== '')
    .flatMap((name) => [name, `${name}.local`])
  const publicUrl = face.peer.settings.get('public-url')
  if (publicUrl !== undefined) names.push(new URL(publicUrl).hostname)
  return new Set(names.map((name) => name.toLowerCase()))
}

/** A page of this very peer: the origin's host and port are the ones the request names. */
function isOwnOrigin(face: Face, request: IncomingMessage, origin: string): boolean {
  const publicUrl = face.peer.settings.get('public-url')
  if (publicUrl !== undefined && new URL(publicUrl).origin === origin) return true
  const scheme = isHttps(face, request) ? 'https' : 'http'
  return origin.toLowerCase() === `${scheme}://${hostOf(face, request) ?? ''}`.toLowerCase()
}

const isAllowedOrigin = (face: Face, origin: string): boolean =>
  face.peer.settings.get('cors').includes(origin)
