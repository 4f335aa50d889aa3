/** `url`: the link to the web page, with the token that signs in. */
import { fail } from '../base/errors.ts'
import { readRun } from '../peer/run-file.ts'
import type { BuildCommand, Context } from './context.ts'
import { showQr } from './invite.ts'
import { examples } from './options.ts'

export const build: BuildCommand = (command, act) => {
  command
    .option('--qr', 'as a QR code too')
    .addHelpText('after', examples('url', 'url --qr'))
    .action(act(url))
}

async function url(context: Context, options: { qr?: boolean }): Promise<void> {
  const run = await readRun(context.home)
  if (run === undefined) throw fail('PEER_NOT_RUNNING', { home: context.home, start: context.startCommand })
  const link = linkOf(run)
  if (context.out.json) return context.out.content(JSON.stringify({ url: run.url, link, token: run.token }))
  context.out.content(link)
  if (options.qr === true) await showQr(context, link)
}

/** The token stands in the fragment: browsers send that to nobody. */
export const linkOf = (run: { url: string; token: string }): string =>
  `${run.url.replace(/\/$/, '')}/#token=${run.token}`
