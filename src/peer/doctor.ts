/** contract.md `doctor`: everything that is not as it should be, how serious it is, and the command that helps. */
import { timeText } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Core } from './create-core.ts'
import { nameOf } from './devices.ts'
import type { PeerStatus, Problem } from './peer.ts'

/** The worst first; `warnings` as `status` shows them. */
export function problemsOf(core: Core, status: PeerStatus, warnings: readonly Problem[]): Problem[] {
  return [
    ...safetyProblems(status),
    ...warnings,
    ...workerProblems(core),
    ...deviceProblems(core),
    ...spaceProblems(status),
  ].sort((a, b) => rank[a.severity] - rank[b.severity])
}

const rank: Record<Problem['severity'], number> = { error: 0, warning: 1, hint: 2 }

function safetyProblems({ safety }: PeerStatus): Problem[] {
  const problems: Problem[] = []
  if (safety.lost > 0)
    problems.push({
      kind: 'lost',
      what: `${safety.lost} files can not be read now: no device that is known of keeps all of them`,
      severity: 'error',
      next: 'peerstor peers',
    })
  if (safety.needs === 'device')
    problems.push({
      kind: 'one-device',
      what: 'one device keeps everything',
      severity: 'warning',
      next: 'peerstor invite',
    })
  else if (safety.needs === 'keys')
    problems.push({
      kind: 'one-key',
      what: 'the keys are on one device only: if it is lost, nothing can be opened',
      severity: 'warning',
      next: 'peerstor recovery print',
    })
  else if (safety.degraded > 0)
    problems.push({
      kind: 'degraded',
      what: `${safety.degraded} files have fewer copies than wanted`,
      severity: 'warning',
      next: 'peerstor workers run repair',
    })
  return problems
}

function workerProblems({ workers }: Core): Problem[] {
  return workers
    .list()
    .filter(({ state }) => state === 'failed')
    .map(({ name, lastError }) => ({
      kind: 'worker-fails',
      subject: name,
      what: `the worker ${name} fails: ${lastError ?? 'for no known reason'}`,
      severity: 'error',
      next: `peerstor workers run ${name}`,
    }))
}

function deviceProblems({ pool, catalogue, store }: Core): Problem[] {
  const named = (peer: (typeof seen)[number]['peer']): string => {
    const device = catalogue.deviceOf(peer)
    return device === undefined ? peer : nameOf(device)
  }
  const seen = pool.health()
  const counted = new Set(pool.countedPeers())
  const held = (peer: (typeof seen)[number]['peer']): number => store.read.countHeldBy(peer).chunks
  const missing = seen
    .filter(({ missing }) => missing > 0)
    .map(({ peer, missing }): Problem => ({
      kind: 'missing-chunks',
      subject: peer,
      what: `${named(peer)} did not have ${missing} chunks that it says it has: its disk may be failing`,
      severity: 'error',
      next: `peerstor simulate lose ${peer}`,
    }))
  const away = seen
    .filter(({ peer, connected }) => !connected && !counted.has(peer) && held(peer) > 0)
    .map(({ peer, lastSeen }): Problem => ({
      kind: 'away',
      subject: peer,
      what: `${named(peer)} is away since ${lastSeen === undefined ? 'long' : timeText(lastSeen)}: its copies count no more`,
      severity: 'warning',
      next: `peerstor device revoke ${peer}`,
    }))
  return [...missing, ...away]
}

function spaceProblems({ storage }: PeerStatus): Problem[] {
  const problems: Problem[] = []
  if (storage.free < limits.reserveBytes + limits.segmentBytes)
    problems.push({
      kind: 'disk-full',
      what: `the disk has ${storage.free} bytes left: nothing more is stored here`,
      severity: 'error',
      next: 'peerstor workers run compact',
    })
  return problems
}
