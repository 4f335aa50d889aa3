/** `status`: this device, its pool, and how safe the files are. */
import type { PeerStatus } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { style } from './table.ts'
import { durationText, oneLine, plural, sizeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command.addHelpText('after', examples('status', 'status --json')).action(act(status))
}

async function status(context: Context): Promise<void> {
  const client = await context.client()
  const found = await client.get<PeerStatus>('/api/v1/status', {}, context.signal)
  context.out.answer(found, () => show(context, found))
}

function show({ out, home }: Context, status: PeerStatus): void {
  const { pool, storage, files, safety } = status
  out.line(`${style('bold', status.name)}  ${status.peer}`)
  out.line(`  version   ${status.version}, up ${durationText(status.uptimeSeconds)}`)
  out.line(`  web page  ${status.url}`)
  out.line(`  home      ${home}`)
  out.line(`  pool      ${pool.id.slice(0, 16)}…  ${plural(pool.peers, 'device')}, this one is ${pool.role}`)
  out.line(
    `  storage   ${sizeText(storage.used)} of ${sizeText(storage.contributed)} used, ${sizeText(storage.free)} free on the disk`,
  )
  if (storage.quarantined > 0)
    out.line(`            ${sizeText(storage.quarantined)} of it in quarantine: nothing needs it any more`)
  out.line(`  files     ${plural(files.count, 'file')}, ${sizeText(files.bytes)}`)
  out.line(`  safety    ${safety.safe} safe, ${safety.degraded} degraded, ${safety.lost} lost`)
  out.line(
    `            ${style(safety.lost > 0 ? 'red' : safety.degraded > 0 ? 'yellow' : 'green', safety.statement)}`,
  )
  if (status.mending !== undefined) out.line(`  repair    ${mendingText(status.mending)}`)
  if (status.moving !== undefined) out.line(`  rebalance ${movingText(status.moving)}`)
  for (const warning of status.warnings) out.line(`  ${style('yellow', 'warning')}   ${oneLine(warning)}`)
}

function movingText({ chunks, etaSeconds }: NonNullable<PeerStatus['moving']>): string {
  const eta = etaSeconds === undefined ? '' : `, about ${durationText(etaSeconds)} to go`
  return `${plural(chunks, 'copy', 'copies')} moved to where they belong${eta}`
}

function mendingText({ chunks, etaSeconds }: NonNullable<PeerStatus['mending']>): string {
  const eta = etaSeconds === undefined ? '' : `, about ${durationText(etaSeconds)} to go`
  return `${plural(chunks, 'chunk')} brought to all wanted copies${eta}`
}
