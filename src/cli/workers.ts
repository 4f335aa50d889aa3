/** `workers`: the background work of this device. */
import type { WorkerState } from '../base/worker.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('workers')).action(act(workers))
}

async function workers(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ workers: WorkerState[] }>('/api/v1/workers', {}, context.signal)
  context.out.answer(found, () =>
    context.out.table<WorkerState>(
      [
        { head: 'Worker', value: (worker) => worker.name },
        { head: 'State', value: (worker) => worker.state },
        { head: 'Steps', value: (worker) => String(worker.steps), right: true },
        { head: 'Doing', value: (worker) => worker.lastError ?? worker.status },
      ],
      found.workers,
    ),
  )
}
