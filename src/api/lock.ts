/** `/api/v1/lock`: the private keys of this peer, sealed by a passphrase or a file. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import type { LockSecret } from '../peer/peer.ts'
import { jsonBody } from './body.ts'
import type { Call, Route } from './route.ts'

export const lockRoutes: Route[] = [
  { method: 'GET', path: '/api/v1/lock', scope: 'admin', handle: (call) => call.peer.lock.state() },
  { method: 'POST', path: '/api/v1/lock', scope: 'admin', handle: lock },
  { method: 'PUT', path: '/api/v1/lock', scope: 'admin', handle: change },
  { method: 'POST', path: '/api/v1/lock/remove', scope: 'admin', handle: remove },
  { method: 'POST', path: '/api/v1/unlock', scope: 'admin', handle: unlock },
]

/** `keyFile` is the content of a file in base64. */
const secret = {
  passphrase: z.string().min(1).max(limits.passwordBytes).optional(),
  keyFile: z
    .base64()
    .max(Math.ceil(limits.keyFileBytes / 3) * 4)
    .optional(),
}

export const lockBody = z
  .strictObject(secret)
  .refine(
    ({ passphrase, keyFile }) => passphrase === undefined || keyFile === undefined,
    'a passphrase or a key file, not both',
  )
export const unlockBody = lockBody.refine(
  (given) => keySecret(given) !== undefined,
  'a passphrase or a key file',
)
export const changeLockBody = z.strictObject({ present: unlockBody, next: unlockBody })

async function lock(call: Call): Promise<unknown> {
  return call.peer.lock.lock(keySecret(await jsonBody(call, lockBody)))
}

async function unlock(call: Call): Promise<unknown> {
  return call.peer.lock.unlock(keySecret(await jsonBody(call, unlockBody))!)
}

async function change(call: Call): Promise<unknown> {
  const { present, next } = await jsonBody(call, changeLockBody)
  return call.peer.lock.change(keySecret(present)!, keySecret(next)!)
}

async function remove(call: Call): Promise<unknown> {
  return call.peer.lock.remove(keySecret(await jsonBody(call, unlockBody))!)
}

export function keySecret({ passphrase, keyFile }: z.output<typeof lockBody>): LockSecret | undefined {
  if (passphrase !== undefined) return { passphrase }
  return keyFile === undefined ? undefined : { keyFile: Buffer.from(keyFile, 'base64') }
}
