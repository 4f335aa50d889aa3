/** `simulate lose`: which files would survive without some devices. */
import type { LossAnswer } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { style } from './table.ts'
import { plural, sizeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .command('lose')
    .argument('<device...>', 'names or ids')
    .option('--limit <n>', 'lost files to list', '100')
    .option('--cursor <cursor>', 'go on after a page')
    .description('which files would survive without these devices')
    .action(act(lose))
  command.addHelpText('after', examples('simulate lose nas', 'simulate lose nas laptop --json'))
}

interface Options {
  limit: string
  cursor?: string
}

async function lose(context: Context, devices: string[], { limit, cursor }: Options): Promise<void> {
  const client = await context.client()
  const body = { lose: devices, limit: Number(limit), ...(cursor === undefined ? {} : { cursor }) }
  const found = await client.call<LossAnswer>('POST', '/api/v1/simulate', { body, signal: context.signal })
  context.out.answer(found, () => show(context, found))
}

function show({ out }: Context, { devices, survive, unknown, lost, keys, entries, next }: LossAnswer): void {
  out.line(`without ${devices.map(({ name }) => name).join(', ')}:`)
  if (!keys)
    out.line(style('red', '  the keys would be gone: nothing could be opened (peerstor recovery print)'))
  out.line(`  ${plural(survive, 'file')} would survive, ${lost} would be lost`)
  if (unknown > 0) out.line(`  of ${plural(unknown, 'file')} it is not known yet`)
  for (const { path, size } of entries) out.line(style('red', `  lost  ${path}  ${sizeText(size)}`))
  if (next !== undefined) out.line(`  … more: --cursor ${next}`)
}
