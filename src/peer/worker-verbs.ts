/** contract.md `workers`: pausing background work, and asking for a round of it at once. */
import type { WorkerState } from '../base/worker.ts'
import type { OwnState } from '../store/store.ts'
import type { Core } from './create-core.ts'
import type { Problem, WorkerAction } from './peer.ts'

/** Who is paused is remembered: a device that was told to be quiet stays so after a restart. */
const row = ['setting', 'paused workers'] as const

export function pausedWorkers(own: Pick<OwnState, 'get'>): string[] {
  return own.get<string[]>(...row) ?? []
}

export async function steerWorker(
  { workers, store }: Pick<Core, 'workers' | 'store'>,
  name: string,
  action: WorkerAction,
): Promise<WorkerState[]> {
  if (action === 'run') workers.run(name)
  else {
    workers.pause(name, action === 'pause')
    await store.own.put(...row, workers.paused())
  }
  return workers.list()
}

export function pausedWarning({ workers }: Pick<Core, 'workers'>): Problem[] {
  const paused = workers.paused()
  if (paused.length === 0) return []
  const what = `background work is paused (${paused.join(', ')})`
  return [{ kind: 'paused', what, severity: 'warning', next: `peerstor workers resume ${paused[0]}` }]
}
