/** `restore`: an earlier version becomes the newest. */
import { type Client, encodePath } from '../api/client.ts'
import { fail } from '../base/errors.ts'
import type { PutResult, VersionInfo } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { plural, timeText } from './words.ts'

interface Options {
  version?: string
  at?: string
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<path>', 'FOLDER/PATH')
    .option('--version <V>', 'this version, or the beginning of its id')
    .option('--at <TIME>', 'the version of that time, such as 2026-05-01T10:00')
    .addHelpText(
      'after',
      examples('restore files/notes.txt --version 4f2a', 'restore files/notes.txt --at 2026-05-01'),
    )
    .action(act(restore))
}

async function restore(context: Context, path: string, options: Options): Promise<void> {
  if (options.version === undefined && options.at === undefined)
    throw fail('BAD_USAGE', { reason: 'restore needs --version V or --at TIME' })
  const client = await context.client()
  const version = await pick(client, path, options, context.signal)
  await restoreVersion(context, client, path, version)
}

/** Writes a version (undefined: the last one) as the newest and says so. */
export async function restoreVersion(
  context: Context,
  client: Client,
  path: string,
  version: string | undefined,
): Promise<void> {
  const result = await client.call<PutResult>('POST', `/api/v1/restore/${encodePath(path)}`, {
    body: { version },
    signal: context.signal,
  })
  const files = result.restored === undefined ? '' : ` with ${plural(result.restored, 'file')}`
  context.out.answer(result, () => context.out.line(`restored ${result.path}${files}`))
}

/** The versions of a path: one by the beginning of its id. */
export async function versionOf(
  client: Client,
  path: string,
  id: string,
  signal: AbortSignal,
): Promise<string> {
  return pick(client, path, { version: id }, signal)
}

async function pick(client: Client, path: string, options: Options, signal: AbortSignal): Promise<string> {
  const { entries } = await client.get<{ entries: VersionInfo[] }>(
    `/api/v1/versions/${encodePath(path)}`,
    {},
    signal,
  )
  const found =
    options.version === undefined
      ? versionAt(entries, options.at ?? '')
      : onlyOne(entries.filter((entry) => entry.version.startsWith(options.version ?? '')))
  if (found !== undefined) return found.version
  throw fail('NOT_FOUND', { what: 'version', name: options.version ?? options.at })
}

/** The last version written before a time. */
function versionAt(entries: VersionInfo[], at: string): VersionInfo | undefined {
  const time = Date.parse(at)
  if (Number.isNaN(time))
    throw fail('BAD_USAGE', { reason: `${at} is no time such as ${timeText(new Date(0).toISOString())}` })
  const earlier = entries.filter((entry) => Date.parse(entry.written) <= time)
  return earlier.toSorted((a, b) => a.written.localeCompare(b.written)).at(-1)
}

function onlyOne(entries: VersionInfo[]): VersionInfo | undefined {
  if (entries.length > 1) throw fail('BAD_USAGE', { reason: 'more than one version begins like that' })
  return entries[0]
}
