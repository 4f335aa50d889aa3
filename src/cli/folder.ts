/** `folder`: top-level containers and how many copies each keeps. */
import { fail } from '../base/errors.ts'
import type { FolderLine } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { sizeText } from './words.ts'

const policyWords = 'copies=3 min=2 max=5 factor=0.1 erasure=4+2 keep=30d expires=90d quota=50GB'
const names: Record<string, string> = { keep: 'keepMs', expires: 'expireMs' }

export const build: BuildCommand = (command, act) => {
  command
    .addHelpText(
      'after',
      examples(
        'folder list',
        'folder create photos copies=3',
        'folder set photos copies=4 keep=60d',
        'folder set photos erasure=4+2',
        'folder rekey photos',
        'folder set scans expires=30d',
      ),
    )
    .action(act(list))
  command.command('list').description('list them').action(act(list))
  command
    .command('create')
    .argument('<name>')
    .argument('[policy...]', policyWords)
    .description('make a folder')
    .action(act(create))
  command
    .command('set')
    .argument('<name>')
    .argument('<policy...>', policyWords)
    .description('change what a folder promises')
    .action(act(set))
  command
    .command('rekey')
    .argument('<name>')
    .description(
      'a fresh secret, for instance after a device was lost; content is sealed anew in the background',
    )
    .action(act(rekey))
  command.command('rm').argument('<name>').description('remove a folder').action(act(remove))
}

async function list(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ folders: FolderLine[] }>('/api/v1/folders', {}, context.signal)
  context.out.answer(found, () =>
    context.out.table<FolderLine>(
      [
        { head: 'Name', value: (folder) => folder.name ?? folder.id },
        { head: 'Files', value: (folder) => String(folder.files), right: true },
        { head: 'Size', value: (folder) => sizeText(folder.bytes), right: true },
        { head: 'Copies', value: copiesText },
        ...(found.folders.some(({ rekey }) => rekey !== undefined) ? [rekeyColumn] : []),
      ],
      found.folders,
    ),
  )
}

/** `copies=` and `erasure=` as asked for, and what is in force. */
function copiesText({ policy, scheme, copies }: FolderLine): string {
  const asked = policy.erasure ?? String(policy.copies)
  return scheme === 'copies' ? `${asked} (${copies} now)` : scheme
}

const rekeyColumn = {
  head: 'To seal anew',
  value: ({ rekey }: FolderLine): string =>
    rekey === undefined
      ? ''
      : `${rekey.files} versions, ${sizeText(rekey.bytes)}${timeLeft(rekey.etaSeconds)}`,
}

const timeLeft = (seconds: number | undefined): string =>
  seconds === undefined ? '' : `, ${seconds} s to go`

async function create(context: Context, name: string, policy: string[]): Promise<void> {
  const client = await context.client()
  const body = { name, ...(await policyOf(policy)) }
  const folder = await client.call<FolderLine>('POST', '/api/v1/folders', { body, signal: context.signal })
  context.out.answer(folder, () => tell(context, `made folder ${name}`, folder))
}

async function set(context: Context, name: string, policy: string[]): Promise<void> {
  const client = await context.client()
  const folder = await client.call<FolderLine>('PATCH', `/api/v1/folders/${encodeURIComponent(name)}`, {
    body: await policyOf(policy),
    signal: context.signal,
  })
  context.out.answer(folder, () => tell(context, `changed folder ${name}`, folder))
}

function tell({ out }: Context, done: string, { waiting }: FolderLine): void {
  out.line(done)
  if (waiting !== undefined) out.line(waiting)
}

async function rekey(context: Context, name: string): Promise<void> {
  const client = await context.client()
  const path = `/api/v1/folders/${encodeURIComponent(name)}/rekey`
  const folder = await client.call<FolderLine>('POST', path, { signal: context.signal })
  context.out.answer(folder, () => {
    context.out.line(`folder ${name} has a fresh secret: what is written from now on is sealed under it`)
    context.out.line(
      'what was there before is sealed anew in the background: peerstor folder, peerstor workers',
    )
  })
}

async function remove(context: Context, name: string): Promise<void> {
  const client = await context.client()
  await client.call('DELETE', `/api/v1/folders/${encodeURIComponent(name)}`, { signal: context.signal })
  context.out.answer({ name, removed: true }, () => context.out.line(`removed folder ${name}`))
}

/** `copies=3 keep=30d` as the API takes it; `none` ends what may be absent. */
async function policyOf(words: string[]): Promise<Record<string, number | string | null>> {
  const { parseDuration, parseSize } = await import('../peer/settings.ts')
  const parsers: Record<string, (text: string) => number | undefined> = {
    keep: parseDuration,
    expires: parseDuration,
    quota: parseSize,
  }
  const policy: Record<string, number | string | null> = {}
  for (const word of words) {
    const [, erasure] = /^erasure=(\d+\+\d+|off)$/.exec(word) ?? []
    if (erasure !== undefined) {
      policy['erasure'] = erasure
      continue
    }
    const [, key = '', value = ''] = /^(copies|min|max|factor|keep|expires|quota)=(\S+)$/.exec(word) ?? []
    const isNone = ['expires', 'quota'].includes(key) && (value === 'none' || value === '0')
    const parse = parsers[key] ?? ((text: string) => (text === '' ? undefined : Number(text)))
    const found = isNone ? null : parse(value)
    if (found === undefined || Number.isNaN(found))
      throw fail('BAD_USAGE', { reason: `${word} is none of ${policyWords}` })
    policy[names[key] ?? key] = found
  }
  return policy
}
