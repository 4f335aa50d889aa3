/** `discover`: where other devices were looked for and what was found. */
import type { DiscoverReport } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { timeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('discover')).action(act(discover))
}

async function discover(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<DiscoverReport>('/api/v1/discover', {}, context.signal)
  context.out.answer(found, () => show(context, found))
}

function show({ out }: Context, found: DiscoverReport): void {
  out.line(`on the local network (mDNS): ${found.mdns.length}`)
  for (const peer of found.mdns)
    out.line(
      `  ${peer.name ?? 'unknown device'}  ${peer.peer}  ${peer.addresses.join(' ')}  ${timeText(peer.lastSeen)}`,
    )
  out.line(`given addresses (bootstrap): ${found.bootstrap.length}`)
  for (const { address, state, attempts, nextAttempt } of found.bootstrap)
    out.line(
      `  ${address}  ${state}, ${attempts} attempts${nextAttempt === undefined ? '' : `, next ${timeText(nextAttempt)}`}`,
    )
  out.line(`told by other devices: ${found.pex.known}`)
}
