/** `invite`: a code, and a QR for a phone, that let one device join. */
import type { InviteLine } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { timeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .option('--storage-only', 'for a device that keeps chunks and can read nothing')
    .addHelpText('after', examples('invite', 'invite --storage-only'))
    .action(act(invite))
}

async function invite(context: Context, options: { storageOnly?: boolean }): Promise<void> {
  const { out } = context
  const client = await context.client()
  const made = await client.call<InviteLine>('POST', '/api/v1/invites', {
    body: { storageOnly: options.storageOnly === true },
    signal: context.signal,
  })
  if (out.json) return out.content(JSON.stringify(made))
  out.content(made.code)
  if (process.stdout.isTTY) await showQr(context, made.link)
  out.note(`\nOn the new device: peerstor start --join ${made.code}`)
  out.note(`Good for one device until ${timeText(made.expires)}.`)
}

/** Half blocks: two rows of modules in one line of text. */
export async function showQr({ out }: Context, text: string): Promise<void> {
  const { renderUnicodeCompact } = await import('uqr')
  out.line(`\n${renderUnicodeCompact(text)}`)
}
