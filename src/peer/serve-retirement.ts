/** Retiring a device from another one: the owner's devices and admins may ask it to, and how far it is. */
import type { Catalogue } from '../access/catalogue.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { CallOptions, PeerId } from '../base/words.ts'
import { choice, decode, encode, field, fields, optional, text, uint } from '../codec/cbor-schema.ts'
import type { Network } from '../net/network.ts'
import { registry } from '../net/registry.ts'
import type { Retirement, RetireState } from './retirement.ts'

/** What is asked of a device: to begin, to stay after all, or only how far it is. */
export type RetireAction = 'begin' | 'cancel' | 'look'

const asked = fields({ action: field(0, choice<RetireAction>({ look: 0, begin: 1, cancel: 2 })) })
const answered = fields({
  phase: field(0, choice<RetireState['phase']>({ active: 0, moving: 1, checking: 2, safe: 3 })),
  chunks: field(1, uint()),
  left: field(2, uint()),
  checked: field(3, uint()),
  reason: optional(4, text(4096)),
})

export function serveRetirement(network: Network, catalogue: Catalogue, retirement: Retirement): void {
  network.serve('device.retire', async ({ from, role, head }) => {
    const caller = catalogue.deviceOf(from)
    const owner = catalogue.deviceOf(catalogue.peer)?.user
    if (role !== 'admin' && (caller === undefined || caller.user !== owner))
      throw fail('FORBIDDEN', { role, action: 'retire a device of another user' })
    const { action } = decode(asked, head, 'the request device.retire', registry['device.retire'].headBytes)
    const { reason, ...state } = await retire(retirement, action)
    return { head: encode(answered, { ...state, ...(reason !== undefined && { reason }) }) }
  })
}

export async function retire(retirement: Retirement, action: RetireAction): Promise<RetireState> {
  if (action === 'begin') return retirement.begin()
  return action === 'cancel' ? retirement.cancel() : retirement.state()
}

/** Asks another device. */
export async function askToRetire(
  network: Network,
  peer: PeerId,
  action: RetireAction,
  options: CallOptions = {},
): Promise<RetireState> {
  const reply = await network.request(peer, 'device.retire', encode(asked, { action }), options)
  await reply.body[Symbol.asyncIterator]().return?.()
  return decode(answered, reply.head, 'the answer to device.retire', limits.answerHeadBytes)
}
