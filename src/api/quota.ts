/** `/api/v1/quota`: how much this peer keeps for the pool. */
import { z } from 'zod'
import { jsonBody } from './body.ts'
import type { Call, Route } from './route.ts'

export const quotaRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/quota', scope: 'read', handle: (call) => call.peer.quota() },
  { method: 'PUT', path: '/api/v1/quota', scope: 'admin', handle: setQuota },
]

export const quotaBody = z.strictObject({ contributed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER) })

async function setQuota(call: Call): Promise<unknown> {
  const { contributed } = await jsonBody(call, quotaBody)
  await call.peer.settings.set('contribute', String(contributed))
  return call.peer.quota()
}
