/** Answers of the WebDAV face: XML, refusals with the condition that RFC 4918 names, addresses of members. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Files } from '../peer/peer.ts'
import { closeLingering } from './linger.ts'
import { type Call, answered } from './route.ts'
import { escapeXml } from './xml.ts'

/** A request under `/dav`, with the verbs of who asks. */
export interface DavCall extends Call {
  files: Files
}

export const xmlHead = '<?xml version="1.0" encoding="utf-8"?>\n'

/** `OPTIONS`: what is spoken here, for clients that look for WebDAV below `/dav` or, as Explorer, at the top. */
export function answerOptions(request: IncomingMessage, response: ServerResponse): void {
  if (!/^\/(dav(\/|$)|$)/.test(request.url ?? '')) return void response.writeHead(204).end()
  response.setHeader('dav', '1, 2')
  response.setHeader('ms-author-via', 'DAV')
  response.setHeader(
    'allow',
    'OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK',
  )
  response.writeHead(200, { 'content-length': 0 }).end()
}

/** Ends a request with a status alone, or with XML. */
export function answer(call: DavCall, status: number, xml = ''): typeof answered {
  const { request, response, face } = call
  const body = xml === '' ? '' : xmlHead + xml
  response.statusCode = status
  if (status !== 204) response.setHeader('content-length', Buffer.byteLength(body))
  if (body !== '') response.setHeader('content-type', 'application/xml; charset=utf-8')
  if (request.complete || status < 400) response.end(body)
  else closeLingering(request, response, body, face.clock)
  return answered
}

/** Something that RFC 4918 forbids; `condition` is the XML of the rule that was broken. */
export class DavRefusal extends Error {
  readonly status: number
  readonly condition: string
  constructor(status: number, condition = '') {
    super(`refused with ${status}`)
    this.status = status
    this.condition = condition
  }
}

export function answerRefusal(call: DavCall, { status, condition }: DavRefusal): typeof answered {
  return answer(call, status, condition === '' ? '' : `<D:error xmlns:D="DAV:">${condition}</D:error>`)
}

/** The address of a member, as it stands in XML. */
export function hrefOf(path: string, isFolder: boolean): string {
  const parts = path === '' ? [] : path.split('/').map((part) => encodeURIComponent(part))
  return escapeXml(`/${['dav', ...parts].join('/')}${isFolder ? '/' : ''}`)
}
