/** `versions`: every kept version of a file. */
import { type Client, encodePath } from '../api/client.ts'
import type { VersionInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { versionOf } from './restore.ts'
import { versionColumns } from './version-table.ts'

interface Options {
  remove?: string[]
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .option('--remove <V...>', 'give up these versions, or the beginnings of their ids, unasked')
    .addHelpText('after', examples('versions files/notes.txt', 'versions files/notes.txt --remove 4f2a'))
    .action(act(versions))
}

async function versions(context: Context, path: string, options: Options): Promise<void> {
  const client = await context.client()
  if (options.remove !== undefined) return remove(context, client, path, options.remove)
  const page = await client.get<{ entries: VersionInfo[] }>(
    `/api/v1/versions/${encodePath(path)}`,
    {},
    context.signal,
  )
  context.out.answer(page, () => context.out.table(versionColumns, page.entries))
}

async function remove(context: Context, client: Client, path: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const version = await versionOf(client, path, id, context.signal)
    await client.call('DELETE', `/api/v1/versions/${encodePath(path)}`, {
      query: { version },
      signal: context.signal,
    })
    context.out.answer({ path, version, removed: true }, () =>
      context.out.line(`gone for good: version ${version.slice(0, 12)} of ${path}`),
    )
  }
}
