/** `config`: settings, where each value comes from, and changing them. */
import { fail } from '../base/errors.ts'
import type { SettingLine } from '../peer/settings.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'

type Changed = SettingLine & { live: boolean }

export const build: BuildCommand = (command, act) => {
  command
    .addHelpText('after', examples('config', 'config set contribute 50GB', 'config unset contribute'))
    .action(act(list))
  command.command('get').argument('<key>').description('print one value').action(act(get))
  command.command('set').argument('<key>').argument('<value>').description('save a value').action(act(set))
  command.command('unset').argument('<key>').description('forget a saved value').action(act(unset))
}

async function list(context: Context): Promise<void> {
  const settings = await read(context)
  context.out.answer({ settings }, () =>
    context.out.table<SettingLine>(
      [
        { head: 'Setting', value: (line) => line.key },
        { head: 'Value', value: (line) => valueText(line.value) },
        { head: 'From', value: (line) => line.origin },
        { head: 'Meaning', value: (line) => line.help },
      ],
      settings,
    ),
  )
}

async function get(context: Context, key: string): Promise<void> {
  const found = (await read(context)).find((line) => line.key === key)
  if (found === undefined) throw fail('SETTING_UNKNOWN', { key })
  if (context.out.json) context.out.content(JSON.stringify(found))
  else context.out.content(valueText(found.value))
}

async function set(context: Context, key: string, value: string): Promise<void> {
  const client = await context.client()
  const address = `/api/v1/settings/${encodeURIComponent(key)}`
  const changed = await client.call<Changed>('PUT', address, { body: { value }, signal: context.signal })
  show(context, changed)
}

async function unset(context: Context, key: string): Promise<void> {
  const client = await context.client()
  const address = `/api/v1/settings/${encodeURIComponent(key)}`
  show(context, await client.call<Changed>('DELETE', address, { signal: context.signal }))
}

async function read(context: Context): Promise<SettingLine[]> {
  const client = await context.client()
  return (await client.get<{ settings: SettingLine[] }>('/api/v1/settings', {}, context.signal)).settings
}

function show({ out }: Context, changed: Changed): void {
  out.answer(changed, () =>
    out.line(
      `${changed.key} = ${valueText(changed.value)} (${changed.origin})${changed.live ? '' : ', after restart'}`,
    ),
  )
}

function valueText(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
