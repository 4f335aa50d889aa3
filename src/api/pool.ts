/** `/api/v1`: the pool, its peers, invites and joining. */
import { z } from 'zod'
import { jsonBody } from './body.ts'
import { line } from './inputs.ts'
import { type Call, type Route, Reply } from './route.ts'

export const poolRoutes: Route[] = [
  {
    method: 'GET',
    path: '/api/v1/pool',
    scope: 'read',
    handle: async (call) => (await call.peer.status()).pool,
  },
  { method: 'POST', path: '/api/v1/pool/leave', scope: 'admin', handle: (call) => call.peer.pool.leave() },
  { method: 'GET', path: '/api/v1/peers', scope: 'read', handle: (call) => call.peer.pool.peers() },
  { method: 'POST', path: '/api/v1/peers', scope: 'admin', handle: addPeer },
  { method: 'GET', path: '/api/v1/discover', scope: 'read', handle: (call) => call.peer.pool.discover() },
  { method: 'POST', path: '/api/v1/invites', scope: 'admin', handle: invite },
  { method: 'POST', path: '/api/v1/join', scope: 'admin', handle: join },
]

export const peerBody = z.strictObject({ address: line(1024) })

async function addPeer(call: Call): Promise<unknown> {
  const { address } = await jsonBody(call, peerBody)
  return call.peer.pool.addPeer(address, { signal: call.signal })
}

export const inviteBody = z.strictObject({ storageOnly: z.boolean().default(false) })

async function invite(call: Call): Promise<unknown> {
  return new Reply(201, await call.peer.pool.invite(await jsonBody(call, inviteBody)))
}

export const joinBody = z.strictObject({ code: line(4096), bringFiles: z.boolean().default(false) })

async function join(call: Call): Promise<unknown> {
  const { code, bringFiles } = await jsonBody(call, joinBody)
  return call.peer.pool.join(code, { bringFiles, signal: call.signal })
}
