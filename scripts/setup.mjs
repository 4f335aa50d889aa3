/**
 * Installs what package-lock.json names, when that has not been done yet. Built-in modules of Node 20
 * only. A stamp in node_modules holds the hash of the lock it was installed from; it is removed before
 * an installation and written after it, so that an interrupted one is done again, and nothing touches
 * the network while it matches.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isProgram, main, pinnedNode, root, ScriptError } from './runtime.mjs'

/** Makes node_modules agree with the lock. @param {string} [folder] the clone */
export async function setUp(folder = root) {
  const stamp = join(folder, 'node_modules', '.peerstor-setup')
  const lockText = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  const lockHash = createHash('sha256').update(lockText).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return
  if (!existsSync(stamp) && wasInstalled(folder, lockText)) return writeFileSync(stamp, lockHash)

  const since = performance.now()
  console.error('setup: installing dependencies with npm ci (needs the network; about half a minute) …')
  rmSync(stamp, { force: true })
  rmSync(hiddenLock(folder), { force: true })
  install(folder)
  writeFileSync(stamp, lockHash)
  console.error(`setup: done in ${((performance.now() - since) / 1000).toFixed(1)} s`)
}

/** npm writes this copy of the lock last, so it tells of a finished installation. @param {string} folder */
const hiddenLock = (folder) => join(folder, 'node_modules', '.package-lock.json')

/**
 * Whether a plain `npm ci` by hand installed exactly this lock. Packages for other platforms are
 * optional and may be missing.
 * @param {string} folder
 * @param {string} lockText
 */
function wasInstalled(folder, lockText) {
  if (!existsSync(hiddenLock(folder))) return false
  const installed = JSON.parse(readFileSync(hiddenLock(folder), 'utf8')).packages
  return Object.entries(JSON.parse(lockText).packages).every(([path, wanted]) => {
    if (path === '') return true
    const found = installed[path]
    return found === undefined
      ? Boolean(wanted.optional || wanted.devOptional)
      : found.integrity === wanted.integrity
  })
}

/** @param {string} folder */
function install(folder) {
  if (process.platform === 'win32' && process.execPath.startsWith(join(folder, 'node_modules')))
    throw new ScriptError('package-lock.json has changed; run: npm ci --include=dev --include=optional')
  const [program, ...first] = npmCommand()
  const args = [...first, 'ci', '--include=dev', '--include=optional', '--loglevel=error']
  const result = spawnSync(program, args, {
    cwd: folder,
    stdio: ['ignore', 2, 2],
    shell: program === 'npm' && process.platform === 'win32',
  })
  const found = /** @type {NodeJS.ErrnoException | undefined} */ (result.error)
  if (found?.code === 'ENOENT')
    throw new ScriptError(
      'npm was not found; install Node with npm from https://nodejs.org, then run this again',
    )
  if (found !== undefined) throw found
  if (result.signal !== null) throw new ScriptError('npm ci was interrupted; run this again')
  if (result.status !== 0)
    throw new ScriptError(
      `npm ci failed (exit ${result.status}), its reason stands above; ` +
        'without a network or behind a proxy: connect, or set npm\'s "registry" or "proxy", then run this again',
    )
}

/** npm as the one that runs this script, else the one on the path. @returns {[string, ...string[]]} */
function npmCommand() {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env
  return npm !== undefined && basename(npm) === 'npm-cli.js' ? [node ?? process.execPath, npm] : ['npm']
}

if (isProgram(import.meta.url))
  await main(async () => {
    await setUp()
    if (process.argv.includes('--print-node')) console.log(pinnedNode())
  })
