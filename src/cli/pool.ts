/** `pool`: which pool this device is in; `pool leave` begins a new, empty one. */
import type { PeerStatus } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { plural } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('pool', 'pool leave')).action(act(pool))
  command.command('leave').description('retire this device from the pool').action(act(leave))
}

async function pool(context: Context): Promise<void> {
  const { out } = context
  const client = await context.client()
  const found = await client.get<PeerStatus['pool']>('/api/v1/pool', {}, context.signal)
  out.answer(found, () =>
    out.line(`${found.id}  ${plural(found.peers, 'device')}, this one is ${found.role}`),
  )
}

async function leave(context: Context): Promise<void> {
  const client = await context.client()
  await client.call('POST', '/api/v1/pool/leave', { signal: context.signal })
  context.out.answer({ left: true }, () =>
    context.out.line('left the pool; this device has a new, empty one'),
  )
}
