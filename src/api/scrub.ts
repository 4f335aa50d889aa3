/** `/api/v1/scrub`: reads what lies on this disk and mends it; answers when that is done. */
import { z } from 'zod'
import { jsonBody } from './body.ts'
import { filePath } from './inputs.ts'
import type { Call, Route } from './route.ts'

export const scrubRoutes: Route[] = [{ method: 'POST', path: '/api/v1/scrub', scope: 'admin', handle: scrub }]

export const scrubBody = z.strictObject({ path: filePath.optional() })

async function scrub(call: Call): Promise<unknown> {
  const { path } = await jsonBody(call, scrubBody)
  return call.peer.scrub(path, { signal: call.signal })
}
