/** `report`: how safe all files are, for people or signed for whoever keeps it; `--verify` reads a kept one. */
import { readFile } from 'node:fs/promises'
import { fail } from '../base/errors.ts'
import type { CheckedReport, ReportDevice, SafetyReport, SignedReport } from '../peer/peer.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { style } from './table.ts'
import { oneLine, plural, sizeText, timeText } from './words.ts'

export const build: BuildCommand = (command, act) => {
  command
    .option('--verify <FILE>', 'whether a kept report is what its device signed')
    .addHelpText('after', examples('report', 'report --json > safety.json', 'report --verify safety.json'))
    .action(
      act((context, { verify: file }: { verify?: string }) =>
        file === undefined ? report(context) : verify(context, file),
      ),
    )
}

async function report(context: Context): Promise<void> {
  const client = await context.client()
  const signed = await client.get<SignedReport>('/api/v1/report', {}, context.signal)
  context.out.answer(signed, () => show(context, signed.report))
}

function show(
  { out }: Context,
  { statement, files, folders, devices, damage, ...report }: SafetyReport,
): void {
  out.line(style('bold', oneLine(statement)))
  out.line(`  ${timeText(report.time)}, as ${oneLine(report.device.name)} knows it`)
  out.line(
    `  ${plural(files.count, 'file')}, ${sizeText(files.bytes)}: ${files.safe} safe, ${files.degraded} degraded, ${files.lost} lost`,
  )
  out.table<SafetyReport['folders'][number]>(
    [
      { head: 'Folder', value: ({ name }) => name },
      { head: 'Files', value: ({ files }) => String(files), right: true },
      { head: 'Size', value: ({ bytes }) => sizeText(bytes), right: true },
      {
        head: 'Copies',
        value: ({ scheme, copies, asked }) =>
          scheme !== 'copies' ? scheme : asked > copies ? `${copies} of ${asked}` : String(copies),
        right: true,
      },
      { head: 'Safe', value: ({ safe }) => String(safe), right: true },
      { head: 'Degraded', value: ({ degraded }) => String(degraded), right: true },
      { head: 'Lost', value: ({ lost }) => String(lost), right: true },
    ],
    folders,
  )
  out.table<ReportDevice>(
    [
      { head: 'Device', value: ({ name }) => name },
      { head: 'State', value: ({ state, online }) => (online ? state : `${state}, away`) },
      {
        head: 'Keeps',
        value: ({ used, contributed }) => `${sizeText(used)} of ${sizeText(contributed)}`,
        right: true,
      },
      {
        head: 'Read',
        value: ({ verified }) =>
          verified === undefined
            ? 'not known'
            : verified.oldest === undefined
              ? 'not yet'
              : `since ${timeText(verified.oldest)}`,
      },
      { head: 'Without it', value: ({ ifLost }) => lossText(ifLost) },
    ],
    devices,
  )
  out.line(
    `  damage found here since the start: ${damage.found}, healed ${damage.healed}, left ${damage.left}`,
  )
  for (const { what, next } of report.problems)
    out.line(`  ${style('yellow', 'problem')}  ${oneLine(what)}: ${next}`)
}

function lossText({ lost, unknown, keys }: ReportDevice['ifLost']): string {
  if (!keys) return 'nothing could be opened'
  const text = lost === 0 ? 'nothing is lost' : `${plural(lost, 'file')} lost`
  return unknown === 0 ? text : `${text}, ${unknown} not known`
}

async function verify(context: Context, file: string): Promise<void> {
  const { out, signal } = context
  const body = parsed(
    file,
    await readFile(file, 'utf8').catch((thrown: Error) => refuse(file, thrown.message)),
  )
  const client = await context.client()
  const found = await client.call<CheckedReport>('POST', '/api/v1/report/verify', { body, signal })
  const known = {
    active: 'a device of this pool',
    revoked: 'revoked since',
    unknown: 'no device of this pool',
  }
  out.answer(found, () => {
    const who = `${oneLine(found.name)} (${found.device.slice(0, 16)}…, ${known[found.state]})`
    out.line(
      found.valid
        ? `${style('green', 'genuine')}: signed by ${who} at ${timeText(found.time)}`
        : `${style('red', 'not genuine')}: this is not what ${who} signed`,
    )
  })
  if (!found.valid || found.state === 'unknown') process.exitCode = 1
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return refuse(file, 'it is no JSON')
  }
}

function refuse(file: string, reason: string): never {
  throw fail('BAD_INPUT', { what: file, reason })
}
