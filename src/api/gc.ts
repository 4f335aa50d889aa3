/** `/api/v1/gc`: drops what nothing needs any more; answers when that is done. */
import { z } from 'zod'
import { jsonBody } from './body.ts'
import type { Call, Route } from './route.ts'

export const gcRoutes: Route[] = [{ method: 'POST', path: '/api/v1/gc', scope: 'admin', handle: collect }]

export const collectBody = z.strictObject({
  dryRun: z.boolean().optional(),
  confirm: z.string().max(64).optional(),
})

async function collect(call: Call): Promise<unknown> {
  return call.peer.collect(await jsonBody(call, collectBody), { signal: call.signal })
}
