/** `quota`: how much this device keeps for the pool. */
import { fail } from '../base/errors.ts'
import type { Peer } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { sizeText } from './words.ts'

type Quota = Awaited<ReturnType<Peer['quota']>>

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('quota', 'quota set 50GB')).action(act(show))
  command
    .command('set')
    .argument('<size>', 'such as 50GB')
    .description('keep at most this much')
    .action(act(set))
}

async function show(context: Context): Promise<void> {
  const client = await context.client()
  print(context, await client.get<Quota>('/api/v1/quota', {}, context.signal))
}

async function set(context: Context, size: string): Promise<void> {
  const { parseSize } = await import('../peer/settings.ts')
  const contributed = parseSize(size)
  if (contributed === undefined) throw fail('BAD_USAGE', { reason: `${size} is no size such as 5GB` })
  const client = await context.client()
  const body = { contributed }
  const quota = await client.call<Quota>('PUT', '/api/v1/quota', { body, signal: context.signal })
  print(context, quota)
  if (quota.contributed !== contributed)
    context.out.note('saved, but the running peer was started with another limit, which holds until it ends')
}

function print({ out }: Context, quota: Quota): void {
  out.answer(quota, () => {
    out.line(
      `${sizeText(quota.used)} of ${sizeText(quota.contributed)} used, ${sizeText(quota.free)} free on the disk`,
    )
    for (const { folder, bytes } of quota.perFolder) out.line(`  ${folder}  ${sizeText(bytes)}`)
  })
}
