/** `doctor`: what is not as it should be, how serious it is, and the command that helps. */
import type { Alert, Problem } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { style } from './table.ts'
import { oneLine, timeText } from './words.ts'

const colours = { error: 'red', warning: 'yellow', hint: 'green' } as const

interface Options {
  alerts?: boolean
  testAlert?: boolean
}

export const build: BuildCommand = (command, act) => {
  command
    .option('--alerts', 'list the last alerts: what began, ended or happened')
    .option('--test-alert', 'send a test to alert.webhook and alert.command')
    .addHelpText('after', examples('doctor', 'doctor --json', 'doctor --alerts', 'doctor --test-alert'))
    .action(
      act((context, options: Options) => {
        if (options.testAlert === true) return test(context)
        return options.alerts === true ? alerts(context) : doctor(context)
      }),
    )
}

async function doctor(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ problems: Problem[] }>('/api/v1/doctor', {}, context.signal)
  const { out } = context
  out.answer(found, () => {
    if (found.problems.length === 0) out.line(style('green', 'nothing is wrong'))
    for (const { what, severity, next } of found.problems) {
      out.line(`${style(colours[severity], severity)}  ${oneLine(what)}`)
      out.line(`         ${oneLine(next)}`)
    }
  })
}

async function alerts(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ alerts: Alert[] }>('/api/v1/alerts', {}, context.signal)
  const { out } = context
  out.answer(found, () => {
    if (found.alerts.length === 0) out.line('no alerts yet')
    for (const { time, state, what, severity } of found.alerts)
      out.line(
        `${timeText(time)}  ${state.padEnd(7)}  ${style(colours[severity], severity)}  ${oneLine(what)}`,
      )
  })
}

async function test(context: Context): Promise<void> {
  const client = await context.client()
  const path = '/api/v1/alerts/test'
  const found = await client.call<{ outlets: { outlet: string; problem?: string }[] }>('POST', path, {
    signal: context.signal,
  })
  const { out } = context
  out.answer(found, () => {
    if (found.outlets.length === 0)
      out.line('alerts go nowhere yet: peerstor config set alert.webhook URL, or alert.command PROGRAM')
    for (const { outlet, problem } of found.outlets)
      out.line(
        `${outlet}: ${problem === undefined ? style('green', 'sent') : style('red', oneLine(problem))}`,
      )
  })
  if (found.outlets.some(({ problem }) => problem !== undefined)) process.exitCode = 1
}
