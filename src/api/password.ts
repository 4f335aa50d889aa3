/** `/api/v1/password`: the optional password of the page. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { jsonBody } from './body.ts'
import type { Call, Route } from './route.ts'

export const passwordRoutes: Route[] = [
  {
    method: 'GET',
    path: '/api/v1/password',
    scope: 'admin',
    handle: (call) => ({ set: call.peer.tokens.hasPassword() }),
  },
  { method: 'PUT', path: '/api/v1/password', scope: 'admin', handle: set },
  {
    method: 'DELETE',
    path: '/api/v1/password',
    scope: 'admin',
    handle: (call) => call.peer.tokens.removePassword(),
  },
]

export const passwordBody = z.strictObject({ password: z.string().min(1).max(limits.passwordBytes) })

async function set(call: Call): Promise<void> {
  await call.peer.tokens.setPassword((await jsonBody(call, passwordBody)).password)
}
