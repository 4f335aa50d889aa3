/** `gc`: drops from this disk what nothing needs any more. */
import type { CollectAnswer } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { plural, sizeText } from './words.ts'

interface Options {
  dryRun?: boolean
  confirm?: string
}

export const build: BuildCommand = (command, act) => {
  command
    .option('--dry-run', 'only say what would be dropped')
    .option('--confirm <id>', 'drop what an earlier pass stopped before')
    .addHelpText('after', examples('gc', 'gc --dry-run', 'gc --confirm 3f2a9c01'))
    .action(act(collect))
}

async function collect(context: Context, body: Options): Promise<void> {
  const { out, signal } = context
  const found = await (await context.client()).call<CollectAnswer>('POST', '/api/v1/gc', { body, signal })
  out.answer(found, () => {
    const { removed, bytes, held, quarantined, waiting } = found
    const verb = body.dryRun === true ? 'would be dropped' : 'dropped'
    out.line(`${plural(removed, 'chunk')} ${verb}, ${sizeText(bytes)}`)
    if (quarantined.chunks > 0)
      out.line(
        `${plural(quarantined.chunks, 'chunk')} more, ${sizeText(quarantined.bytes)}, wait in quarantine and can come back`,
      )
    for (const line of waiting) out.line(`  waiting: ${line}`)
    for (const { id, reason, chunks, bytes } of held)
      out.line(
        `  held: ${plural(chunks, 'chunk')}, ${sizeText(bytes)}: ${reason} peerstor gc --confirm ${id}`,
      )
  })
}
