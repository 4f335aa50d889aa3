/**
 * Going on after a break. A connection that broke, or a peer that was started anew, is asked again for
 * as long as anything moves; what only another command line can mend ends at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../api/client.ts'
import { asPeerStorError, type ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Context } from './context.ts'

const firstWaitMs = 200
const longestWaitMs = 5_000

/** Breaks that may be over the next moment. */
const breaks = new Set<ErrorCode>([
  'INTERRUPTED',
  'PEER_NOT_RUNNING',
  'TIMED_OUT',
  'UPLOAD_BUSY',
  'UPLOAD_OFFSET',
  'RATE_LIMITED',
])

/**
 * Runs `attempt` until it ends well. `progress` tells how far it is: while that grows between two
 * attempts, more are made. Each gets a client of the peer as it runs now.
 */
export async function untilDone<T>(
  context: Context,
  client: Client,
  progress: () => number,
  attempt: (client: Client) => Promise<T>,
): Promise<T> {
  let now = client
  let reached = progress()
  let movedAt = performance.now()
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      return await attempt(now)
    } catch (thrown) {
      if (progress() > reached) {
        movedAt = performance.now()
        waitMs = firstWaitMs
      }
      reached = Math.max(reached, progress())
      const late = performance.now() - movedAt > limits.resumeTryMs
      if (context.signal.aborted || late || !breaks.has(asPeerStorError(thrown).code)) throw thrown
    }
    await sleep(waitMs, undefined, { signal: context.signal })
    // Started anew, it has another address and token.
    now = await context.client().catch(() => now)
  }
}
