/** `doctor`: what is not as it should be, how serious it is, and the command that helps. */
import type { Problem } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { style } from './table.ts'

const colours = { error: 'red', warning: 'yellow', hint: 'green' } as const

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('doctor', 'doctor --json')).action(act(doctor))
}

async function doctor(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ problems: Problem[] }>('/api/v1/doctor', {}, context.signal)
  const { out } = context
  out.answer(found, () => {
    if (found.problems.length === 0) out.line(style('green', 'nothing is wrong'))
    for (const { what, severity, next } of found.problems) {
      out.line(`${style(colours[severity], severity)}  ${what}`)
      out.line(`         ${next}`)
    }
  })
}
