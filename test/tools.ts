/**
 * Programs that some tests need and a machine may lack. A missing one is a skip that names it; with
 * CI=true it is a failure, because there nothing may go untested unnoticed.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

interface Tool {
  /** Names on the path, or absolute places. */
  names: readonly string[]
  /** Platforms that have it at all; elsewhere its tests are skipped even with CI=true. */
  platforms?: readonly NodeJS.Platform[]
}

const tools = {
  chromium: {
    names: [
      'chromium',
      'chromium-browser',
      'google-chrome',
      'google-chrome-stable',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      String.raw`C:\Program Files\Google\Chrome\Application\chrome.exe`,
    ],
  },
  ip: { names: ['ip', '/usr/sbin/ip', '/sbin/ip'], platforms: ['linux'] },
  tc: { names: ['tc', '/usr/sbin/tc', '/sbin/tc'], platforms: ['linux'] },
  'mkfs.ext4': { names: ['mkfs.ext4', '/usr/sbin/mkfs.ext4', '/sbin/mkfs.ext4'], platforms: ['linux'] },
  strace: { names: ['strace'], platforms: ['linux'] },
  curl: { names: ['curl', 'curl.exe'] },
  litmus: { names: ['litmus'], platforms: ['linux'] },
  cadaver: { names: ['cadaver'], platforms: ['linux'] },
  unzip: { names: ['unzip'], platforms: ['linux', 'darwin'] },
  rclone: { names: ['rclone', 'rclone.exe'] },
  restic: { names: ['restic'], platforms: ['linux'] },
  s3cmd: { names: ['s3cmd'], platforms: ['linux'] },
} as const satisfies Record<string, Tool>

export type ToolName = keyof typeof tools

/** Path of a program, or undefined when it is not installed. */
export function findTool(name: ToolName, searchPath: string = process.env['PATH'] ?? ''): string | undefined {
  return tools[name].names
    .flatMap((file) =>
      /[\\/]/.test(file) ? [file] : searchPath.split(delimiter).map((folder) => join(folder, file)),
    )
    .find(isProgram)
}

/**
 * Options of a test that needs programs: `test('uploads', needsTool('chromium'), async () => …)`.
 * @throws Error when one is missing and CI=true, which fails the file
 */
export function needsTool(...names: ToolName[]): { skip?: string } {
  const missing = names.filter((name) => findTool(name) === undefined)
  if (missing.length === 0) return {}
  const expected = missing.filter((name) => belongsHere(tools[name]))
  if (process.env['CI'] === 'true' && expected.length > 0)
    throw new Error(`${expected.join(' and ')} missing, and with CI=true no test may be skipped for that`)
  return { skip: `${missing.join(' and ')} missing` }
}

function belongsHere(tool: Tool): boolean {
  return tool.platforms === undefined || tool.platforms.includes(process.platform)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
