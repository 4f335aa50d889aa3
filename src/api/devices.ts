/** `/api/v1/devices`: what counts in the pool, by device id, peer id or unique name. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import type { RetireAction } from '../peer/peer.ts'
import { jsonBody } from './body.ts'
import { filePath, line } from './inputs.ts'
import type { Call, Route } from './route.ts'

export const devicesRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/devices', scope: 'read', handle: (call) => call.peer.pool.devices() },
  { method: 'POST', path: '/api/v1/devices/revoke', scope: 'admin', handle: revoke },
  { method: 'PATCH', path: '/api/v1/devices/:name', scope: 'admin', handle: rename },
  { method: 'GET', path: '/api/v1/devices/:name/retire', scope: 'read', handle: retire('look') },
  { method: 'POST', path: '/api/v1/devices/:name/retire', scope: 'admin', handle: retire('begin') },
  { method: 'DELETE', path: '/api/v1/devices/:name/retire', scope: 'admin', handle: retire('cancel') },
  {
    method: 'GET',
    path: '/api/v1/devices/:name/held',
    scope: 'read',
    handle: (call) => call.peer.pool.held(call.params['name'] ?? ''),
  },
  { method: 'POST', path: '/api/v1/devices/:name/adopt', scope: 'admin', handle: adopt },
]

function retire(action: RetireAction): Route['handle'] {
  return (call) => call.peer.pool.retire(call.params['name'] ?? '', action, { signal: call.signal })
}

export const revokeBody = z.strictObject({
  devices: z.array(line(limits.deviceNameBytes)).min(1).max(limits.peers),
})

async function revoke(call: Call): Promise<unknown> {
  return call.peer.pool.revoke((await jsonBody(call, revokeBody)).devices)
}

export const renameBody = z.strictObject({ name: line(limits.deviceNameBytes) })

async function rename(call: Call): Promise<unknown> {
  return call.peer.pool.rename(call.params['name'] ?? '', (await jsonBody(call, renameBody)).name)
}

export const adoptBody = z.strictObject({ paths: z.array(filePath).max(1000).default([]) })

async function adopt(call: Call): Promise<unknown> {
  return call.peer.pool.adopt(call.params['name'] ?? '', (await jsonBody(call, adoptBody)).paths)
}
