/** Small private files that are never half written: keys, config.toml, run.json. */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes `path` in one step, 0600: after a crash it holds the old content or the new, whole. */
export async function writeFileWhole(path: string, content: string | Uint8Array): Promise<void> {
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
  await syncFolder(dirname(path))
}

/** Makes new names in a folder durable; Windows can not open folders and does it by itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
