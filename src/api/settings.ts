/** `/api/v1/settings`: values, where they come from, and changing them. */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { isLocalSetting } from '../peer/settings.ts'
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
    handle: (call) => call.peer.settings.unset(keyOf(call)),
  },
]

export const settingBody = z.strictObject({ value: z.string().max(16 * 1024) })

async function set(call: Call): Promise<unknown> {
  return call.peer.settings.set(keyOf(call), (await jsonBody(call, settingBody)).value)
}

/** A page or an API token that got lost must not become a way to run programs here. */
function keyOf({ params, subject }: Call): string {
  const key = params['key'] ?? ''
  if (isLocalSetting(key) && subject?.kind !== 'launch') throw fail('SETTING_LOCAL', { key })
  return key
}
