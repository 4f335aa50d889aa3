/** `password`: lets people sign in to the page without the link. */
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { newSecret } from './typed-secret.ts'

export const build: BuildCommand = (command, act) => {
  command
    .addHelpText('after', examples('password set', 'password set < file', 'password off'))
    .action(act(show))
  command.command('set').description('set it: typed twice, or one line of standard input').action(act(set))
  command.command('off').description('sign in by the link alone').action(act(off))
}

async function show(context: Context): Promise<void> {
  const client = await context.client()
  const state = await client.get<{ set: boolean }>('/api/v1/password', {}, context.signal)
  context.out.answer(state, () =>
    context.out.line(state.set ? 'a password is set' : 'no password: sign in by the link of peerstor url'),
  )
}

async function set(context: Context): Promise<void> {
  const client = await context.client()
  const password = await newSecret('password', context.signal)
  await client.call('PUT', '/api/v1/password', { body: { password }, signal: context.signal })
  context.out.answer({ set: true }, () => context.out.line('the password of the page is set'))
}

async function off(context: Context): Promise<void> {
  const client = await context.client()
  await client.call('DELETE', '/api/v1/password', { signal: context.signal })
  context.out.answer({ set: false }, () => context.out.line('the page has no password any more'))
}
