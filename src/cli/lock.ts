/** `lock`: the keys of this device, sealed by a passphrase or a key file. */
import { readFile } from 'node:fs/promises'
import { fail } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { LockState } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { knownSecret, newSecret } from './typed-secret.ts'

interface Options {
  change?: boolean
  remove?: boolean
  state?: boolean
  keyFile?: string
  newKeyFile?: string
}

/** As the API takes it. */
type Secret = { passphrase: string } | { keyFile: string }

export const build: BuildCommand = (command, act) => {
  command
    .option('--key-file <file>', 'a file unlocks the keys, in place of a passphrase')
    .option('--change', 'another passphrase or key file unlocks them from now on')
    .option('--new-key-file <file>', 'with --change: this file')
    .option('--remove', 'no lock any more')
    .option('--state', 'say whether the keys have a lock, and change nothing')
    .addHelpText(
      'after',
      examples('lock', 'lock --key-file /media/stick/key', 'lock --change', 'lock --remove') +
        '\nA passphrase is typed, or read from standard input: one line, with --change the present one, then the new one.',
    )
    .action(act(lock))
}

async function lock(context: Context, options: Options): Promise<void> {
  if (options.state === true) return show(context)
  if (options.change === true) return change(context, options)
  if (options.remove === true) return remove(context, options)
  const client = await context.client()
  const before = await client.get<LockState>('/api/v1/lock', {}, context.signal)
  const body = before.kind === null ? await newOne(options.keyFile, context) : {}
  const state = await client.call<LockState>('POST', '/api/v1/lock', { body, signal: context.signal })
  context.out.answer(state, () => {
    context.out.line('locked: this device keeps sealed chunks for the others, and opens nothing')
    context.out.line('peerstor unlock brings everything back')
  })
}

async function show(context: Context): Promise<void> {
  const client = await context.client()
  const state = await client.get<LockState>('/api/v1/lock', {}, context.signal)
  const text = state.locked ? `locked by a ${state.kind}` : `unlocked; a ${state.kind} locks the keys`
  context.out.answer(state, () => context.out.line(state.kind === null ? 'the keys have no lock' : text))
}

async function change(context: Context, { keyFile, newKeyFile }: Options): Promise<void> {
  const client = await context.client()
  const present = await knownOne(keyFile, context)
  const body = { present, next: await newOne(newKeyFile, context) }
  const state = await client.call<LockState>('PUT', '/api/v1/lock', { body, signal: context.signal })
  context.out.answer(state, () => context.out.line(`changed: a ${state.kind} unlocks the keys`))
}

async function remove(context: Context, { keyFile }: Options): Promise<void> {
  const client = await context.client()
  const body = await knownOne(keyFile, context)
  const state = await client.call<LockState>('POST', '/api/v1/lock/remove', { body, signal: context.signal })
  context.out.answer(state, () => context.out.line('the keys have no lock any more'))
}

export async function newOne(keyFile: string | undefined, { signal }: Context): Promise<Secret> {
  return keyFile === undefined ? { passphrase: await newSecret('passphrase', signal) } : fileSecret(keyFile)
}

export async function knownOne(keyFile: string | undefined, { signal }: Context): Promise<Secret> {
  return keyFile === undefined ? { passphrase: await knownSecret('passphrase', signal) } : fileSecret(keyFile)
}

async function fileSecret(path: string): Promise<Secret> {
  const content = await readFile(path).catch((thrown: unknown) => {
    throw fail('NOT_FOUND', { what: 'file', name: path }, thrown)
  })
  if (content.length > limits.keyFileBytes)
    throw fail('TOO_LARGE', { what: 'the key file', limit: limits.keyFileBytes })
  return { keyFile: content.toString('base64') }
}
