/** Objects: read, written, copied and deleted. A key that ends in `/` is a folder. */
import { fail, isCode } from '../base/errors.ts'
import type { Download, PutOptions } from '../peer/peer.ts'
import { decodeText, encodeStrictly } from './s3-address.ts'
import { objectBody } from './s3-body.ts'
import { header, sendEmpty, sendXml, type S3Call } from './s3-call.ts'
import { entityTagOf } from './s3-list-objects.ts'
import { factsIn, metadataOf, replacing } from './s3-metadata.ts'
import { tag } from './s3-xml.ts'
import { sendBytes } from './send.ts'
import { requireNoCode } from './web-rules.ts'

export async function getObject(call: S3Call): Promise<void> {
  requireNoCode(call.request)
  if (call.key.endsWith('/')) return getFolder(call)
  const whole = await openObject(call)
  const { response } = call
  setObjectHeaders(call, whole)
  const answer = conditionOf(call, whole)
  if (answer === 304) return void response.writeHead(304).end()
  const range = rangeIn(header(call, 'range'), whole)
  if (range === undefined) return send(call, whole, 200)
  const part = await call.files.get(call.name, { version: whole.version, range, signal: call.signal })
  response.setHeader('content-range', `bytes ${range.first}-${range.last}/${whole.size}`)
  return send(call, part, 206)
}

/** A folder is no object of that name, as a file would be. */
export async function openObject(call: S3Call, name = call.name): Promise<Download> {
  try {
    return await call.files.get(name, { signal: call.signal })
  } catch (thrown) {
    if (isCode(thrown, 'IS_FOLDER')) throw fail('NOT_FOUND', { what: 'file', name })
    throw thrown
  }
}

/** A folder made on purpose is an empty object; one that only paths imply is none. */
function getFolder(call: S3Call): void {
  const found = call.files.look(call.name)
  if (found?.kind !== 'folder' || found.version === undefined)
    throw fail('NOT_FOUND', { what: 'file', name: call.name })
  call.response.setHeader('content-type', 'application/x-directory')
  call.response.setHeader('etag', entityTagOf(found.version))
  call.response.setHeader('last-modified', new Date(found.modified ?? 0).toUTCString())
  sendEmpty(call, 200)
}

/** As `/files` sends user content: never as a page of this origin. */
function setObjectHeaders(call: S3Call, file: Download): void {
  const { response } = call
  response.setHeader('content-type', file.type)
  response.setHeader('content-security-policy', "sandbox; default-src 'none'; frame-ancestors 'none'")
  const name = file.path.split('/').at(-1) ?? 'file'
  response.setHeader('content-disposition', `attachment; filename*=UTF-8''${encodeStrictly(name)}`)
  response.setHeader('accept-ranges', 'bytes')
  response.setHeader('cache-control', 'private, no-cache')
  response.setHeader('etag', entityTagOf(file.hash))
  response.setHeader('last-modified', new Date(file.modified).toUTCString())
  for (const [key, value] of Object.entries(metadataOf(call, file))) response.setHeader(key, value)
}

/** The one range that is asked for; several, and what is none, are answered with all of it. */
export function rangeIn(
  text: string | undefined,
  { size, path }: Download,
): { first: number; last: number } | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text?.trim() ?? '') ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (first > last) throw fail('BAD_RANGE', { range: text ?? '', size, path })
  return { first, last }
}

/** 200, 304, or `PRECONDITION_FAILED`: RFC 9110 §13.2.2. */
function conditionOf(call: S3Call, file: Download): 200 | 304 {
  const names = (tags: string): boolean =>
    tags.trim() === '*' || tags.split(',').some((one) => unquoted(one) === unquoted(entityTagOf(file.hash)))
  const match = header(call, 'if-match')
  const since = (name: string): number => Date.parse(header(call, name) ?? '')
  const seconds = Math.floor(file.modified / 1000) * 1000
  const changed = match === undefined && seconds > since('if-unmodified-since')
  if ((match !== undefined && !names(match)) || changed)
    throw fail('PRECONDITION_FAILED', { path: call.name })
  const noneMatch = header(call, 'if-none-match')
  if (noneMatch !== undefined) return names(noneMatch) ? 304 : 200
  return seconds <= since('if-modified-since') ? 304 : 200
}

