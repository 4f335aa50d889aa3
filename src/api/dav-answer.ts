/** Answers of the WebDAV face: XML, refusals with the condition that RFC 4918 names, addresses of members. */
import type { Files } from '../peer/peer.ts'
import { closeLingering } from './linger.ts'
import { type Call, answered } from './route.ts'
import { escapeXml } from './xml.ts'

/** A request under `/dav`, with the verbs of who asks. */
export interface DavCall extends Call {
  files: Files
}

export const xmlHead = '<?xml version="1.0" encoding="utf-8"?>\n'

/** What members take; a collection or a file in the way of one of them takes the others. */
const davMethods =
  'OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK'.split(', ')

/** Ends a request with a status alone, or with XML. */
export function answer(call: DavCall, status: number, xml = ''): typeof answered {
  const { request, response, face } = call
  const body = xml === '' ? '' : xmlHead + xml
  if (status === 405)
    response.setHeader('allow', davMethods.filter((one) => one !== request.method).join(', '))
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
