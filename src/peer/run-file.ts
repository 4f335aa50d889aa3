/**
 * Where a peer's home is and how to reach the peer that runs on it: all that a command needs before it
 * talks to one, so nothing heavy is imported here (a schema library alone costs a command 50 ms).
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `<home>/run.json`, readable by its owner alone. */
export interface RunFile {
  /** For people: an address that other devices can reach. */
  url: string
  /**
   * For programs of this machine. A device that changed its network no longer owns the address in
   * `url`; a token must not go to whoever has it now.
   */
  local?: string | undefined
  token: string
  pid: number
}

/** The platform's data folder. */
export function defaultHome(
  platform: NodeJS.Platform = process.platform,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  user: string = homedir(),
): string {
  if (platform === 'win32')
    return join(environment['LOCALAPPDATA'] ?? join(user, 'AppData', 'Local'), 'PeerStor')
  if (platform === 'darwin') return join(user, 'Library', 'Application Support', 'PeerStor')
  return join(environment['XDG_DATA_HOME'] ?? join(user, '.local', 'share'), 'peerstor')
}

/** How to reach the peer that runs on a home; undefined when none does. */
export async function readRun(folder: string): Promise<RunFile | undefined> {
  const text = await readFile(join(folder, 'run.json'), 'utf8').catch(() => '')
  const run = parse(text)
  return run !== undefined && isAlive(run.pid) ? run : undefined
}

function parse(text: string): RunFile | undefined {
  try {
    const { url, local, token, pid } = JSON.parse(text) as Record<string, unknown>
    if (!isUrl(url) || typeof token !== 'string' || token === '' || token.length > 256) return undefined
    if (!Number.isSafeInteger(pid) || Number(pid) <= 0) return undefined
    return { url, token, pid: Number(pid), ...(isUrl(local) ? { local } : {}) }
  } catch {
    return undefined
  }
}

const isUrl = (value: unknown): value is string => typeof value === 'string' && URL.canParse(value)

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
