/** `scrub`: reads what lies on this disk, compares it, and mends what is damaged. */
import type { ScrubAnswer } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { sizeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('[path]', 'FOLDER or FOLDER/PATH; everything on this device without')
    .option('--device <NAME>', 'have another device of the pool read all that lies on its disk')
    .addHelpText('after', examples('scrub', 'scrub files/photos', 'scrub --device nas', 'scrub --json'))
    .action(act(scrub))
}

/** Exit code 1 while damage stays. */
async function scrub(
  context: Context,
  path: string | undefined,
  { device }: { device?: string },
): Promise<void> {
  const body = { ...(path === undefined ? {} : { path }), ...(device === undefined ? {} : { device }) }
  const { out, signal } = context
  const found = await (await context.client()).call<ScrubAnswer>('POST', '/api/v1/scrub', { body, signal })
  out.answer(found, () => {
    out.line(`${found.checked} chunks and records read and compared, ${sizeText(found.bytes)}`)
    if (found.damaged > 0) out.line(`${found.damaged} damaged, ${found.healed} healed`)
    for (const line of found.left) out.line(`  damaged, and nobody here has a good copy: ${line}`)
  })
  if (found.damaged > found.healed) process.exitCode = 1
}
