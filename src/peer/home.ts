/**
 * The home of one peer: keys, index, settings, temporary files, and the lock that keeps it to one
 * process.
 */
import { chmod, mkdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { hasJoining } from '../access/joining-file.ts'
import { fail } from '../base/errors.ts'
import { takeExclusiveLock, type ExclusiveLock } from '../store/exclusive-lock.ts'
import type { RunFile } from './run-file.ts'
import { writeSecret } from '../access/secret-file.ts'

export interface Home {
  readonly folder: string
  /** Private keys, one file each, 0600. */
  readonly keys: string
  readonly database: string
  readonly config: string
  /** Emptied at every start. */
  readonly tmp: string
  /** Whether this process made the folder: a peer whose code is refused removes it again. */
  readonly made: boolean
  writeRun(run: RunFile): Promise<void>
  /** Takes run.json away and lets go of the lock. */
  close(): Promise<void>
  /** `close`, and nothing of a folder made by this process is left, unless a code may have been redeemed with it. */
  discard(): Promise<void>
}

/** Makes what is missing, locks; `HOME_LOCKED` while another process uses it. */
export async function openHome(place: string): Promise<Home> {
  const folder = resolve(place)
  const made = !(await exists(folder))
  await privateFolder(folder)
  const lock = takeLock(folder)
  const tmp = join(folder, 'tmp')
  const run = join(folder, 'run.json')
  const close = async (): Promise<void> => {
    await rm(run, { force: true })
    lock.release()
  }
  try {
    await rm(run, { force: true })
    await rm(tmp, { recursive: true, force: true })
    for (const path of [tmp, join(folder, 'keys')]) await privateFolder(path)
  } catch (thrown) {
    lock.release()
    throw thrown
  }
  return {
    folder,
    keys: join(folder, 'keys'),
    database: join(folder, 'peerstor.db'),
    config: join(folder, 'config.toml'),
    tmp,
    made,
    writeRun: (content) => writeSecret(run, `${JSON.stringify(content)}\n`),
    close,
    discard: async () => {
      await close()
      if (made && !(await hasJoining(folder))) await rm(folder, { recursive: true, force: true })
    },
  }
}

function takeLock(folder: string): ExclusiveLock {
  const lock = takeExclusiveLock(join(folder, 'lock'))
  if (lock === undefined) throw fail('HOME_LOCKED', { home: folder })
  return lock
}

async function privateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  if (process.platform !== 'win32') await chmod(path, 0o700)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
