/** `token`: API tokens for scripts; shown once, when made. */
import { fail } from '../base/errors.ts'
import type { NewToken, TokenLine } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { timeText } from './words.ts'

interface Options {
  scope?: string
  folder?: string
  expires?: string
  name?: string
  s3?: boolean
}

export const build: BuildCommand = (command, act) => {
  command
    .addHelpText(
      'after',
      examples(
        'token create --scope read --folder files/public --expires 30d',
        'token create --scope write --s3 --name backup',
        'token list',
      ),
    )
    .action(act(list))
  command.command('list').description('list them').action(act(list))
  command
    .command('create')
    .description('make one')
    .option('--scope <LIST>', 'read, write, admin, metrics', 'read')
    .option('--folder <FOLDER[/PATH]>', 'only below this')
    .option('--expires <TIME>', 'such as 30d')
    .option('--name <NAME>', 'what it is for', 'token')
    .option('--s3', 'a key pair for S3 clients: restic, rclone, s3cmd, aws')
    .action(act(create))
  command.command('revoke').argument('<id...>').description('end tokens').action(act(revoke))
}

async function list(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ tokens: TokenLine[] }>('/api/v1/tokens', {}, context.signal)
  context.out.answer(found, () =>
    context.out.table<TokenLine>(
      [
        { head: 'Id', value: (token) => token.id },
        { head: 'Name', value: (token) => token.name },
        { head: 'Scopes', value: (token) => token.scopes.join(',') },
        { head: 'Folder', value: (token) => token.folder ?? '' },
        { head: 'Expires', value: (token) => timeText(token.expires) },
        { head: 'Last used', value: (token) => timeText(token.lastUsed) },
      ],
      found.tokens,
    ),
  )
}

async function create(context: Context, options: Options): Promise<void> {
  const body = {
    name: options.name,
    scopes: (options.scope ?? 'read').split(','),
    folder: options.folder,
    expiresMs: options.expires === undefined ? undefined : await durationOf(options.expires),
    s3: options.s3,
  }
  const client = await context.client()
  const made = await client.call<NewToken>('POST', '/api/v1/tokens', {
    body,
    signal: context.signal,
  })
  if (context.out.json) return context.out.content(JSON.stringify(made))
  const { keyPair } = made
  if (keyPair === undefined) context.out.content(made.token)
  else
    context.out.content(
      `access key  ${keyPair.accessKeyId}\nsecret key  ${keyPair.secretAccessKey}\ntoken       ${made.token}`,
    )
  context.out.note('Keep it now: it is not shown again.')
}

async function revoke(context: Context, ids: string[]): Promise<void> {
  const client = await context.client()
  for (const id of ids) {
    await client.call('DELETE', `/api/v1/tokens/${encodeURIComponent(id)}`, { signal: context.signal })
    context.out.answer({ id, revoked: true }, () => context.out.line(`revoked ${id}`))
  }
}

async function durationOf(text: string): Promise<number> {
  const { parseDuration } = await import('../peer/settings.ts')
  const found = parseDuration(text)
  if (found === undefined) throw fail('BAD_USAGE', { reason: `${text} is no time such as 30d or 24h` })
  return found
}
