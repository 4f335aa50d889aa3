/** `/api/v1/settings`: values, where they come from, and changing them. */
import { z } from 'zod'
import { jsonBody } from './body.ts'
import type { Call, Route } from './route.ts'

export const settingsRoutes: Route[] = [
  {
    method: 'GET',
    path: '/api/v1/settings',
    scope: 'admin',
    handle: (call) => ({ settings: call.peer.settings.list() }),
  },
  { method: 'PUT', path: '/api/v1/settings/:key', scope: 'admin', handle: set },
  {
    method: 'DELETE',
    path: '/api/v1/settings/:key',
    scope: 'admin',
    handle: (call) => call.peer.settings.unset(call.params['key'] ?? ''),
  },
]

export const settingBody = z.strictObject({ value: z.string().max(16 * 1024) })

async function set(call: Call): Promise<unknown> {
  return call.peer.settings.set(call.params['key'] ?? '', (await jsonBody(call, settingBody)).value)
}
