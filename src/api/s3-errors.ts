/** Errors as S3 clients know them: its codes in its XML, with our own code and next step beside. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { ErrorCode, PeerStorError } from '../base/errors.ts'
import { closeLingering } from './linger.ts'
import { s3Document, tag } from './s3-xml.ts'

/** Our code to theirs; the status is ours unless named. What is missing is `InternalError` or `InvalidRequest`. */
const codes: Partial<Record<ErrorCode, string | readonly [code: string, status: number]>> = {
  NOT_SIGNED_IN: ['AccessDenied', 403],
  FORBIDDEN: 'AccessDenied',
  KEY_UNAVAILABLE: 'AccessDenied',
  STORAGE_ONLY: 'AccessDenied',
  SIGNATURE_EXPIRED: 'AccessDenied',
  ACCESS_KEY_UNKNOWN: 'InvalidAccessKeyId',
  SIGNATURE_REFUSED: 'SignatureDoesNotMatch',
  CLOCK_SKEWED: 'RequestTimeTooSkewed',
  BAD_PATH: 'InvalidArgument',
  BAD_RANGE: 'InvalidRange',
  BAD_ID: 'InvalidArgument',
  TOO_LARGE: ['EntityTooLarge', 400],
  DIGEST_MISMATCH: 'BadDigest',
  PRECONDITION_FAILED: 'PreconditionFailed',
  FOLDER_NOT_EMPTY: 'BucketNotEmpty',
  UPLOAD_UNKNOWN: 'NoSuchUpload',
  UPLOAD_EXPIRED: ['NoSuchUpload', 404],
  UPLOAD_BUSY: ['OperationAborted', 409],
  PART_UNKNOWN: 'InvalidPart',
  PART_ORDER: 'InvalidPartOrder',
  UNSUPPORTED: 'NotImplemented',
  RATE_LIMITED: ['SlowDown', 503],
  TIMED_OUT: ['RequestTimeout', 400],
  QUOTA_FULL: 'StorageFull',
  DISK_FULL: 'StorageFull',
  CHUNK_UNAVAILABLE: 'ServiceUnavailable',
  NOT_HERE: ['ServiceUnavailable', 503],
}

/** What S3 calls an error, and the status it gives it. */
export function s3ErrorOf(error: PeerStorError): { code: string; status: number } {
  const { status } = error
  if (error.code === 'NOT_FOUND')
    return { code: error.data['what'] === 'folder' ? 'NoSuchBucket' : 'NoSuchKey', status }
  if (error.code === 'ALREADY_EXISTS' || error.code === 'IS_FOLDER')
    return { code: error.data['what'] === 'folder' ? 'BucketAlreadyOwnedByYou' : 'KeyConflict', status: 409 }
  if (error.code === 'TOO_LARGE' && /metadata|properties/.test(String(error.data['what'])))
    return { code: 'MetadataTooLarge', status: 400 }
  if (error.code === 'BAD_INPUT') return { code: badInputOf(String(error.data['what'])), status }
  const known = codes[error.code]
  if (known === undefined) return { code: status >= 500 ? 'InternalError' : 'InvalidRequest', status }
  return typeof known === 'string' ? { code: known, status } : { code: known[0], status: known[1] }
}

function badInputOf(what: string): string {
  if (what === 'the signature') return 'AuthorizationHeaderMalformed'
  if (what.startsWith('the XML')) return 'MalformedXML'
  return what === 'the body' ? 'IncompleteBody' : 'InvalidArgument'
}

/** Sends `error`, or cuts the connection when an answer has begun. */
export function sendS3Error(
  request: IncomingMessage,
  response: ServerResponse,
  error: PeerStorError,
  clock: Clock,
): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  const { code, status } = s3ErrorOf(error)
  const body = s3ErrorDocument(error)
  response.statusCode = status
  response.setHeader('content-type', 'application/xml')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-length', Buffer.byteLength(body))
  if (code === 'InvalidRange')
    response.setHeader('content-range', `bytes */${String(error.data['size'] ?? '*')}`)
  if (request.complete || request.method === 'HEAD') response.end(body)
  else closeLingering(request, response, body, clock)
}

/** The document alone: completing an upload may fail when the answer has begun. */
export function s3ErrorDocument(error: PeerStorError): string {
  const { code } = s3ErrorOf(error)
  const message = error.status >= 500 ? error.message : `${error.message}: ${error.next}`
  return s3Document(
    'Error',
    [tag('Code', code), tag('Message', message), tag('PeerStorCode', error.code)],
    '',
  )
}
