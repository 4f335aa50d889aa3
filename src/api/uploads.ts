/**
 * `/uploads`: resumable uploads by tus 1.0, and `/api/v1/uploads`, what is under way. An offset is
 * told when its bytes are durable; who may write at an upload's path may go on with it.
 */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { NewUpload, Uploads, UploadState } from '../peer/peer.ts'
import { checked, queryOf, wantedBytes } from './body.ts'
import { factsNow, fileFacts } from './file-headers.ts'
import { filePath, line } from './inputs.ts'
import { type Call, type Route, Reply } from './route.ts'
import {
  bringsBytes,
  bytesHeader,
  checksumOf,
  concatOf,
  header,
  metadataOf,
  offsetType,
  requireTus,
  setUploadHeaders,
  uploadAddress,
} from './tus.ts'

const under = { scope: 'write', checksPaths: true } as const

export const uploadsRoutes: Route[] = [
  { method: 'POST', path: '/uploads', ...under, handle: begin },
  { method: 'GET', path: '/uploads/:id', ...under, handle: stands },
  { method: 'PATCH', path: '/uploads/:id', ...under, handle: goOn },
  { method: 'DELETE', path: '/uploads/:id', ...under, handle: giveUp },
  { method: 'GET', path: '/api/v1/uploads', ...under, handle: list },
  {
    method: 'DELETE',
    path: '/api/v1/uploads/:id',
    ...under,
    handle: (call) => uploadsFor(call).remove(idOf(call)),
  },
]

/** The verbs, as far as the asker may use them. */
function uploadsFor(call: Call): Uploads {
  if (call.subject === undefined) throw fail('NOT_SIGNED_IN')
  return call.peer.filesFor(call.subject).uploads
}

const idOf = (call: Call): string => call.params['id'] ?? ''

async function begin(call: Call): Promise<unknown> {
  const { request, response } = call
  requireTus(request, response)
  const { part, of } = concatOf(request)
  const size = sizeOf(call, of !== undefined)
  const upload: NewUpload = { ...plannedFile(call, part), ...(part ? { part } : {}), size }
  const uploads = uploadsFor(call)
  const begun =
    of === undefined ? await uploads.begin(upload) : await uploads.join(of, upload, { signal: call.signal })
  response.setHeader('location', uploadAddress(begun.id))
  const brings = of === undefined && bringsBytes(request) && begun.result === undefined
  return told(call, 201, brings ? await take(call, begun.id, 0) : begun)
}

/** The length of a new upload: known now, later, or by its parts. */
function sizeOf({ request }: Call, joined: boolean): number | undefined {
  const size = bytesHeader(request, 'upload-length')
  const later = header(request, 'upload-defer-length')
  const given = (size === undefined ? 0 : 1) + (later === undefined ? 0 : 1)
  if ((later ?? '1') !== '1' || given !== (joined ? 0 : 1))
    throw fail('BAD_INPUT', {
      what: 'the length of the upload',
      reason: joined
        ? 'joined uploads have that of their parts'
        : 'send Upload-Length, or Upload-Defer-Length: 1',
    })
  return size
}

const metadata = fileFacts.omit({ link: true }).extend({
  path: filePath.optional(),
  folder: line(limits.nameBytes).optional(),
  filename: filePath.optional(),
  filetype: line(limits.typeBytes).optional(),
})

/** Where the file goes and what is known of it. A part without a path lies where its writer may write. */
function plannedFile(call: Call, part: boolean): NewUpload {
  const given = Object.fromEntries(metadataOf(call.request))
  const { path, folder, filename, filetype, ...facts } = checked(metadata, given, 'Upload-Metadata')
  const named = path ?? (filename === undefined ? undefined : `${folder ?? defaultFolder}/${filename}`)
  const place = named ?? (part ? (call.subject?.folder ?? defaultFolder) : undefined)
  if (place === undefined)
    throw fail('BAD_INPUT', { what: 'Upload-Metadata', reason: 'it names neither path nor filename' })
  const type = filetype === '' ? undefined : filetype
  return { path: place, type, ...factsNow(facts, call.face.clock) }
}

const defaultFolder = 'files'

export const statesQuery = z.strictObject({ durability: z.coerce.number().int().min(1).max(64).optional() })

/** Where it stands, for `HEAD` and `GET`. */
async function stands(call: Call): Promise<unknown> {
  const { durability } = queryOf(call, statesQuery)
  if (call.request.method === 'HEAD') requireTus(call.request, call.response)
  const upload = await uploadsFor(call).state(idOf(call), { durability, signal: call.signal })
  setUploadHeaders(call.response, upload)
  const copies = upload.result?.copies ?? durability ?? 0
  return new Reply(copies < (durability ?? 0) ? 202 : 200, shown(upload))
}

async function goOn(call: Call): Promise<unknown> {
  const { request } = call
  requireTus(request, call.response)
  if (!bringsBytes(request))
    throw fail('BAD_TYPE', {
      found: JSON.stringify(header(request, 'content-type')?.slice(0, 80) ?? 'none'),
      wanted: offsetType,
    })
  const offset = bytesHeader(request, 'upload-offset')
  if (offset === undefined) throw fail('BAD_INPUT', { what: 'Upload-Offset', reason: 'it is missing' })
  return told(call, 204, await take(call, idOf(call), offset))
}

async function take(call: Call, id: string, offset: number): Promise<UploadState> {
  const checksum = checksumOf(call.request, id)
  const size =
    offset === 0 && call.request.method === 'POST' ? undefined : bytesHeader(call.request, 'upload-length')
  return uploadsFor(call).append(id, offset, hashed(call, checksum), { size, verify: checksum?.verify })
}

async function* hashed(call: Call, checksum: ReturnType<typeof checksumOf>): AsyncGenerator<Uint8Array> {
  for await (const piece of wantedBytes(call)) {
    checksum?.hash.update(piece)
    yield piece
  }
}

async function giveUp(call: Call): Promise<void> {
  requireTus(call.request, call.response)
  await uploadsFor(call).remove(idOf(call))
}

function list(call: Call): unknown {
  return { uploads: uploadsFor(call).list().map(shown) }
}

/** An answer in headers alone, as tus has it. */
function told(call: Call, status: 201 | 204, upload: UploadState): Reply | undefined {
  setUploadHeaders(call.response, upload)
  return status === 204 ? undefined : new Reply(status, shown(upload))
}

function shown({ id, path, part, size, modified, offset, expires, result }: UploadState): object {
  return {
    id,
    path,
    part,
    size: size ?? null,
    modified: modified ?? null,
    offset,
    expires: new Date(expires).toISOString(),
    result: result ?? null,
  }
}
