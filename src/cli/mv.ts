/** `mv`: another name or place. */
import { encodePath } from '../api/client.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { plural } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('<from>', 'FOLDER/PATH')
    .argument('<to>', 'FOLDER/PATH')
    .addHelpText('after', examples('mv files/a.txt files/b.txt', 'mv files/photos files/archive/photos'))
    .action(act(mv))
}

async function mv(context: Context, from: string, to: string): Promise<void> {
  const client = await context.client()
  const result = await client.call<{ moved: number }>('PATCH', `/api/v1/files/${encodePath(from)}`, {
    body: { path: to },
    signal: context.signal,
  })
  context.out.answer(result, () => context.out.line(`moved ${plural(result.moved, 'file')} to ${to}`))
}
