/** `trash`: what was removed and can come back. */
import { encodePath } from '../api/client.ts'
import type { VersionInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples, wholeNumber } from './options.ts'
import { type PageOptions, readList } from './pages.ts'
import { timeOf } from './time-option.ts'
import { plural } from './words.ts'
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
    .addHelpText(
      'after',
      examples('trash', 'trash restore files/a.txt', 'trash restore files --since 2026-05-01T10:00'),
    )
    .action(act(trash))
  command
    .command('restore')
    .argument('<path...>', 'FOLDER[/PATH]')
    .option('--since <TIME>', 'only what was removed since then')
    .description('bring files back')
    .action(act(restore))
  command
    .command('empty')
    .argument('[path...]', 'FOLDER[/PATH]; without it the trash of the folder')
    .option('--folder <NAME>', 'of this folder')
    .description('give up what lies in the trash, unasked')
    .action(act(empty))
}

async function empty(context: Context, paths: string[], options: Options): Promise<void> {
  const client = await context.client()
  for (const path of paths.length > 0 ? paths : [options.folder ?? 'files']) {
    const result = await client.call<{ removed: number }>('DELETE', `/api/v1/trash/${encodePath(path)}`, {
      signal: context.signal,
    })
    context.out.answer({ path, ...result }, () =>
      context.out.line(`gone for good: ${plural(result.removed, 'file')} of ${path}`),
    )
  }
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

async function restore(context: Context, paths: string[], options: { since?: string }): Promise<void> {
  const client = await context.client()
  const { since } = options
  for (const path of paths)
    await restoreVersion(context, client, path, since === undefined ? {} : { since: timeOf(since) })
}
