/** `password`: lets people sign in to the page without the link. */
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'

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
  const password = process.stdin.isTTY ? await typedTwice(context.signal) : await lineOfInput()
  await client.call('PUT', '/api/v1/password', { body: { password }, signal: context.signal })
  context.out.answer({ set: true }, () => context.out.line('the password of the page is set'))
}

async function off(context: Context): Promise<void> {
  const client = await context.client()
  await client.call('DELETE', '/api/v1/password', { signal: context.signal })
  context.out.answer({ set: false }, () => context.out.line('the page has no password any more'))
}

async function lineOfInput(): Promise<string> {
  let read = ''
  for await (const piece of process.stdin.setEncoding('utf8')) {
    read += piece as string
    if (read.length > limits.passwordBytes)
      throw fail('TOO_LARGE', { what: 'the password', limit: limits.passwordBytes })
  }
  return read.replace(/\r?\n$/, '')
}

async function typedTwice(signal: AbortSignal): Promise<string> {
  const first = await typed('New password: ', signal)
  if ((await typed('Again: ', signal)) === first) return first
  throw fail('BAD_USAGE', { reason: 'the two passwords differ' })
}

/** One line from the terminal, which shows nothing of it. */
async function typed(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(question)
  stdin.setRawMode(true).setEncoding('utf8').resume()
  let text = ''
  try {
    while (true) {
      const { promise, resolve } = Promise.withResolvers<string>()
      stdin.once('data', (piece) => resolve(String(piece)))
      const cancel = (): void => resolve('\u0003')
      signal.addEventListener('abort', cancel, { once: true })
      for (const letter of await promise) {
        if (letter === '\r' || letter === '\n' || letter === '\u0004') return text
        if (letter === '\u0003') throw fail('INTERRUPTED', { what: 'the command' })
        if (letter === '\u007f' || letter === '\b') text = text.slice(0, -1)
        else text += letter
      }
    }
  } finally {
    stdin.setRawMode(false).pause()
    stderr.write('\n')
  }
}
