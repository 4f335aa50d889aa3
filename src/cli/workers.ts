/** `workers`: the background work of this device. */
import type { WorkerState } from '../base/worker.ts'
import type { WorkerAction } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'

const actions: Record<WorkerAction, string> = {
  pause: 'let a worker rest until it is resumed, over restarts too',
  resume: 'let it go on',
  run: 'ask for a round now',
}

export const build: BuildCommand = (command, act) => {
  command
    .addHelpText('after', examples('workers', 'workers pause repair', 'workers run scrub'))
    .action(act(list))
  for (const [action, description] of Object.entries(actions))
    command
      .command(action)
      .argument('<name>', 'as in the list')
      .description(description)
      .action(act((context, name: string) => steer(context, name, action)))
}

async function list(context: Context): Promise<void> {
  const client = await context.client()
  show(context, await client.get('/api/v1/workers', {}, context.signal))
}

async function steer(context: Context, name: string, action: string): Promise<void> {
  const client = await context.client()
  const path = `/api/v1/workers/${encodeURIComponent(name)}/${action}`
  show(context, await client.call('POST', path, { signal: context.signal }))
}

function show({ out }: Context, found: { workers: WorkerState[] }): void {
  out.answer(found, () =>
    out.table<WorkerState>(
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
