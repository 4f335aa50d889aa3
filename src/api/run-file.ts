/** `<home>/run.json`: where the running peer is and the token to talk to it; readable by its owner alone. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface RunFile {
  url: string
  /** The address to use on this machine. */
  localUrl: string
  token: string
  pid: number
}

const fileOf = (home: string): string => join(home, 'run.json')

/** Writes the file whole or not at all. */
export async function writeRunFile(home: string, run: RunFile): Promise<void> {
  const temporary = `${fileOf(home)}.new`
  await rm(temporary, { force: true })
  await writeFile(temporary, `${JSON.stringify(run)}\n`, { mode: 0o600, flag: 'wx' })
  await rename(temporary, fileOf(home))
}

/** The running peer of a home; undefined when there is none: no file, or its process is gone. */
export async function readRunFile(home: string): Promise<RunFile | undefined> {
  const run = parse(await readFile(fileOf(home), 'utf8').catch(() => ''))
  return run !== undefined && isAlive(run.pid) ? run : undefined
}

/** Removes the file of this process; another process's stays. */
export async function removeRunFile(home: string, pid: number): Promise<void> {
  const run = parse(await readFile(fileOf(home), 'utf8').catch(() => ''))
  if (run?.pid === pid) await rm(fileOf(home), { force: true })
}

function parse(text: string): RunFile | undefined {
  try {
    const value = JSON.parse(text) as Partial<RunFile>
    const { url, token, pid } = value
    if (typeof url !== 'string' || typeof token !== 'string' || typeof pid !== 'number') return undefined
    return { url, token, pid, localUrl: typeof value.localUrl === 'string' ? value.localUrl : url }
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
