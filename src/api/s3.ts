/**
 * S3 for restic, rclone, s3cmd, the AWS command line and the like: buckets are folders, keys are paths
 * in them. A request comes here when it is signed by signature version 4, or lies below `/s3`. Who may
 * do what is decided by `files/` for the token that the access key names.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fail } from '../base/errors.ts'
import { errorOf } from './errors.ts'
import type { Face } from './route.ts'
import { isMounted, parseS3Address } from './s3-address.ts'
import { createBucket, deleteBucket, headBucket, listBuckets, requireBucket } from './s3-buckets.ts'
import { sendXml, type S3Call } from './s3-call.ts'
import { deleteObjects } from './s3-delete-objects.ts'
import { sendS3Error } from './s3-errors.ts'
import { listObjects } from './s3-list-objects.ts'
import {
  abortMultipart,
  beginMultipart,
  completeMultipart,
  listMultiparts,
  listParts,
  putPart,
} from './s3-multipart.ts'
import { deleteObject, getObject, putObject } from './s3-objects.ts'
import { checkSignature, showsSignature } from './s3-signature.ts'
import type { UnderWay } from './under-way.ts'

export function isS3(request: IncomingMessage): boolean {
  return isMounted(request.url ?? '') || showsSignature(request)
}

/** Serves one request whose host and origin were checked; never throws. */
export async function serveS3(
  face: Face,
  request: IncomingMessage,
  response: ServerResponse,
  underWay: UnderWay,
): Promise<void> {
  try {
    response.setHeader('x-amz-request-id', face.random.bytes(8).toString('hex').toUpperCase())
    const address = parseS3Address(request.url ?? '')
    const signed = checkSignature(face, request, address)
    const { bucket, key } = address
    const { subject } = signed.signer
    underWay.subject = subject.id
    const files = face.peer.filesFor(subject)
    const name = `${bucket}/${key}`
    const call = { face, peer: face.peer, request, response, address, bucket, key, name, signed, subject }
    await serve({ ...call, files, signal: underWay.signal })
  } catch (thrown) {
    const error = errorOf(thrown)
    if (error.status >= 500)
      face.log.warn('S3 request failed', { code: error.code, reason: error.message, method: request.method })
    sendS3Error(request, response, error, face.clock)
  }
}

type Handler = (call: S3Call) => unknown

/** By level, method and the parameter that makes it another operation; the plain one has none. */
const operations: Record<'service' | 'bucket' | 'object', Record<string, Handler>> = {
  service: { GET: listBuckets },
  bucket: {
    HEAD: headBucket,
    GET: listObjects,
    'GET location': (call) => {
      requireBucket(call)
      sendXml(call, 'LocationConstraint', '')
    },
    'GET versioning': (call) => {
      requireBucket(call)
      sendXml(call, 'VersioningConfiguration', '')
    },
    PUT: createBucket,
    DELETE: deleteBucket,
    'POST delete': deleteObjects,
    'GET uploads': listMultiparts,
  },
  object: {
    HEAD: getObject,
    GET: getObject,
    PUT: putObject,
    DELETE: deleteObject,
    'POST uploads': beginMultipart,
    'PUT partNumber uploadId': putPart,
    'GET uploadId': listParts,
    'POST uploadId': completeMultipart,
    'DELETE uploadId': abortMultipart,
  },
}

/** Parameters that name another operation of S3; all others only shape an answer. */
const subresources = new Set(
  (
    'accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold lifecycle ' +
    'location logging metrics notification object-lock ownershipControls partNumber policy policyStatus ' +
    'publicAccessBlock replication requestPayment restore retention select select-type tagging torrent uploadId ' +
    'uploads versionId versioning versions website'
  ).split(' '),
)

async function serve(call: S3Call): Promise<void> {
  const { bucket, key, address, request } = call
  const level = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object'
  const asked = [...new Set(address.query.map(([name]) => name))].filter((name) => subresources.has(name))
  const operation = [request.method, ...asked.sort()].join(' ')
  const handler = Object.hasOwn(operations[level], operation) ? operations[level][operation] : undefined
  if (handler === undefined) throw fail('UNSUPPORTED', { what: `S3 operation ${operation} on a ${level}` })
  await handler(call)
}
