/** `quota`: how much this device keeps for the pool, folders may hold, and what could go. */
import { fail } from '../base/errors.ts'
import type { Peer } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { canAsk, couldGo, numbered, offerToFree } from './free-space.ts'
import { oneLine, sizeText } from './words.ts'

type Quota = Awaited<ReturnType<Peer['quota']>>

export const build: BuildCommand = (command, act) => {
  command
    .addHelpText('after', examples('quota', 'quota set 50GB', 'quota free', 'folder set photos quota=20GB'))
    .action(act(show))
  command
    .command('set')
    .argument('<size>', 'such as 50GB')
    .description('keep at most this much')
    .action(act(set))
  command
    .command('free')
    .argument('[folder]', 'what counts for the quota of this folder; without it for the space of this device')
    .description('list what could go, the largest and oldest first, and choose on a terminal')
    .action(act(free))
}

async function free(context: Context, folder: string | undefined): Promise<void> {
  const client = await context.client()
  if (canAsk(context)) {
    await offerToFree(context, client, folder)
    return
  }
  const found = await couldGo(context, client, folder)
  context.out.answer(found, () => {
    for (const text of numbered(found.entries)) context.out.line(text)
    if (found.entries.length === 0) context.out.line('there is nothing')
  })
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
    if (quota.quarantined > 0)
      out.line(
        `${sizeText(quota.quarantined)} of it is needed by nothing any more, and goes when its time is over`,
      )
    for (const { folder, bytes, quota: limit } of quota.perFolder)
      out.line(
        `  ${oneLine(folder)}  ${sizeText(bytes)}${limit === undefined ? '' : ` of ${sizeText(limit)}`}`,
      )
  })
}
