/** `peers`: the devices of the pool, and how each is reached. */
import type { PeerLine } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { timeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('peers', 'peers add 192.168.1.20:8081')).action(act(peers))
  command
    .command('add')
    .argument('<address>', 'multiaddr or host[:port]')
    .description('connect to a peer at an address')
    .action(act(add))
}

async function peers(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ peers: PeerLine[] }>('/api/v1/peers', {}, context.signal)
  context.out.answer(found, () => show(context, found.peers))
}

async function add(context: Context, address: string): Promise<void> {
  const client = await context.client()
  const found = await client.call<PeerLine>('POST', '/api/v1/peers', {
    body: { address },
    signal: context.signal,
  })
  context.out.answer(found, () => show(context, [found]))
}

function show({ out }: Context, peers: PeerLine[]): void {
  out.table<PeerLine>(
    [
      { head: 'Name', value: (peer) => peer.name },
      { head: 'Role', value: (peer) => peer.role },
      { head: 'State', value: (peer) => peer.state },
      { head: 'Path', value: (peer) => peer.path ?? '' },
      {
        head: 'Latency',
        value: (peer) => (peer.latencyMs === undefined ? '' : `${Math.round(peer.latencyMs)} ms`),
        right: true,
      },
      { head: 'Last seen', value: (peer) => timeText(peer.lastSeen) },
      { head: 'Peer', value: (peer) => peer.peer },
    ],
    peers,
  )
}
