/** `/api/v1`: what is known of files and folders, and changes that move no content. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { categories } from '../peer/peer.ts'
import { queryOf, jsonBody } from './body.ts'
import { expiry, expiryAt, filePath, flag, pageQuery, recordHash, time } from './inputs.ts'
import { type Call, type Route, Reply } from './route.ts'

export const entriesRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/list/*', scope: 'read', handle: list },
  { method: 'GET', path: '/api/v1/files/*', scope: 'read', handle: info },
  { method: 'PATCH', path: '/api/v1/files/*', scope: 'write', handle: change },
  { method: 'POST', path: '/api/v1/files/*', scope: 'write', handle: makeFolder },
  { method: 'GET', path: '/api/v1/versions/*', scope: 'read', handle: versions },
  { method: 'GET', path: '/api/v1/trash/*', scope: 'read', handle: trash },
  { method: 'DELETE', path: '/api/v1/versions/*', scope: 'write', handle: discardVersions },
  { method: 'DELETE', path: '/api/v1/trash/*', scope: 'write', handle: emptyTrash },
]

export const listQuery = z.strictObject({
  ...pageQuery,
  recursive: flag,
  at: time.optional(),
})

function list(call: Call): unknown {
  return call.peer.files.list(call.path, { ...queryOf(call, listQuery), signal: call.signal })
}

export const infoQuery = z.strictObject({ chunks: flag, sha256: flag })

function info(call: Call): unknown {
  return call.peer.files.info(call.path, { ...queryOf(call, infoQuery), signal: call.signal })
}

const tag = z.string().min(1).max(limits.tagBytes)
const tags = z.array(tag).max(limits.tags).optional()
const facts = {
  tags,
  addTags: tags,
  removeTags: tags,
  description: z.string().max(limits.descriptionBytes).optional(),
  type: z.string().min(3).max(limits.typeBytes).optional(),
  category: z.enum(categories).nullish(),
  priority: z.boolean().optional(),
  expires: expiry.nullish(),
}
export const changeBody = z.union([z.strictObject({ path: filePath }), z.strictObject(facts)])

/** Another place, or what is said of the file. */
async function change(call: Call): Promise<unknown> {
  const change = await jsonBody(call, changeBody)
  if ('path' in change) return move(call, change.path)
  const { expires, ...said } = change
  const at = typeof expires === 'string' ? expiryAt(expires, call.face.clock.now()) : expires
  return call.peer.files.describe(call.path, { ...said, expires: at })
}

async function move(call: Call, path: string): Promise<unknown> {
  if (call.subject !== undefined) call.peer.tokens.require(call.subject, 'write', path)
  const { moved } = await call.peer.files.move(call.path, path, { signal: call.signal })
  return { path, from: call.path, moved }
}

export const makeBody = z.strictObject({ kind: z.literal('folder') })

async function makeFolder(call: Call): Promise<unknown> {
  await jsonBody(call, makeBody)
  await call.peer.files.makeFolder(call.path)
  return new Reply(201, { path: call.path, kind: 'folder' })
}

async function versions(call: Call): Promise<unknown> {
  return { entries: await call.peer.files.versions(call.path) }
}

export const trashQuery = z.strictObject(pageQuery)

function trash(call: Call): unknown {
  return call.peer.files.trash(call.path, { ...queryOf(call, trashQuery), signal: call.signal })
}

export const discardQuery = z.strictObject({ version: recordHash })

function discardVersions(call: Call): unknown {
  return call.peer.files.discardVersions(call.path, [queryOf(call, discardQuery).version])
}

function emptyTrash(call: Call): unknown {
  return call.peer.files.emptyTrash(call.path)
}
