/** `join`: this device becomes one of another pool. */
import { createInterface } from 'node:readline/promises'
import type { Client } from '../api/client.ts'
import { isCode } from '../base/errors.ts'
import { codeArgument } from './code-argument.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { plural } from './words.ts'

interface Options {
  bringFiles?: boolean
}

interface Joined {
  pool: string
  peers: number
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<code>', 'from peerstor invite on another device; - reads it from standard input')
    .option('--bring-files', 'add the files of this device to the new pool')
    .addHelpText('after', examples('join CODE', 'join CODE --bring-files'))
    .action(act(join))
}

async function join(context: Context, given: string, options: Options): Promise<void> {
  const { out } = context
  const code = await codeArgument(given)
  const client = await context.client()
  const joined = await tryJoin(context, client, code, options.bringFiles === true)
  out.answer(joined, () =>
    out.line(`joined pool ${joined.pool.slice(0, 16)}… with ${plural(joined.peers, 'device')}`),
  )
}

async function tryJoin(context: Context, client: Client, code: string, bringFiles: boolean): Promise<Joined> {
  try {
    return await client.call('POST', '/api/v1/join', { body: { code, bringFiles }, signal: context.signal })
  } catch (thrown) {
    const asks = isCode(thrown, 'POOL_NOT_EMPTY') && process.stdin.isTTY && !context.out.json
    if (!asks || !(await wantsToBring(context.signal))) throw thrown
    return tryJoin(context, client, code, true)
  }
}

async function wantsToBring(signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(
      'This device already has files. Add them to the new pool? [y/N] ',
      { signal },
    )
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
