/** `priority`: whether a file gets the most copies that its folder allows, before others get theirs. */
import { encodePath } from '../api/client.ts'
import { fail } from '../base/errors.ts'
import type { FileInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .argument('<switch>', 'on or off')
    .addHelpText('after', examples('priority files/thesis.tex on', 'priority files/thesis.tex off'))
    .action(act(priority))
}

async function priority(context: Context, path: string, state: string): Promise<void> {
  if (state !== 'on' && state !== 'off') throw fail('BAD_USAGE', { reason: `${state} is neither on nor off` })
  const client = await context.client()
  const address = `/api/v1/files/${encodePath(path)}`
  const body = { priority: state === 'on' }
  const file = await client.call<FileInfo>('PATCH', address, { body, signal: context.signal })
  context.out.answer(file, () =>
    context.out.line(`${file.path}  priority ${state}, ${file.copies.have} of ${file.copies.want} copies`),
  )
}
