/** Who asks: `Authorization: Bearer`, Basic with the token as password, or the session cookie. */
import type { IncomingMessage } from 'node:http'
import type { Subject } from '../peer/peer.ts'
import type { Face } from './route.ts'
import { clientAddress, isHttps } from './web-rules.ts'

/** The subject of a request, undefined when it shows nothing valid; wrong tokens are counted. */
export function authenticate(face: Face, request: IncomingMessage): Subject | undefined {
  return request.headers.authorization === undefined
    ? subjectOfCookie(face, request)
    : authenticateToken(face, request)
}

/** The same, where cookies do not count. */
export function authenticateToken(face: Face, request: IncomingMessage): Subject | undefined {
  const token = tokenOf(request.headers.authorization)
  if (token === undefined) return undefined
  const subject = face.peer.tokens.ofToken(token)
  if (subject === undefined) face.signIns.failed(clientAddress(face, request))
  return subject
}

/** The token of an Authorization header. */
function tokenOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const [, scheme = '', value = ''] = /^(\w+) +(\S+) *$/.exec(header) ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return undefined
  const text = Buffer.from(value, 'base64').toString('utf8')
  return text.slice(text.indexOf(':') + 1)
}

function subjectOfCookie(face: Face, request: IncomingMessage): Subject | undefined {
  const value = cookieOf(request, cookieName(face, request))
  return value === undefined ? undefined : face.peer.tokens.ofSession(value)
}

/** Browsers send cookies to every port of a host: the name tells several peers on one machine apart. */
export function cookieName(face: Face, request: IncomingMessage): string {
  return isHttps(face, request) ? '__Host-peerstor' : `peerstor-${face.bound.port}`
}

function cookieOf(request: IncomingMessage, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}
