/**
 * `npm start [-- arguments of peerstor start]`: installs, builds what is lacking, becomes the parent of
 * a peer. The peer never outlives this script, nor this script the npm that began it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { buildUi } from './build-ui.mjs'
import { forwardSignals, main, nodeFlags, pinnedEnv, pinnedNode, root } from './runtime.mjs'
import { setUp } from './setup.mjs'

/** A stopping peer has 10 s (`limits.stopTimeoutMs`); after this it is killed. */
const killAfterMs = 12_000

await main(async () => {
  await setUp()
  await buildUi()
  const program = [...nodeFlags, join(root, 'src/cli/main.ts')]
  const peer = spawn(pinnedNode(), [...program, 'start', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...pinnedEnv(), PEERSTOR_PARENT: String(process.pid) },
  })
  forwardSignals(peer)
  const stopWatching = whenOrphaned(() => {
    peer.kill('SIGTERM')
    setTimeout(() => peer.kill('SIGKILL'), killAfterMs).unref()
  })
  return new Promise((resolve, reject) => {
    peer.once('error', reject)
    peer.once('exit', (code, signal) => {
      stopWatching()
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
})

/** Calls `gone` once when the process that began this one has ended. @param {() => void} gone */
function whenOrphaned(gone) {
  const parent = process.ppid
  const npm = npmAbove(parent)
  const timer = setInterval(() => {
    if (process.ppid === parent && (npm === undefined || isAlive(npm))) return
    clearInterval(timer)
    gone()
  }, 1000)
  return () => clearInterval(timer)
}

/**
 * The npm that ran this script through a shell that stayed between them (most shells do not).
 * @param {number} parent
 */
function npmAbove(parent) {
  if (process.env.npm_lifecycle_event === undefined || process.platform === 'win32') return undefined
  const [grandparent, name = ''] = processLine(parent)
  return /(^|\/|-)(sh|dash|bash|zsh)$/.test(name) && Number(grandparent) > 1 ? Number(grandparent) : undefined
}

/** Parent and name of a process. @param {number} pid */
function processLine(pid) {
  const line = spawnSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? ''
  return line.trim().split(/\s+/)
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}
