/** One S3 request whose signature was right, and its answers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Files, Peer, Subject } from '../peer/peer.ts'
import type { Face } from './route.ts'
import { queryValue, type S3Address } from './s3-address.ts'
import type { SignedRequest } from './s3-signature.ts'
import { s3Document, type XmlPart } from './s3-xml.ts'

export interface S3Call {
  face: Face
  peer: Peer
  request: IncomingMessage
  response: ServerResponse
  address: S3Address
  bucket: string
  key: string
  /** `BUCKET/KEY` as `files/` takes it and checks it. */
  name: string
  signed: SignedRequest
  subject: Subject
  /** The verbs with the rights of the key. */
  files: Files
  signal: AbortSignal
}

export const query = (call: S3Call, name: string): string | undefined => queryValue(call.address, name)

/** A header as text; undefined when it is not there. */
export function header(call: S3Call, name: string): string | undefined {
  const value = call.request.headers[name]
  return typeof value === 'string' ? value : undefined
}

export function sendXml(call: S3Call, root: string, content: XmlPart): void {
  const document = s3Document(root, content)
  call.response.setHeader('content-type', 'application/xml')
  call.response.setHeader('content-length', Buffer.byteLength(document))
  call.response.writeHead(200).end(document)
}

export function sendEmpty(call: S3Call, status: number): void {
  if (status !== 204) call.response.setHeader('content-length', 0)
  call.response.writeHead(status).end()
}
