/** Buckets: the folders of the pool. Making and removing one takes what folders take, scope `admin`. */
import { fail, isCode } from '../base/errors.ts'
import { sendEmpty, sendXml, type S3Call } from './s3-call.ts'
import { smallBody } from './s3-body.ts'
import { limits } from '../base/limits.ts'
import { tag } from './s3-xml.ts'

export async function listBuckets(call: S3Call): Promise<void> {
  const readable = new Set((await call.files.list('')).entries.map(({ path }) => path))
  const { folders } = await call.peer.folders.list()
  const buckets = folders
    .filter(({ name }) => name !== undefined && readable.has(name))
    .map(({ name, created }) =>
      tag('Bucket', [tag('Name', name), tag('CreationDate', new Date(created).toISOString())]),
    )
  const owner = [tag('ID', call.subject.id), tag('DisplayName', 'PeerStor')]
  sendXml(call, 'ListAllMyBucketsResult', [tag('Owner', owner), tag('Buckets', buckets)])
}

export function headBucket(call: S3Call): void {
  requireBucket(call)
  call.response.setHeader('x-amz-bucket-region', 'us-east-1')
  sendEmpty(call, 200)
}

/** Fails unless the folder is there and the caller may read it. */
export function requireBucket({ files, bucket }: Pick<S3Call, 'files' | 'bucket'>): void {
  if (!files.has(bucket)) throw fail('NOT_FOUND', { what: 'folder', name: bucket })
}

export async function createBucket(call: S3Call): Promise<void> {
  const { peer, subject, bucket } = call
  await smallBody(call, limits.s3XmlBytes)
  if (isThere(call)) throw fail('ALREADY_EXISTS', { what: 'folder', name: bucket })
  peer.tokens.require(subject, 'admin')
  await peer.folders.create(bucket, {})
  call.response.setHeader('location', `/${encodeURIComponent(bucket)}`)
  sendEmpty(call, 200)
}

/** Only an empty one, as S3 has it: nothing that is deleted here skips the trash. */
export async function deleteBucket(call: S3Call): Promise<void> {
  const { peer, subject, bucket, files } = call
  peer.tokens.require(subject, 'admin')
  const { keys } = await files.scan(bucket, { limit: 1 })
  if (keys.length > 0) throw fail('FOLDER_NOT_EMPTY', { name: bucket })
  await peer.folders.remove(bucket)
  sendEmpty(call, 204)
}

function isThere(call: S3Call): boolean {
  try {
    requireBucket(call)
    return true
  } catch (thrown) {
    if (isCode(thrown, 'NOT_FOUND')) return false
    throw thrown
  }
}
