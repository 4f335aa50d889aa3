/** `rm`: to the trash, unasked, and back with `trash restore`. */
import { encodePath } from '../api/client.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { plural } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path...>', 'FOLDER/PATH; a folder with all that is below it')
    .option('-r, --recursive', 'accepted and not needed: the trash gives everything back')
    .addHelpText('after', examples('rm files/a.txt', 'trash restore files/a.txt'))
    .action(act(rm))
}

async function rm(context: Context, paths: string[]): Promise<void> {
  const client = await context.client()
  for (const path of paths) {
    const result = await client.call<{ removed: number }>('DELETE', `/files/${encodePath(path)}`, {
      query: { recursive: true },
      signal: context.signal,
    })
    context.out.answer({ path, ...result }, () =>
      context.out.line(`moved ${plural(result.removed, 'file')} to the trash: ${path}`),
    )
  }
}
