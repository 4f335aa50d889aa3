/** `/api/v1/tokens`: API tokens; the token itself is answered once, when it is made. */
import { z } from 'zod'
import { filePath, line } from './inputs.ts'
import { jsonBody } from './body.ts'
import { type Call, type Route, Reply } from './route.ts'

export const tokensRoutes: Route[] = [
  {
    method: 'GET',
    path: '/api/v1/tokens',
    scope: 'admin',
    handle: (call) => ({ tokens: call.peer.tokens.list() }),
  },
  { method: 'POST', path: '/api/v1/tokens', scope: 'admin', handle: create },
  {
    method: 'DELETE',
    path: '/api/v1/tokens/:id',
    scope: 'admin',
    handle: (call) => call.peer.tokens.revoke(call.params['id'] ?? ''),
  },
]

export const tokenBody = z.strictObject({
  name: line(128),
  scopes: z
    .array(z.enum(['read', 'write', 'admin', 'metrics']))
    .min(1)
    .max(4),
  folder: filePath.optional(),
  expiresMs: z.number().int().min(1000).optional(),
  s3: z.boolean().optional(),
})

async function create(call: Call): Promise<unknown> {
  return new Reply(201, await call.peer.tokens.create(await jsonBody(call, tokenBody)))
}
