/** `trash`: what was removed and can come back. */
import { encodePath } from '../api/client.ts'
import type { VersionInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples, wholeNumber } from './options.ts'
import { type PageOptions, readList } from './pages.ts'
import { restoreVersion } from './restore.ts'
import { versionColumns } from './version-table.ts'

interface Options extends PageOptions {
  folder?: string
}

export const build: BuildCommand = (command, act) => {
  command
    .option('--folder <NAME>', 'of this folder', 'files')
    .option('--limit <N>', 'at most N entries', wholeNumber)
    .option('--cursor <C>', 'go on after a page: the next of its JSON')
    .addHelpText('after', examples('trash', 'trash restore files/a.txt'))
    .action(act(trash))
  command
    .command('restore')
    .argument('<path...>', 'FOLDER/PATH')
    .description('bring files back')
    .action(act(restore))
}

async function trash(context: Context, options: Options): Promise<void> {
  const client = await context.client()
  const address = `/api/v1/trash/${encodePath(options.folder ?? 'files')}`
  const page = await readList<VersionInfo>(client, address, options, {}, context.signal)
  context.out.answer(page, () => {
    if (page.entries.length === 0) context.out.line('the trash is empty')
    else context.out.table(versionColumns, page.entries)
  })
}

async function restore(context: Context, paths: string[]): Promise<void> {
  const client = await context.client()
  for (const path of paths) await restoreVersion(context, client, path, undefined)
}
