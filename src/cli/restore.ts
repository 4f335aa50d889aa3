/** `restore`: an earlier version becomes the newest, or a whole folder what it was at a time. */
import { type Client, encodePath } from '../api/client.ts'
import { fail } from '../base/errors.ts'
import { shellWord } from '../base/shell-word.ts'
import type { PutResult, TreeRestored, VersionInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { timeOf } from './time-option.ts'
import { oneLine, plural, sizeText } from './words.ts'

interface Options {
  version?: string
  at?: string
  dryRun?: boolean
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER[/PATH]; with --at also a whole folder')
    .option('--version <V>', 'this version, or the beginning of its id')
    .option('--at <TIME>', 'as it was then, such as 2026-05-01T10:00; what came later goes to the trash')
    .option('--dry-run', 'with --at: say what would be done')
    .addHelpText(
      'after',
      examples(
        'restore files/notes.txt --version 4f2a',
        'restore files/photos --at 2026-05-01T10:00 --dry-run',
      ),
    )
    .action(act(restore))
}

async function restore(context: Context, path: string, options: Options): Promise<void> {
  const { version, at, dryRun } = options
  if ((version === undefined) === (at === undefined) || (at === undefined && dryRun === true))
    throw fail('BAD_USAGE', { reason: 'restore needs --version V or --at TIME [--dry-run]' })
  const client = await context.client()
  if (at !== undefined) return restoreAt(context, client, path, { at: timeOf(at), dryRun: dryRun === true })
  const found = await versionOf(client, path, version ?? '', context.signal)
  await restoreVersion(context, client, path, { version: found })
}

async function restoreAt(
  context: Context,
  client: Client,
  path: string,
  body: { at: string; dryRun: boolean },
): Promise<void> {
  const { out, signal } = context
  const lines = client.lines('POST', `/api/v1/restore/${encodePath(path)}`, { body, signal })
  let result: TreeRestored | undefined
  const draws = process.stderr.isTTY && !out.json && !out.quiet
  for await (const line of lines) {
    if ('result' in line) result = line['result'] as TreeRestored
    else if (draws) process.stderr.write(`\r\u001B[K${Number(line['done'])} of ${Number(line['total'])}`)
  }
  if (draws) process.stderr.write('\r\u001B[K')
  if (result === undefined) throw fail('INTERRUPTED', { what: 'the restoring' })
  const found = result
  out.answer(found, () => show(context, found, body.dryRun))
}

function show({ out }: Context, found: TreeRestored, dryRun: boolean): void {
  const { returned, changed, removed, unchanged, notKept } = found
  if (dryRun) for (const { action, path } of found.entries) out.line(`${words[action]}  ${oneLine(path)}`)
  const more = returned + changed + removed - found.entries.length
  if (dryRun && more > 0) out.line(`and ${more} more`)
  out.line(
    `${dryRun ? 'would be ' : ''}restored ${oneLine(found.path)}: ${returned} came back, ` +
      `${changed} changed (${sizeText(found.size)}), ${removed} to the trash, ${unchanged} as they were`,
  )
  if (notKept > 0)
    out.note(`${plural(notKept, 'file')} left as they are: what they were then is no longer kept`)
  if (found.undo !== undefined)
    out.note(`to undo it: peerstor restore ${shellWord(oneLine(found.path))} --at ${found.undo}`)
}

const words = { return: 'comes back', change: 'changes   ', remove: 'to trash  ' }

/** Writes a version (without one: what was removed) as the newest and says so. */
export async function restoreVersion(
  context: Context,
  client: Client,
  path: string,
  body: { version?: string; since?: string },
): Promise<void> {
  const result = await client.call<PutResult>('POST', `/api/v1/restore/${encodePath(path)}`, {
    body,
    signal: context.signal,
  })
  const files = result.restored === undefined ? '' : ` with ${plural(result.restored, 'file')}`
  context.out.answer(result, () => context.out.line(`restored ${result.path}${files}`))
}

/** The version of a path whose id begins like this. */
export async function versionOf(
  client: Client,
  path: string,
  id: string,
  signal: AbortSignal,
): Promise<string> {
  const address = `/api/v1/versions/${encodePath(path)}`
  const { entries } = await client.get<{ entries: VersionInfo[] }>(address, {}, signal)
  const [found, other] = entries.filter((entry) => entry.version.startsWith(id))
  if (other !== undefined) throw fail('BAD_USAGE', { reason: 'more than one version begins like that' })
  if (found === undefined) throw fail('NOT_FOUND', { what: 'version', name: id })
  return found.version
}
