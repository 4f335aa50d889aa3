/** `unlock`: a locked device opens its files again. */
import type { LockState } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { knownOne } from './lock.ts'
import { examples } from './options.ts'

export const build: BuildCommand = (command, act) => {
  command
    .option('--key-file <file>', 'the file that the keys are locked with')
    .addHelpText('after', examples('unlock', 'unlock --key-file /media/stick/key', 'unlock < passphrase.txt'))
    .action(act(unlock))
}

async function unlock(context: Context, { keyFile }: { keyFile?: string }): Promise<void> {
  const client = await context.client()
  const body = await knownOne(keyFile, context)
  const state = await client.call<LockState>('POST', '/api/v1/unlock', { body, signal: context.signal })
  context.out.answer(state, () => context.out.line('unlocked'))
}
