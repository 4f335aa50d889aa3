/** `/api/v1/recovery`: the paper key that brings the pool back when every device of its owner is gone. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { jsonBody } from './body.ts'
import type { Call, Route } from './route.ts'

export const recoveryRoutes: Route[] = [
  { method: 'POST', path: '/api/v1/recovery/print', scope: 'admin', handle: print },
  { method: 'POST', path: '/api/v1/recovery/confirm', scope: 'admin', handle: confirm },
]

export const printBody = z.strictObject({ renew: z.boolean().default(false) })

async function print(call: Call): Promise<unknown> {
  return call.peer.recovery.print(await jsonBody(call, printBody))
}

export const confirmBody = z.strictObject({ code: z.string().min(1).max(limits.inviteText).optional() })

async function confirm(call: Call): Promise<unknown> {
  return call.peer.recovery.confirm((await jsonBody(call, confirmBody)).code)
}
