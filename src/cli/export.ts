/** `export`: what makes this device this device, in one file. */
import { open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { asPeerStorError, fail } from '../base/errors.ts'
import { checkExport } from '../peer/export-file.ts'
import type { BuildCommand, Context } from './context.ts'
import { newOne } from './lock.ts'
import { examples } from './options.ts'
import { sizeText } from './words.ts'

interface Options {
  passphrase?: boolean
  keyFile?: string
}

export const build: BuildCommand = (command, act) => {
  command
    .argument('<file>', 'where to write it; a file of that name is replaced')
    .option('--passphrase', 'seal its keys by a passphrase, typed or one line of standard input')
    .option('--key-file <file>', 'seal its keys by this file')
    .addHelpText(
      'after',
      examples('export laptop.export --passphrase', 'start --home NEW --restore laptop.export') +
        '\nKeys, settings and the records of all files; their content stays on the devices of the pool.',
    )
    .action(act(exportTo))
}

async function exportTo(context: Context, file: string, options: Options): Promise<void> {
  const client = await context.client()
  if (options.passphrase === true && options.keyFile !== undefined)
    throw fail('BAD_USAGE', { reason: 'export takes --passphrase or --key-file, not both' })
  const isSealed = options.passphrase === true || options.keyFile !== undefined
  const body = isSealed ? await newOne(options.keyFile, context) : {}
  const bytes = await client.stream('POST', '/api/v1/export', { body, signal: context.signal })
  const path = resolve(file)
  const size = await write(path, bytes)
  const { pool, device, batches, onlyHere } = await checkExport(path)
  context.out.answer({ file: path, size, pool, device, batches, onlyHere }, () => {
    context.out.line(`wrote ${file}, ${sizeText(size)}: keys, settings and the records of all files`)
    if (!isSealed)
      context.out.note('whoever has this file is this device: keep it as safe as the device itself')
    if (onlyHere > 0)
      context.out.note(`${onlyHere} files are on this device alone: the export does not hold their content`)
  })
}

/** Whole and durable at its place, or not there: written beside, checked, synced, renamed, the folder synced. */
async function write(path: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  const beside = `${path}.part`
  await rm(beside, { force: true })
  const file = await open(beside, 'wx', 0o600).catch((thrown: unknown) => {
    throw fail('STORAGE_FAILED', { path: beside, reason: asPeerStorError(thrown).message }, thrown)
  })
  let size = 0
  try {
    for await (const piece of bytes) {
      await file.write(piece)
      size += piece.length
    }
    await file.sync()
    await checkExport(beside)
    await rename(beside, path)
  } catch (thrown) {
    await rm(beside, { force: true })
    throw thrown
  } finally {
    await file.close()
  }
  if (process.platform !== 'win32') {
    const folder = await open(dirname(path), 'r')
    await folder.sync()
    await folder.close()
  }
  return size
}
