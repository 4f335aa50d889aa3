/** `cat`: a file's content on standard output. */
import type { BuildCommand } from './context.ts'
import { printFile } from './get.ts'
import { examples } from './options.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .option('--range <A-B>', 'bytes A to B, both included')
    .option('--version <V>', 'an earlier version: peerstor versions PATH')
    .addHelpText('after', examples('cat files/notes.txt'))
    .action(act(printFile))
}
