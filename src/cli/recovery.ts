/** `recovery`: the paper key that brings the files back when every other device is gone. */
import type { DeviceLine } from '../peer/peer.ts'
import { codeArgument } from './code-argument.ts'
import type { BuildCommand, Context } from './context.ts'
import { showQr } from './invite.ts'
import { examples } from './options.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText(
    'after',
    examples('recovery print', 'recovery confirm', 'start --home NEW --recover - < paper.txt'),
  )
  command
    .command('print')
    .description('print the recovery key, to be kept on paper')
    .option('--new', 'make a further key when the first one has left this device')
    .action(act(print))
  command
    .command('confirm')
    .argument('[code...]', 'the code as read from the paper, to check it; - reads it from standard input')
    .description('the paper is in safe hands: remove the key from this device')
    .action(act(confirm))
}

async function print(context: Context, options: { new?: boolean }): Promise<void> {
  const { out } = context
  const client = await context.client()
  const printed = await client.call<{ code: string; devices: DeviceLine[] }>(
    'POST',
    '/api/v1/recovery/print',
    { body: { renew: options.new === true }, signal: context.signal },
  )
  if (out.json) return out.content(JSON.stringify(printed))
  out.line('PeerStor recovery key. Whoever has it can read and change everything: keep it on paper, away')
  out.line('from your devices. With it, any device of the pool that is left gives everything back:')
  out.line('peerstor start --recover CODE\n')
  for (const line of linesOf(printed.code)) out.content(line)
  if (process.stdout.isTTY) await showQr(context, printed.code.replaceAll(' ', ''))
  out.note('\nWhen it is on paper: peerstor recovery confirm, which removes the key from this device.')
}

async function confirm(context: Context, words: string[]): Promise<void> {
  const code = words.length === 0 ? undefined : await codeArgument(words.join(' '))
  const client = await context.client()
  const confirmed = await client.call<{ devices: DeviceLine[] }>('POST', '/api/v1/recovery/confirm', {
    body: { code },
    signal: context.signal,
  })
  context.out.answer(confirmed, () =>
    context.out.line(
      'confirmed: the recovery key is on paper alone now, and counts as a second place of the keys',
    ),
  )
}

/** Eight groups in a line. */
function linesOf(code: string): string[] {
  const groups = code.split(' ')
  return Array.from({ length: Math.ceil(groups.length / 8) }, (_, line) =>
    groups.slice(8 * line, 8 * line + 8).join(' '),
  )
}
