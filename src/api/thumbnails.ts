/** `/api/v1/thumbnails/FOLDER/PATH?size=N`: a small picture of an image, made once for each content. */
import { z } from 'zod'
import { queryOf } from './body.ts'
import { entityTag, namesWeakly } from './conditions.ts'
import { type Call, type Route, answered } from './route.ts'
import { requireNoCode } from './web-rules.ts'

export const thumbnailsRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/thumbnails/*', scope: 'read', handle: getThumbnail },
]

/** Few sizes, so that few pictures are kept. */
export const thumbnailQuery = z.strictObject({ size: z.enum(['64', '128', '256', '512']).default('256') })

async function getThumbnail(call: Call): Promise<unknown> {
  const { request, response } = call
  requireNoCode(request)
  const { size } = queryOf(call, thumbnailQuery)
  const { hash, type, bytes } = await call.peer.files.thumbnail(call.path, Number(size), {
    signal: call.signal,
  })
  response.setHeader('etag', entityTag(hash))
  response.setHeader('cache-control', 'private, no-cache')
  response.setHeader('content-security-policy', "sandbox; default-src 'none'; frame-ancestors 'none'")
  const seen = request.headers['if-none-match']
  if (seen !== undefined && namesWeakly(seen, hash)) return finish(call, 304)
  response.setHeader('content-type', type)
  response.setHeader('content-length', bytes.length)
  return finish(call, 200, bytes)
}

function finish({ response }: Call, status: number, bytes?: Uint8Array): typeof answered {
  response.writeHead(status).end(bytes)
  return answered
}
