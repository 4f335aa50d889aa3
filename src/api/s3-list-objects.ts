/** ListObjects, both versions: pages of keys by prefix and delimiter. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import type { Scan } from '../peer/peer.ts'
import { checked } from './body.ts'
import { encodePath, queryValue } from './s3-address.ts'
import { query, sendXml, type S3Call } from './s3-call.ts'
import { tag, type XmlPart } from './s3-xml.ts'

const text = z.string().max(limits.pathBytes).optional()

const listQuery = z.object({
  prefix: text,
  delimiter: z.string().max(64).optional(),
  'max-keys': z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 31)
    .default(limits.listEntries),
  'encoding-type': z.literal('url').optional(),
  'list-type': z.literal('2').optional(),
  marker: text,
  'start-after': text,
  'continuation-token': z
    .string()
    .max(2 * limits.pathBytes)
    .optional(),
})

type ListQuery = z.output<typeof listQuery>

export async function listObjects(call: S3Call): Promise<void> {
  const names = Object.keys(listQuery.shape)
  const given = Object.fromEntries(names.map((name) => [name, queryValue(call.address, name)]))
  const asked = checked(listQuery, given, 'the query')
  const { prefix, delimiter, 'max-keys': keysMax } = asked
  const limit = Math.min(keysMax, limits.listEntries)
  const found = await call.files.scan(call.bucket, {
    prefix,
    delimiter,
    after: startOf(asked),
    limit,
    signal: call.signal,
  })
  const encode = asked['encoding-type'] === 'url' ? encodePath : (name: string): string => name
  sendXml(call, 'ListBucketResult', [
    tag('Name', call.bucket),
    tag('Prefix', encode(prefix ?? '')),
    ...placeTags(asked, found, encode),
    tag('MaxKeys', limit),
    tag('Delimiter', delimiter === undefined ? undefined : encode(delimiter)),
    tag('EncodingType', asked['encoding-type']),
    tag('IsTruncated', found.next !== undefined),
    ...contentTags(found, encode, query(call, 'fetch-owner') === 'true' || asked['list-type'] === undefined),
    ...found.prefixes.map((common) => tag('CommonPrefixes', tag('Prefix', encode(common)))),
  ])
}

/** A continuation token is the last key in base64url: opaque, and true for ever. */
function startOf(asked: ListQuery): string | undefined {
  if (asked['list-type'] === undefined) return asked.marker
  const token = asked['continuation-token']
  return token === undefined ? asked['start-after'] : Buffer.from(token, 'base64url').toString('utf8')
}

type Encode = (name: string) => string

/** Where the page begins and goes on: each version has its own words for it. */
function placeTags(asked: ListQuery, found: Scan, encode: Encode): XmlPart[] {
  if (asked['list-type'] === undefined)
    return [
      tag('Marker', encode(asked.marker ?? '')),
      tag('NextMarker', found.next === undefined ? undefined : encode(found.next)),
    ]
  const next = found.next === undefined ? undefined : Buffer.from(found.next).toString('base64url')
  return [
    tag('KeyCount', found.keys.length + found.prefixes.length),
    tag('ContinuationToken', asked['continuation-token']),
    tag('StartAfter', asked['start-after'] === undefined ? undefined : encode(asked['start-after'])),
    tag('NextContinuationToken', next),
  ]
}

function contentTags({ keys }: Scan, encode: Encode, withOwner: boolean): XmlPart[] {
  const owner = withOwner ? tag('Owner', [tag('ID', 'peerstor'), tag('DisplayName', 'PeerStor')]) : undefined
  return keys.map(({ key, size, modified, hash }) =>
    tag('Contents', [
      tag('Key', encode(key)),
      tag('LastModified', new Date(modified).toISOString()),
      tag('ETag', entityTagOf(hash)),
      tag('Size', size),
      owner,
      tag('StorageClass', 'STANDARD'),
    ]),
  )
}

/** Of the content, and ending in `-1` as after an upload in parts: no client takes it for an MD5. */
export const entityTagOf = (hash: string): string => `"${hash.slice(0, 32)}-1"`
