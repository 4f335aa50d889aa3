/** `demo`: four real processes keep real files safe while two of them are killed. */
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { style } from './table.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('demo', 'demo --json')).action(act(demo))
}

async function demo(context: Context): Promise<void> {
  const { out, signal } = context
  const { runDemo } = await import('./demo.ts')
  const checks = await runDemo({
    signal,
    onStep: (sentence) => out.line(sentence),
    onCheck: (check) => {
      if (out.json) out.content(JSON.stringify(check))
      else
        out.line(
          `${check.ok ? style('green', 'ok  ') : style('red', 'FAIL')}  ${check.check}: ${check.found}`,
        )
    },
  })
  if (checks.some((check) => !check.ok)) process.exitCode = 1
}
