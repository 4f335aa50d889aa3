/**
 * What S3 clients keep with an object: `x-amz-meta-…` and some headers of HTTP travel with the version as
 * properties. Time and mode, as rclone, s3fs and s3cmd write them, are facts of the file as well.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { typeOf, type Download, type Properties, type PutOptions } from '../peer/peer.ts'
import { mediaType } from './files.ts'
import { query, type S3Call } from './s3-call.ts'

const prefix = 'x-amz-meta-'
/** Headers that an object answers with as it was given them. */
const ownHeaders = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
]

export type ObjectFacts = Pick<PutOptions, 'modified' | 'mode' | 'type' | 'properties'>

/** What the headers of a request say of an object. */
export function factsIn({ request, key }: S3Call): ObjectFacts {
  const said = metadataIn(request.headers)
  const attributes = new Map(
    (said['x-amz-meta-s3cmd-attrs'] ?? '').split('/').map((pair) => pair.split(':') as [string, string]),
  )
  const modified = msOf(said['x-amz-meta-mtime'] ?? '') ?? msOf(attributes.get('mtime') ?? '')
  const mode = modeOf(said['x-amz-meta-mode'] ?? '') ?? modeOf(attributes.get('mode') ?? '')
  const type = mediaType(said['content-type'])
  // What a file says of itself need not be said twice.
  if (said['content-type'] === (type ?? typeOf(key))) delete said['content-type']
  return { modified, mode, type, properties: said }
}

function metadataIn(headers: S3Call['request']['headers']): Record<string, string> {
  const named = Object.entries(headers).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string' && isMetadata(pair[0]),
  )
  const said = Object.fromEntries(named.map(([name, value]) => [name, withoutFraming(name, value)]))
  const own = Object.entries(said).filter(([name]) => name.startsWith(prefix))
  const size = own.reduce((sum, [name, value]) => sum + name.length - prefix.length + value.length, 0)
  if (size > limits.s3MetadataBytes)
    throw fail('TOO_LARGE', { what: 'the metadata', limit: limits.s3MetadataBytes })
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== ''))
}

const isMetadata = (name: string): boolean => name.startsWith(prefix) || ownHeaders.includes(name)

/** `aws-chunked` is how the body is sent, not how it is stored. */
function withoutFraming(name: string, value: string): string {
  if (name !== 'content-encoding') return value
  const codings = value.split(',').map((coding) => coding.trim())
  return codings.filter((coding) => coding.toLowerCase() !== 'aws-chunked').join(', ')
}

/** The headers of a stored object; a presigned address may ask for others. */
export function metadataOf(call: S3Call, file: Download): Record<string, string> {
  const { 'x-amz-meta-mtime': mtime = '', ...kept } = Object.fromEntries(
    Object.entries(file.properties ?? {}).filter(
      ([name, value]) => isMetadata(name) && isHeader(name, value),
    ),
  )
  const asked = ownHeaders.flatMap((name) => {
    const value = query(call, `response-${name}`)
    return value !== undefined && isHeader(name, value) ? [[name, value]] : []
  })
  // Another program may have set the time since.
  const time = msOf(mtime) === file.modified ? mtime : (file.modified / 1000).toFixed(3)
  return { ...kept, 'x-amz-meta-mtime': time, ...Object.fromEntries(asked) }
}

/** Fit for a head: another device may have written anything. */
const isHeader = (name: string, value: string): boolean =>
  /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && /^[\t -~\u0080-\u00ff]*$/.test(value)

/** All metadata anew, as `x-amz-metadata-directive: REPLACE` wants it. */
export function replacing(before: Properties | undefined, facts: ObjectFacts) {
  const gone = Object.keys(before ?? {}).filter(isMetadata)
  const properties = { ...Object.fromEntries(gone.map((name) => [name, null])), ...facts.properties }
  return { ...facts, properties }
}

/** Seconds with or without a fraction, as milliseconds. */
function msOf(seconds: string): number | undefined {
  if (!/^\d{1,12}(?:\.\d{1,12})?$/.test(seconds)) return undefined
  return Math.floor(Number(seconds) * 1000)
}

/** The whole number of `stat`, its permission bits alone. */
function modeOf(text: string): number | undefined {
  return /^\d{1,8}$/.test(text) ? Number(text) & 0o7777 : undefined
}
