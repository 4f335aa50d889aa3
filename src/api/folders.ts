/** `/api/v1/folders`: the top-level containers and their policies. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import type { PolicyChange } from '../peer/peer.ts'
import { jsonBody } from './body.ts'
import { line } from './inputs.ts'
import { type Call, type Route, Reply } from './route.ts'

export const foldersRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/folders', scope: 'read', handle: (call) => call.peer.folders.list() },
  { method: 'POST', path: '/api/v1/folders', scope: 'admin', handle: create },
  { method: 'PATCH', path: '/api/v1/folders/:name', scope: 'admin', handle: change },
  { method: 'POST', path: '/api/v1/folders/:name/rekey', scope: 'admin', handle: rekey },
  { method: 'DELETE', path: '/api/v1/folders/:name', scope: 'admin', handle: remove },
]

const copies = z.number().int().min(1).max(64)
const milliseconds = z.number().int().min(0).max(limits.policyMs)

const policy = {
  copies: copies.optional(),
  min: copies.optional(),
  max: copies.optional(),
  factor: z.number().min(0).max(1).optional(),
  keepMs: milliseconds.optional(),
  /** `4+2`, or `off`. */
  erasure: z.string().max(16).optional(),
  /** Null or 0: no longer. */
  expireMs: milliseconds.nullish(),
  /** Bytes; null: without a limit. */
  quota: z.number().int().min(0).nullish(),
}

export const newFolder = z.strictObject({ name: line(limits.nameBytes), ...policy })
export const changedFolder = z.strictObject(policy)

async function create(call: Call): Promise<unknown> {
  const { name, ...rest } = await jsonBody(call, newFolder)
  return new Reply(201, await call.peer.folders.create(name, policyOf(rest)))
}

async function change(call: Call): Promise<unknown> {
  return call.peer.folders.set(call.params['name'] ?? '', policyOf(await jsonBody(call, changedFolder)))
}

async function rekey(call: Call): Promise<unknown> {
  return call.peer.folders.rekey(call.params['name'] ?? '')
}

async function remove(call: Call): Promise<void> {
  await call.peer.folders.remove(call.params['name'] ?? '')
}

/** Only what was given; what ends is undefined then. */
function policyOf({ expireMs, quota, ...given }: z.output<typeof changedFolder>): PolicyChange {
  const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return {
    ...kept,
    ...(expireMs === undefined ? {} : { expireMs: expireMs || undefined }),
    ...(quota === undefined ? {} : { quota: quota ?? undefined }),
  }
}
