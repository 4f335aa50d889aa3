/** Files that hold keys, tokens or settings: readable by their owner alone, whole or not there. */
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../base/errors.ts'

/** Undefined when there is none; `STORAGE_FAILED` when it cannot be read. */
export async function readSecret(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fail('STORAGE_FAILED', { path, reason: 'the key file cannot be read' }, thrown)
  }
}

/** Durable and whole or not there at all: written beside, synced, renamed, folder synced. */
export async function writeSecret(path: string, content: string | Uint8Array): Promise<void> {
  const folder = join(path, '..')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const beside = `${path}.new`
  await rm(beside, { force: true })
  const file = await open(beside, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(beside, path)
  await syncFolder(folder)
}

/** Gone for good when it resolves; nothing happens when there is none. */
export async function removeSecret(path: string): Promise<void> {
  await rm(`${path}.new`, { force: true })
  const folder = join(path, '..')
  try {
    await rm(path)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return
    throw fail('STORAGE_FAILED', { path, reason: 'the key file cannot be removed' }, thrown)
  }
  await syncFolder(folder)
}

/** Windows cannot open folders; it makes renames durable by itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
