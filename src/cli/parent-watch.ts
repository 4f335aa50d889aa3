/**
 * No peer outlives the `npm start` that began it: npm and shells do not always pass a signal on, and a
 * killed parent passes on none. So the peer itself looks whether its parent is still there.
 */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'

/** What the operating system knows of processes; `processes` in a peer. */
export interface Processes {
  /** The parent of this process now: another one (1, mostly) once the first has ended. */
  parent(): number
  isAlive(pid: number): boolean
}

export const processes: Processes = {
  parent: () => process.ppid,
  isAlive: (pid) => {
    try {
      return process.kill(pid, 0)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM'
    }
  },
}

/** The process named by PEERSTOR_PARENT, which must not be outlived. */
export function watchedParent(env: NodeJS.ProcessEnv): number | undefined {
  const pid = Number(env['PEERSTOR_PARENT'])
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined
}

/**
 * Calls `gone` once, when process `pid` has ended; looks every `limits.parentPollMs`. A direct parent
 * is also known by having become another one: it may be dead but not yet waited for.
 *
 * @returns a function that ends the watch
 */
export function watchParent(pid: number, clock: Clock, gone: () => void, system = processes): () => void {
  const isDirect = system.parent() === pid
  const look = (): void => {
    const ended = isDirect ? system.parent() !== pid : !system.isAlive(pid)
    if (ended) gone()
    else cancel = clock.after(limits.parentPollMs, look)
  }
  let cancel = clock.after(limits.parentPollMs, look)
  return () => cancel()
}
