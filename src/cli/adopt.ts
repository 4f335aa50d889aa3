/** `adopt`: takes over what a revoked device wrote after its cut. */
import type { DeviceLine, HeldLine } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { oneLine, plural } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .argument('<device>', 'name or id of a revoked device')
    .argument('[path...]', 'only these files and folders (default: all that it wrote)')
    .option('--list', 'only list what is held back')
    .addHelpText('after', examples('adopt phone --list', 'adopt phone', 'adopt phone files/photos'))
    .action(act(adopt))
}

async function adopt(
  context: Context,
  device: string,
  paths: string[],
  options: { list?: boolean },
): Promise<void> {
  const { out, signal } = context
  const client = await context.client()
  const place = `/api/v1/devices/${encodeURIComponent(device)}`
  if (options.list === true) {
    const found = await client.get<{ held: HeldLine[] }>(`${place}/held`, {}, signal)
    return out.answer(found, () => show(context, found.held))
  }
  const done = await client.call<{ devices: DeviceLine[]; adopted: HeldLine[] }>('POST', `${place}/adopt`, {
    body: { paths },
    signal,
  })
  out.answer(done, () => {
    show(context, done.adopted)
    out.line(`adopted ${plural(done.adopted.length, 'version')}`)
  })
}

function show({ out }: Context, held: HeldLine[]): void {
  out.table<HeldLine>(
    [
      { head: 'Path', value: ({ path }) => oneLine(path) },
      { head: 'Kind', value: ({ kind }) => kind },
      { head: 'Version', value: ({ version }) => version.slice(0, 16) },
    ],
    held,
  )
}
