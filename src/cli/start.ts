/** `start`: runs this device until Ctrl+C. Its flags are made from the table of settings. */
import { type Command, Option } from 'commander'
import { startWebFace } from '../api/server.ts'
import { realClock } from '../base/clock.ts'
import { createPeer } from '../peer/create-peer.ts'
import type { Peer } from '../peer/peer.ts'
import { type RunFile, readRun } from '../peer/run-file.ts'
import { laterSettings, type SettingsValues, settingKeys, settingsTable } from '../peer/settings.ts'
import { codeArgument } from './code-argument.ts'
import type { BuildCommand, Context } from './context.ts'
import { examples } from './options.ts'
import { watchParent, watchedParent } from './parent-watch.ts'
import { linkOf } from './url.ts'
import { sizeText } from './words.ts'
import { letYoungMemoryGrow } from './young-memory.ts'

type Options = Record<string, unknown>

/** All that a start brings with it has been done by then. */
const quietAfterMs = 10_000

export const build: BuildCommand = (command, act) => {
  for (const key of settingKeys) addFlag(command, key, settingsTable[key])
  for (const [key, later] of Object.entries(laterSettings))
    addFlag(command, key, { ...later, help: 'not available yet' })
  command.addOption(new Option('--metrics <ADDR:PORT>', 'not available yet').hideHelp())
  command
    .option('--join <CODE>', 'join the pool of a code first; - reads it from standard input')
    .option(
      '--recover <CODE...>',
      'become a device of the pool of a recovery key; - reads it from standard input',
    )
    .option('--restore <FILE>', 'become the device of an export, in an empty home')
    .option('--verbose', 'log more: --log debug')
    .option('--debug', 'log everything: --log debug')
    .addHelpText(
      'after',
      examples('start', 'start --contribute 50GB --name laptop', 'start --home H2 --join CODE'),
    )
    .action(act(start))
}

type Flag = { help: string; value?: string; flagless?: true; negated?: true }

/** Flags of what is to come are taken, so that the peer can say so, and not shown. */
function addFlag(command: Command, key: string, setting: Flag): void {
  if (setting.flagless === true) return
  const name = setting.negated === true ? `no-${key}` : key
  const help = setting.negated === true ? `do not ${setting.help}` : setting.help
  const option = new Option(`--${name}${setting.value === undefined ? '' : ` <${setting.value}>`}`, help)
  command.addOption(Object.hasOwn(laterSettings, key) ? option.hideHelp() : option)
}

async function start(context: Context, options: Options): Promise<void> {
  const running = await readRun(context.home)
  if (running !== undefined) return showRunning(context, running, options)
  const stopping = new AbortController()
  const parent = watchedParent(process.env)
  const unwatch =
    parent === undefined ? () => undefined : watchParent(parent, realClock, () => stopping.abort())
  const signal = AbortSignal.any([context.signal, stopping.signal])
  const peer = await createPeer({
    home: context.home,
    settings: flagsOf(options),
    join: await codeOf(options['join'] as string | undefined),
    recover: await codeOf((options['recover'] as string[] | undefined)?.join(' ')),
    restore: options['restore'] as string | undefined,
  })
  try {
    await serve(context, peer, signal)
  } finally {
    unwatch()
  }
}

const codeOf = async (given: string | undefined): Promise<string | undefined> =>
  given === undefined ? undefined : codeArgument(given)

/** From a started peer to a stopped one. */
async function serve(context: Context, peer: Peer, signal: AbortSignal): Promise<void> {
  await peer.start()
  try {
    const { settings, log } = peer
    const face = await startWebFace(peer, { host: settings.get('host'), port: settings.get('port'), log })
    const run = await readRun(context.home)
    const atRest = realClock.after(quietAfterMs, letYoungMemoryGrow)
    const noWork = peer.events(undefined, ({ event }) => {
      if (event.type !== 'upload' && event.type !== 'files') return
      atRest()
      noWork()
      letYoungMemoryGrow()
    })
    if (run !== undefined && !signal.aborted) await showStarted(context, peer, run)
    await aborted(signal)
    context.out.note('stopping …')
    await face.close()
  } finally {
    await peer.stop()
  }
}

/** The settings that the command line gave, as text and switches; the peer checks them. */
function flagsOf(options: Options): Partial<SettingsValues> {
  const flags: Record<string, unknown> = {}
  const table: Readonly<Record<string, object>> = { ...settingsTable, ...laterSettings }
  for (const [key, setting] of Object.entries(table)) {
    const value = options[camelCase(key)]
    const negated = 'negated' in setting
    if (value !== undefined && !(negated && value === true)) flags[key] = value
  }
  if (options['verbose'] === true || options['debug'] === true) flags['log'] = 'debug'
  return flags as Partial<SettingsValues>
}

const camelCase = (key: string): string => key.replaceAll(/-(\w)/g, (_, sign: string) => sign.toUpperCase())

async function showStarted({ out, home }: Context, peer: Peer, run: RunFile): Promise<void> {
  const quiet = peer.settings.get('quiet-token')
  const { peer: id, storage } = await peer.status()
  if (out.json)
    return out.content(JSON.stringify({ url: run.url, token: quiet ? undefined : run.token, peer: id, home }))
  out.content(`Access at: ${quiet ? run.url : linkOf(run)}`)
  const { fingerprint, selfSigned } = await peer.webCertificate()
  const whose = selfSigned ? 'self-signed certificate' : 'certificate'
  out.line(`https:// works on the same port; ${whose}, SHA-256 ${fingerprint}`)
  out.line(`Data in: ${home}`)
  out.line('Add a device: peerstor invite here, then peerstor start --join CODE there')
  out.line(`Keeps up to ${sizeText(storage.contributed)} for the pool; change it: peerstor quota set SIZE`)
}

/** A second start of a home says where the first one is. */
async function showRunning(context: Context, run: RunFile, options: Options): Promise<void> {
  const { out, home } = context
  const client = await context.client()
  const { peer } = await client.get<{ peer: string }>('/api/v1/status', {}, context.signal)
  if (options['join'] !== undefined)
    out.note('It runs already; --join is ignored. To join: peerstor join CODE')
  if (out.json) out.content(JSON.stringify({ url: run.url, token: run.token, peer, home }))
  else out.content(`Access at: ${linkOf(run)}`)
  out.line(`PeerStor runs already (process ${run.pid}), data in: ${home}`)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
