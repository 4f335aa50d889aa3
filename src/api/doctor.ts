/** `/api/v1/doctor`, `/alerts` and `/simulate`: what is wrong, what was, and what would be. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { jsonBody } from './body.ts'
import { line } from './inputs.ts'
import type { Call, Route } from './route.ts'

export const doctorRoutes: Route[] = [
  {
    method: 'GET',
    path: '/api/v1/doctor',
    scope: 'read',
    handle: async ({ peer }) => ({ problems: await peer.doctor() }),
  },
  {
    method: 'GET',
    path: '/api/v1/alerts',
    scope: 'read',
    handle: ({ peer }) => ({ alerts: peer.alerts() }),
  },
  {
    method: 'POST',
    path: '/api/v1/alerts/test',
    scope: 'admin',
    handle: async ({ peer, signal }) => ({ outlets: await peer.testAlert({ signal }) }),
  },
  { method: 'POST', path: '/api/v1/simulate', scope: 'read', handle: simulate },
]

export const simulateBody = z.strictObject({
  lose: z.array(line(limits.deviceNameBytes)).min(1).max(limits.peers),
  limit: z.int().min(1).max(limits.listEntries).optional(),
  cursor: z.string().max(128).optional(),
})

async function simulate(call: Call): Promise<unknown> {
  return call.peer.simulateLoss(await jsonBody(call, simulateBody))
}
