/** `metrics`: the numbers of this device. */
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('metrics', 'metrics --json')).action(act(metrics))
}

async function metrics(context: Context): Promise<void> {
  const client = await context.client()
  if (context.out.json)
    context.out.content(JSON.stringify(await client.get('/metrics/json', {}, context.signal)))
  else context.out.content((await client.text('/metrics/human', context.signal)).trimEnd())
}
