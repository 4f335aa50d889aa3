/** `/api/v1/scrub`: reads what lies on this disk, or another device's, and mends it; answers when that is done. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { jsonBody } from './body.ts'
import { filePath, line } from './inputs.ts'
import type { Call, Route } from './route.ts'

export const scrubRoutes: Route[] = [{ method: 'POST', path: '/api/v1/scrub', scope: 'admin', handle: scrub }]

export const scrubBody = z
  .strictObject({ path: filePath.optional(), device: line(limits.deviceNameBytes).optional() })
  .refine(({ path, device }) => path === undefined || device === undefined, 'a path or a device, not both')

async function scrub(call: Call): Promise<unknown> {
  const { path, device } = await jsonBody(call, scrubBody)
  if (device !== undefined) return call.peer.scrubDevice(device, { signal: call.signal })
  return call.peer.scrub(path, { signal: call.signal })
}