/** An entity tag as text alone: some clients leave the quotes out. */
export const unquoted = (tag: string): string => tag.trim().replace(/^W\//, '').replaceAll('"', '')

async function send(call: S3Call, file: Download, status: number): Promise<void> {
  const { request, response } = call
  response.setHeader('content-length', file.size === 0 ? 0 : file.last - file.first + 1)
  // The head goes out with the first byte: until then a chunk that nobody has is still a proper error.
  response.statusCode = status
  if (request.method !== 'HEAD') await sendBytes(response, file.bytes, call.face.clock)
  response.end()
}

export async function putObject(call: S3Call): Promise<void> {
  if (header(call, 'x-amz-copy-source') !== undefined) return copyObject(call)
  const { bytes, size } = objectBody(call)
  if (call.key.endsWith('/')) return putFolder(call, bytes)
  const put = await call.files.put(call.name, bytes, {
    ...factsIn(call),
    ...replacedBy(call),
    size,
    signal: call.signal,
  })
  call.response.setHeader('etag', entityTagOf(put.hash))
  sendEmpty(call, 200)
}

/** The version that a conditional write replaces. */
export function replacedBy(call: S3Call): Pick<PutOptions, 'replaces'> {
  const noneMatch = header(call, 'if-none-match')
  if (noneMatch !== undefined && noneMatch.trim() !== '*')
    throw fail('UNSUPPORTED', { what: 'If-None-Match of a write with anything but *' })
  if (noneMatch !== undefined) return { replaces: 'none' }
  const match = header(call, 'if-match')
  if (match === undefined) return {}
  const found = call.files.look(call.name)
  if (found?.version === undefined || unquoted(entityTagOf(found.hash ?? '')) !== unquoted(match))
    throw fail('PRECONDITION_FAILED', { path: call.name })
  return { replaces: found.version }
}

async function putFolder(call: S3Call, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of bytes)
    if (piece.length > 0)
      throw fail('BAD_PATH', {
        path: call.name,
        reason: 'a key that ends in / is a folder and holds no bytes',
      })
  try {
    await call.files.makeFolder(call.name)
  } catch (thrown) {
    if (!isCode(thrown, 'ALREADY_EXISTS') || call.files.look(call.name)?.kind !== 'folder') throw thrown
  }
  call.response.setHeader('etag', entityTagOf('0'.repeat(32)))
  sendEmpty(call, 200)
}

/** Inside one folder of the pool no content is read or stored again. */
async function copyObject(call: S3Call): Promise<void> {
  const source = copySource(call)
  const from = await openObject(call, source)
  requireSourceConditions(call, from)
  const replaces = header(call, 'x-amz-metadata-directive') === 'REPLACE'
  if (source !== call.name)
    await call.files.copy(source, call.name, { existing: 'replace', signal: call.signal })
  else if (!replaces)
    throw fail('BAD_INPUT', { what: 'the copy', reason: 'it is to itself and changes nothing' })
  if (replaces) await call.files.change(call.name, replacing(from.properties, factsIn(call)))
  const made = call.files.look(call.name)
  sendXml(call, 'CopyObjectResult', [
    tag('LastModified', made?.modified ?? new Date(from.modified).toISOString()),
    tag('ETag', entityTagOf(from.hash)),
  ])
}

/** `BUCKET/KEY` out of `x-amz-copy-source`. */
export function copySource(call: S3Call): string {
  const text = header(call, 'x-amz-copy-source') ?? ''
  const [path = '', version] = text.split('?versionId=')
  if (version !== undefined) throw fail('UNSUPPORTED', { what: 'a copy of one version' })
  return decodeText(path).replace(/^\//, '')
}

export function requireSourceConditions(call: S3Call, { hash, modified, path }: Download): void {
  const same = (name: string): boolean | undefined => {
    const given = header(call, `x-amz-copy-source-${name}`)
    return given === undefined ? undefined : unquoted(given) === unquoted(entityTagOf(hash))
  }
  const since = (name: string): number => Date.parse(header(call, `x-amz-copy-source-${name}`) ?? '')
  const refused =
    same('if-match') === false ||
    same('if-none-match') === true ||
    modified > since('if-unmodified-since') + 999 ||
    modified <= since('if-modified-since')
  if (refused) throw fail('PRECONDITION_FAILED', { path })
}

export async function deleteObject(call: S3Call): Promise<void> {
  await removeKey(call, call.key)
  sendEmpty(call, 204)
}

/** To the trash. What is not there is deleted already; a folder that holds something stays. */
export async function removeKey({ files, bucket, signal }: S3Call, key: string): Promise<void> {
  const name = `${bucket}/${key}`
  const found = files.look(name)
  if (found === undefined || (found.kind === 'folder') !== key.endsWith('/')) return
  try {
    await files.remove(name, { signal })
  } catch (thrown) {
    if (!isCode(thrown, 'NOT_FOUND') && !isCode(thrown, 'IS_FOLDER')) throw thrown
  }
}
