/** The headers of tus 1.0 (https://tus.io/protocols/resumable-upload): read, checked, written. */
import type { Hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fail } from '../base/errors.ts'
import type { UploadState } from '../peer/peer.ts'
import { entityTag } from './conditions.ts'
import { runningDigest } from './digest.ts'

const version = '1.0.0'
const extensions =
  'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation'
const algorithms = ['sha1', 'sha256', 'sha512', 'md5']

/** What a page of another origin may send and read. */
export const tusHeaderNames =
  'tus-resumable, tus-version, tus-extension, tus-checksum-algorithm, upload-offset, upload-length, ' +
  'upload-defer-length, upload-metadata, upload-checksum, upload-concat, upload-expires, x-http-method-override'

export const isTus = (request: IncomingMessage): boolean => /^\/uploads(?:[/?]|$)/.test(request.url ?? '')

/** On every answer at `/uploads`; `OPTIONS` tells what is spoken. */
export function setTusHeaders(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('tus-resumable', version)
  if (request.method !== 'OPTIONS') return
  response.setHeader('tus-version', version)
  response.setHeader('tus-extension', extensions)
  response.setHeader('tus-checksum-algorithm', algorithms.join(','))
}

/** The method; where a client or proxy knows no PATCH, `POST` names the one it means. */
export function tusMethod(request: IncomingMessage): string {
  const named = header(request, 'x-http-method-override')?.toUpperCase()
  if (request.method === 'POST' && (named === 'PATCH' || named === 'DELETE' || named === 'HEAD')) return named
  return request.method ?? ''
}

/** `UPLOAD_PROTOCOL` unless the client speaks this version. A plain `GET` need not say. */
export function requireTus(request: IncomingMessage, response: ServerResponse): void {
  const found = header(request, 'tus-resumable')
  if (found === version) return
  response.setHeader('tus-version', version)
  throw fail('UPLOAD_PROTOCOL', { found: JSON.stringify((found ?? 'none').slice(0, 20)) })
}

export const offsetType = 'application/offset+octet-stream'

/** Whether the body holds bytes of the upload. */
export const bringsBytes = (request: IncomingMessage): boolean =>
  header(request, 'content-type') === offsetType

/** A number of bytes in a header; undefined when it is not sent. */
export function bytesHeader(request: IncomingMessage, name: string): number | undefined {
  const text = header(request, name)
  if (text === undefined) return undefined
  const bytes = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(bytes))
    throw fail('BAD_INPUT', { what: `the header ${name}`, reason: 'it is no number of bytes' })
  return bytes
}

/** `Upload-Metadata`: names with values in Base64. */
export function metadataOf(request: IncomingMessage): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const pair of (header(request, 'upload-metadata') ?? '').split(',')) {
    if (pair.trim() === '') continue
    const [, name, value] = /^([^\s,]+)(?: +([A-Za-z0-9+/]*={0,2}))?$/.exec(pair.trim()) ?? []
    if (name === undefined || found.has(name))
      throw fail('BAD_INPUT', { what: 'Upload-Metadata', reason: 'it is not of the form name base64,…' })
    found.set(name, utf8Of(value ?? ''))
  }
  return found
}

function utf8Of(base64: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64'))
  } catch (thrown) {
    throw fail('BAD_INPUT', { what: 'Upload-Metadata', reason: 'a value is no UTF-8' }, thrown)
  }
}

/** What `Upload-Checksum` says of a body. */
export interface Checksum {
  hash: Hash
  /** `UPLOAD_CHECKSUM` unless what `hash` was fed is what was announced. */
  verify: () => void
}

export function checksumOf(request: IncomingMessage, id: string): Checksum | undefined {
  const text = header(request, 'upload-checksum')
  if (text === undefined) return undefined
  const [, name = '', value = ''] = /^([a-z0-9]+) ([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  if (!algorithms.includes(name))
    throw fail('BAD_INPUT', { what: 'Upload-Checksum', reason: `it is none of ${algorithms.join(', ')}` })
  const hash = runningDigest(name)
  const verify = (): void => {
    if (!hash.digest().equals(Buffer.from(value, 'base64'))) throw fail('UPLOAD_CHECKSUM', { id })
  }
  return { hash, verify }
}

/** `Upload-Concat`: a part of a file, or the parts that one is joined from. */
export function concatOf(request: IncomingMessage): { part: boolean; of: string[] | undefined } {
  const text = header(request, 'upload-concat')
  if (text === undefined) return { part: false, of: undefined }
  if (text === 'partial') return { part: true, of: undefined }
  const ids = text.startsWith('final;') ? text.slice('final;'.length).trim().split(/ +/) : []
  const of = ids.map((url) => /\/uploads\/([0-9a-f]{64})$/.exec(url)?.[1])
  if (of.length === 0 || of.includes(undefined))
    throw fail('BAD_INPUT', {
      what: 'Upload-Concat',
      reason: 'it is neither partial nor final;/uploads/… /uploads/…',
    })
  return { part: false, of: of as string[] }
}

export const uploadAddress = (id: string): string => `/uploads/${id}`

/** Where an upload stands. */
export function setUploadHeaders(response: ServerResponse, upload: UploadState): void {
  const { offset, size, expires, part, of, result } = upload
  response.setHeader('upload-offset', offset)
  if (size === undefined) response.setHeader('upload-defer-length', '1')
  else response.setHeader('upload-length', size)
  if (result === undefined) response.setHeader('upload-expires', new Date(expires).toUTCString())
  else response.setHeader('etag', entityTag(result.hash))
  if (part) response.setHeader('upload-concat', 'partial')
  if (of !== undefined) response.setHeader('upload-concat', `final;${of.map(uploadAddress).join(' ')}`)
}

/** A header that is sent once. */
export function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}
