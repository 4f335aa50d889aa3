/** `/api/v1/chunks/FOLDER/PATH?n=N`: the opened and verified content of one chunk of a file. */
import { z } from 'zod'
import { queryOf } from './body.ts'
import { sendBody, setFileHeaders } from './files.ts'
import { recordHash } from './inputs.ts'
import type { Call, Route } from './route.ts'
import { requireNoCode } from './web-rules.ts'

export const chunksRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/chunks/*', scope: 'read', handle: getChunk },
]

export const chunkQuery = z.strictObject({
  n: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  version: recordHash.optional(),
})

async function getChunk(call: Call): Promise<unknown> {
  requireNoCode(call.request)
  const { n, version } = queryOf(call, chunkQuery)
  const part = await call.peer.files.get(call.path, { chunk: n, version, signal: call.signal })
  setFileHeaders(call, part)
  call.response.setHeader('content-type', 'application/octet-stream')
  call.response.setHeader('peerstor-range', `${part.first}-${part.last}`)
  return sendBody(call, {
    status: 200,
    length: part.last - part.first + 1,
    bytes: () => part.bytes,
    sources: () => part.sources(),
  })
}
