/** Uploads in parts: begun, written in any order and in parallel, listed, completed, given up. */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Part, WantedPart } from '../peer/peer.ts'
import { checked } from './body.ts'
import { queryValue } from './s3-address.ts'
import { objectBody, smallBody } from './s3-body.ts'
import { header, query, sendEmpty, sendXml, type S3Call } from './s3-call.ts'
import { entityTagOf } from './s3-list-objects.ts'
import { factsIn } from './s3-metadata.ts'
import {
  copySource,
  openObject,
  rangeIn,
  replacedBy,
  requireSourceConditions,
  unquoted,
} from './s3-objects.ts'
import { tag } from './s3-xml.ts'
import { elementsOf, parseXml, splitName, textOf, type XmlElement } from './xml.ts'

export async function beginMultipart(call: S3Call): Promise<void> {
  await smallBody(call, limits.s3XmlBytes)
  requireFile(call)
  const id = await call.files.multipart.begin({
    path: call.name,
    ...factsIn(call),
  })
  sendXml(call, 'InitiateMultipartUploadResult', [...nameTags(call), tag('UploadId', id)])
}

const nameTags = ({ bucket, key }: S3Call) => [tag('Bucket', bucket), tag('Key', key)]

/** A key that ends in `/` is a folder and has no parts. */
function requireFile({ key, name }: S3Call): void {
  if (key.endsWith('/'))
    throw fail('BAD_PATH', { path: name, reason: 'a key that ends in / is a folder and holds no bytes' })
}

const uploadId = (call: S3Call): string => query(call, 'uploadId') ?? ''

export async function putPart(call: S3Call): Promise<void> {
  requireFile(call)
  const number = Number(query(call, 'partNumber'))
  if (header(call, 'x-amz-copy-source') !== undefined) return copyPart(call, number)
  const { bytes, size } = objectBody(call)
  const part = await store(call, number, bytes, size)
  call.response.setHeader('etag', entityTagOf(part.hash))
  sendEmpty(call, 200)
}

function store(
  call: S3Call,
  number: number,
  bytes: AsyncIterable<Uint8Array>,
  size: number | undefined,
): Promise<Part> {
  return call.files.multipart.put(call.name, uploadId(call), number, bytes, { size, signal: call.signal })
}

/** A part out of an object that is here; its bytes are read again. */
async function copyPart(call: S3Call, number: number): Promise<void> {
  const source = copySource(call)
  const whole = await openObject(call, source)
  requireSourceConditions(call, whole)
  const range = rangeIn(header(call, 'x-amz-copy-source-range'), whole)
  const { first, last, bytes } = await call.files.get(source, {
    version: whole.version,
    range,
    signal: call.signal,
  })
  const part = await store(call, number, bytes, last - first + 1)
  sendXml(call, 'CopyPartResult', [
    tag('LastModified', new Date(part.written).toISOString()),
    tag('ETag', entityTagOf(part.hash)),
  ])
}

const partsQuery = z.object({
  'max-parts': z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 31)
    .default(limits.listEntries),
  'part-number-marker': z.coerce.number().int().min(0).max(limits.multipartParts).default(0),
})

export function listParts(call: S3Call): void {
  const given = Object.fromEntries(
    Object.keys(partsQuery.shape).map((name) => [name, queryValue(call.address, name)]),
  )
  const { 'max-parts': asked, 'part-number-marker': after } = checked(partsQuery, given, 'the query')
  const limit = Math.min(asked, limits.listEntries)
  const left = call.files.multipart.parts(call.name, uploadId(call)).filter(({ number }) => number > after)
  const page = left.slice(0, limit)
  const isTruncated = page.length < left.length
  sendXml(call, 'ListPartsResult', [
    ...nameTags(call),
    tag('UploadId', uploadId(call)),
    tag('StorageClass', 'STANDARD'),
    tag('PartNumberMarker', after),
    tag('NextPartNumberMarker', isTruncated ? page.at(-1)?.number : undefined),
    tag('MaxParts', limit),
    tag('IsTruncated', isTruncated),
    ...page.map(({ number, size, hash, written }) =>
      tag('Part', [
        tag('PartNumber', number),
        tag('LastModified', new Date(written).toISOString()),
        tag('ETag', entityTagOf(hash)),
        tag('Size', size),
      ]),
    ),
  ])
}

export async function completeMultipart(call: S3Call): Promise<void> {
  const wanted = wantedIn(parseXml(await smallBody(call, limits.s3XmlBytes)))
  const { hash } = await call.files.multipart.complete(call.name, uploadId(call), wanted, {
    ...replacedBy(call),
    signal: call.signal,
  })
  const location = `http://${header(call, 'host') ?? ''}/${call.name}`
  sendXml(call, 'CompleteMultipartUploadResult', [
    tag('Location', location),
    ...nameTags(call),
    tag('ETag', entityTagOf(hash)),
  ])
}

function wantedIn(root: XmlElement): WantedPart[] {
  const named = (element: XmlElement, name: string): string | undefined => {
    const child = elementsOf(element).find((one) => splitName(one.name).local === name)
    return child === undefined ? undefined : textOf(child).trim()
  }
  return elementsOf(root)
    .filter(({ name }) => splitName(name).local === 'Part')
    .map((part) => {
      const number = Number(named(part, 'PartNumber') ?? Number.NaN)
      const given = named(part, 'ETag')
      if (!Number.isSafeInteger(number) || given === undefined)
        throw fail('BAD_INPUT', { what: 'the XML of the body', reason: 'a Part lacks PartNumber or ETag' })
      return { number, accepts: ({ hash }) => unquoted(given) === unquoted(entityTagOf(hash)) }
    })
}

export async function abortMultipart(call: S3Call): Promise<void> {
  await call.files.multipart.abort(call.name, uploadId(call))
  sendEmpty(call, 204)
}

const uploadsQuery = z.object({
  prefix: z.string().max(limits.pathBytes).default(''),
  'key-marker': z.string().max(limits.pathBytes).default(''),
  'upload-id-marker': z.string().max(128).default(''),
})

/** Those under way: one page holds as many as there may be. */
export function listMultiparts(call: S3Call): void {
  const given = Object.fromEntries(
    Object.keys(uploadsQuery.shape).map((name) => [name, queryValue(call.address, name)]),
  )
  const {
    prefix,
    'key-marker': after,
    'upload-id-marker': afterId,
  } = checked(uploadsQuery, given, 'the query')
  const open = call.files.multipart
    .open(call.bucket)
    .map((upload) => ({ ...upload, key: upload.path.slice(call.bucket.length + 1) }))
    .filter(({ key, id }) => key.startsWith(prefix) && (key > after || (key === after && id > afterId)))
  sendXml(call, 'ListMultipartUploadsResult', [
    tag('Bucket', call.bucket),
    tag('KeyMarker', after),
    tag('UploadIdMarker', afterId),
    tag('Prefix', prefix),
    tag('MaxUploads', limits.uploads),
    tag('IsTruncated', false),
    ...open.map(({ key, id, started }) =>
      tag('Upload', [
        tag('Key', key),
        tag('UploadId', id),
        tag('StorageClass', 'STANDARD'),
        tag('Initiated', new Date(started).toISOString()),
      ]),
    ),
  ])
}
