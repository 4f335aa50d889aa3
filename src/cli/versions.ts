/** `versions`: every kept version of a file. */
import { encodePath } from '../api/client.ts'
import type { VersionInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { versionColumns } from './version-table.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .addHelpText('after', examples('versions files/notes.txt'))
    .action(act(versions))
}

async function versions(context: Context, path: string): Promise<void> {
  const client = await context.client()
  const page = await client.get<{ entries: VersionInfo[] }>(
    `/api/v1/versions/${encodePath(path)}`,
    {},
    context.signal,
  )
  context.out.answer(page, () => context.out.table(versionColumns, page.entries))
}
