/** `device`: the devices that count in the pool. */
import { setTimeout } from 'node:timers/promises'
import type { DeviceLine, RetireLine } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { timeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .addHelpText(
      'after',
      examples(
        'device list',
        'device rename laptop workhorse',
        'device retire old-nas',
        'device revoke phone',
      ),
    )
    .action(act(list))
  command.command('list').description('list them').action(act(list))
  command
    .command('rename')
    .argument('<name>', 'name or id')
    .argument('<new-name>')
    .description('give a device another name')
    .action(act(rename))
  command
    .command('retire')
    .argument('<name>', 'name or id')
    .option('--cancel', 'let it stay after all')
    .option('--no-wait', 'do not wait until it is safe to unplug')
    .description('move all that a device keeps to others, and say when it is safe to unplug')
    .action(act(retire))
  command
    .command('revoke')
    .argument('<name...>', 'names or ids')
    .description('shut devices out for good and make new copies of what they kept')
    .action(act(revoke))
}

async function list(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<{ devices: DeviceLine[] }>('/api/v1/devices', {}, context.signal)
  context.out.answer(found, () => show(context, found.devices))
}

async function rename(context: Context, name: string, newName: string): Promise<void> {
  const client = await context.client()
  const device = await client.call<DeviceLine>('PATCH', `/api/v1/devices/${encodeURIComponent(name)}`, {
    body: { name: newName },
    signal: context.signal,
  })
  context.out.answer(device, () => show(context, [device]))
}

const lookEveryMs = 1_000

/** Goes on by itself in that device when this command is ended. */
async function retire(
  context: Context,
  name: string,
  { cancel, wait }: { cancel?: boolean; wait: boolean },
): Promise<void> {
  const client = await context.client()
  const path = `/api/v1/devices/${encodeURIComponent(name)}/retire`
  const ask = (method: 'GET' | 'POST' | 'DELETE'): Promise<RetireLine> =>
    client.call<RetireLine>(method, path, { signal: context.signal })
  const first = await ask(cancel === true ? 'DELETE' : 'POST')
  const line = wait && cancel !== true ? await followed(context, first, () => ask('GET')) : first
  context.out.answer(line, () => {
    context.out.line(`${line.name}: ${line.statement}`)
    if (line.phase === 'safe')
      context.out.line(
        'take it out of the pool with: peerstor pool leave there, or peerstor device revoke here',
      )
  })
}

/** Until it is safe to unplug, or somebody lets it stay. */
async function followed(
  { out, signal }: Context,
  first: RetireLine,
  look: () => Promise<RetireLine>,
): Promise<RetireLine> {
  let line = first
  let told = ''
  while (line.phase === 'moving' || line.phase === 'checking') {
    if (line.statement !== told) out.note(`${line.name}: ${line.statement}`)
    told = line.statement
    await setTimeout(lookEveryMs, undefined, { signal })
    line = await look()
  }
  return line
}

async function revoke(context: Context, devices: string[]): Promise<void> {
  const client = await context.client()
  const fallen = await client.call<{ devices: DeviceLine[] }>('POST', '/api/v1/devices/revoke', {
    body: { devices },
    signal: context.signal,
  })
  context.out.answer(fallen, () => {
    const more = fallen.devices.length > devices.length
    context.out.line(more ? 'revoked, with every device that only they had let in:' : 'revoked:')
    show(context, fallen.devices)
  })
}

function show({ out }: Context, devices: DeviceLine[]): void {
  out.table<DeviceLine>(
    [
      { head: 'Name', value: (device) => device.name },
      { head: 'Role', value: (device) => device.role },
      { head: 'Kind', value: (device) => device.kind },
      { head: 'State', value: stateOf },
      { head: 'Last seen', value: (device) => timeText(device.lastSeen) },
      { head: 'Id', value: (device) => device.peer ?? device.device },
    ],
    devices,
  )
}

function stateOf({ state, fork }: DeviceLine): string {
  if (fork === undefined) return state
  return fork === 'cloned' ? `${state}, cloned` : `${state}, FORGED RECORDS`
}
